// Batch normalisation (Ioffe & Szegedy 2015), channel by channel, so one set of statistics serves
// every width.
#pragma once

#include "layers/layer.h"

namespace bellows {

/// dst = (src - mean) / sqrt(variance + epsilon) * scale + shift. While learning, mean and variance
/// are those of the batch (variance biased), and the running ones move towards them by `momentum`
/// (the running variance towards the unbiased estimate). All parameters are [channels[g]]. It
/// counts no multiply-accumulates: it is folded into the weights of the layer before.
class BatchNorm final : public Layer {
 public:
  BatchNorm() : Layer(LayerKind::kBatchNorm) {}
  explicit BatchNorm(std::string name) : Layer(LayerKind::kBatchNorm, std::move(name)) {}

  [[nodiscard]] MapShape output_shape(const MapShape& src, bool src_is_input,
                                      int groups) const override;
  [[nodiscard]] std::vector<ParameterSpec> parameters(const LayerSite& site,
                                                      int group) const override;

  [[nodiscard]] double epsilon() const { return epsilon_; }
  [[nodiscard]] double momentum() const { return momentum_; }

 private:
  void visit_own_fields(FieldVisitor& visitor) override;

  double epsilon_ = 1e-5;
  double momentum_ = 0.1;
};

}  // namespace bellows
