// Fully connected layer: every group has its own outputs over the features it may read.
#pragma once

#include "layers/layer.h"

namespace bellows {

/// weight [features[g], features read], bias [features[g]]. The features of a map are its channels
/// flattened in C, H, W order; dst is [N, features, 1, 1].
class Linear final : public Layer {
 public:
  Linear() : Layer(LayerKind::kLinear) {}

  [[nodiscard]] MapShape output_shape(const MapShape& src, bool src_is_input,
                                      int groups) const override;
  [[nodiscard]] std::vector<ParameterSpec> parameters(const LayerSite& site,
                                                      int group) const override;
  [[nodiscard]] std::int64_t macs(const LayerSite& site, int group) const override;

  [[nodiscard]] bool bias() const { return bias_; }

 private:
  void visit_own_fields(FieldVisitor& visitor) override;

  std::vector<int> features_;
  bool bias_ = true;
};

}  // namespace bellows
