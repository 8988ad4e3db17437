// The classifier at the end: features of the active groups in, logits of the width out.
#pragma once

#include "layers/layer.h"

namespace bellows {

enum class HeadMode {
  kAdditive,  ///< logits of width k = logits of width k-1 + the share of group k
  kPerWidth,  ///< each width has a classifier of its own over all its features
};

/// Group g owns weight [classes, features read] and bias [classes]. Features read: group g alone
/// (additive), or groups 1..g (per_width), whatever the connectivity; flattened in C, H, W order.
class Head final : public Layer {
 public:
  Head() : Layer(LayerKind::kHead) {}

  /// dst has `classes` channels in every group: the logits of each width. The network sets it.
  [[nodiscard]] MapShape output_shape(const MapShape& src, bool src_is_input,
                                      int groups) const override;
  [[nodiscard]] std::vector<ParameterSpec> parameters(const LayerSite& site,
                                                      int group) const override;
  [[nodiscard]] std::int64_t macs(const LayerSite& site, int group) const override;

  [[nodiscard]] HeadMode mode() const {
    return mode_ == "additive" ? HeadMode::kAdditive : HeadMode::kPerWidth;
  }
  /// Groups of src whose features the classifier of group `group` reads.
  [[nodiscard]] GroupRange groups_read(const LayerSite& site, int group) const;

 private:
  void visit_own_fields(FieldVisitor& visitor) override;

  std::string mode_ = "per_width";
};

}  // namespace bellows
