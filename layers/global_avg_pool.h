// Mean over the whole map.
#pragma once

#include "layers/layer.h"

namespace bellows {

/// dst [N, C, 1, 1] = mean of src over height and width.
class GlobalAvgPool final : public Layer {
 public:
  GlobalAvgPool() : Layer(LayerKind::kGlobalAvgPool) {}

  [[nodiscard]] MapShape output_shape(const MapShape& src, bool src_is_input,
                                      int groups) const override;

 private:
  void visit_own_fields(FieldVisitor& visitor) override;
};

}  // namespace bellows
