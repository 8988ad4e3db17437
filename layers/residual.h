// Residual block (He et al. 2016): a body of layers and a shortcut around it, summed.
#pragma once

#include <memory>

#include "layers/layer.h"

namespace bellows {

/// dst = body(src) + shortcut(src). `identity` needs equal shapes; `projected` is a 1 x 1
/// convolution with the stride that the body's maps ask for, then batch normalisation; its layers
/// are named <name>_projection and <name>_projection_norm. The network lowers body and shortcut to
/// nodes of their own; what remains of this layer is the sum.
class Residual final : public Layer {
 public:
  Residual() : Layer(LayerKind::kResidual) {}

  /// Of the whole block.
  [[nodiscard]] MapShape output_shape(const MapShape& src, bool src_is_input,
                                      int groups) const override;

  [[nodiscard]] const LayerList& body() const { return body_; }
  [[nodiscard]] bool projected() const { return shortcut_ == "projected"; }
  /// The layers of a projected shortcut between these shapes.
  [[nodiscard]] LayerList make_projection(const MapShape& src, const MapShape& dst) const;

 private:
  void visit_own_fields(FieldVisitor& visitor) override;

  std::string shortcut_ = "identity";
  LayerList body_;
};

}  // namespace bellows
