// Dropout (Srivastava et al. 2014).
#pragma once

#include "layers/layer.h"

namespace bellows {

/// While learning, each value of the trainable groups is zero with probability `rate` and otherwise
/// divided by 1 - rate; when running, and in frozen groups, the identity.
class Dropout final : public Layer {
 public:
  Dropout() : Layer(LayerKind::kDropout) {}

  [[nodiscard]] MapShape output_shape(const MapShape& src, bool src_is_input,
                                      int groups) const override;

  [[nodiscard]] double rate() const { return rate_; }

 private:
  void visit_own_fields(FieldVisitor& visitor) override;

  double rate_ = 0.5;
};

}  // namespace bellows
