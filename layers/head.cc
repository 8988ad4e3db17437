#include "layers/head.h"

namespace bellows {

void Head::visit_own_fields(FieldVisitor& visitor) {
  visitor.field(
      "mode", mode_,
      {.help = "how the logits of a width are made", .choices = {"additive", "per_width"}});
}

MapShape Head::output_shape(const MapShape& src, bool src_is_input, int /*groups*/) const {
  if (src_is_input) fail("cannot stand first");
  return {src.channels, 1, 1};
}

GroupRange Head::groups_read(const LayerSite& /*site*/, int group) const {
  return {mode() == HeadMode::kAdditive ? group : 1, group};
}

std::vector<ParameterSpec> Head::parameters(const LayerSite& site, int group) const {
  const std::int64_t in = site.src.channels_in(groups_read(site, group)) * site.src.pixels();
  return {{ParameterRole::kWeight, {site.classes, in}, in}, {ParameterRole::kBias, {site.classes}}};
}

std::int64_t Head::macs(const LayerSite& site, int group) const {
  return saturated_product(
      {site.classes, site.src.channels_in(groups_read(site, group)), site.src.pixels()});
}

}  // namespace bellows
