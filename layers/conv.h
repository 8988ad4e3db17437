// Convolution: every group has its own filters over the channels it may read.
#pragma once

#include "layers/layer.h"

namespace bellows {

/// weight [channels[g], channels read, Kh, Kw], bias [channels[g]]. Depthwise: weight
/// [channels[g], 1, Kh, Kw], as many channels as src and each reads only its own.
class Conv final : public Layer {
 public:
  Conv() : Layer(LayerKind::kConv) {}
  /// For layers made by others (the projection of a residual layer).
  Conv(std::string name, std::vector<int> channels, Size2 kernel, Size2 stride, bool bias);

  [[nodiscard]] MapShape output_shape(const MapShape& src, bool src_is_input,
                                      int groups) const override;
  [[nodiscard]] std::vector<ParameterSpec> parameters(const LayerSite& site,
                                                      int group) const override;
  [[nodiscard]] std::int64_t macs(const LayerSite& site, int group) const override;

  [[nodiscard]] Size2 kernel() const { return kernel_; }
  [[nodiscard]] Size2 stride() const { return stride_; }
  [[nodiscard]] Size2 padding() const { return padding_; }
  [[nodiscard]] bool depthwise() const { return depthwise_; }
  [[nodiscard]] bool bias() const { return bias_; }

 private:
  void visit_own_fields(FieldVisitor& visitor) override;

  std::vector<int> channels_;
  Size2 kernel_;
  Size2 stride_{1, 1};
  Size2 padding_{0, 0};
  bool depthwise_ = false;
  bool bias_ = true;
};

}  // namespace bellows
