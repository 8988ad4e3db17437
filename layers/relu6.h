// Rectifier with a ceiling, as in MobileNet.
#pragma once

#include "layers/layer.h"

namespace bellows {

/// dst = min(max(src, 0), 6), element by element.
class Relu6 final : public Layer {
 public:
  Relu6() : Layer(LayerKind::kRelu6) {}

  [[nodiscard]] MapShape output_shape(const MapShape& src, bool src_is_input,
                                      int groups) const override;

 private:
  void visit_own_fields(FieldVisitor& visitor) override;
};

}  // namespace bellows
