#include "layers/batch_norm.h"

namespace bellows {

void BatchNorm::visit_own_fields(FieldVisitor& visitor) {
  visitor.field("epsilon", epsilon_,
                {.help = "added to the variance", .minimum = 1e-12, .maximum = 1.0});
  visitor.field(
      "momentum", momentum_,
      {.help = "share of the batch in the running statistics", .minimum = 0, .maximum = 1});
}

MapShape BatchNorm::output_shape(const MapShape& src, bool src_is_input, int /*groups*/) const {
  if (src_is_input) fail("cannot stand first; the input is normalised by the model itself");
  return src;
}

std::vector<ParameterSpec> BatchNorm::parameters(const LayerSite& site, int group) const {
  const std::int64_t channels = site.dst.channels_of(group);
  return {{ParameterRole::kScale, {channels}},
          {ParameterRole::kShift, {channels}},
          {ParameterRole::kMean, {channels}},
          {ParameterRole::kVariance, {channels}}};
}

}  // namespace bellows
