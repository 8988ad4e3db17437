#include "layers/linear.h"

namespace bellows {

void Linear::visit_own_fields(FieldVisitor& visitor) {
  visitor.field("features", features_,
                {.help = "outputs of each group",
                 .required = true,
                 .minimum = 1,
                 .maximum = 1048576,
                 .per_group = true});
  visitor.field("bias", bias_, {.help = "learn an offset; needless before batch_norm"});
}

MapShape Linear::output_shape(const MapShape& /*src*/, bool /*src_is_input*/, int groups) const {
  require_group_sizes(features_, "features", groups);
  return {features_, 1, 1};
}

std::vector<ParameterSpec> Linear::parameters(const LayerSite& site, int group) const {
  const std::int64_t out = site.dst.channels_of(group);
  const std::int64_t in = site.channels_read(group) * site.src.pixels();
  std::vector<ParameterSpec> specs;
  specs.push_back({ParameterRole::kWeight, {out, in}, in});
  if (bias_) specs.push_back({ParameterRole::kBias, {out}});
  return specs;
}

std::int64_t Linear::macs(const LayerSite& site, int group) const {
  return saturated_product(
      {site.dst.channels_of(group), site.channels_read(group), site.src.pixels()});
}

}  // namespace bellows
