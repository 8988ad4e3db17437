// Rectifier.
#pragma once

#include "layers/layer.h"

namespace bellows {

/// dst = max(src, 0), element by element.
class Relu final : public Layer {
 public:
  Relu() : Layer(LayerKind::kRelu) {}

  [[nodiscard]] MapShape output_shape(const MapShape& src, bool src_is_input,
                                      int groups) const override;

 private:
  void visit_own_fields(FieldVisitor& visitor) override;
};

}  // namespace bellows
