#include "layers/head.h"

#include "layers/dense_onednn.h"

namespace bellows {

DenseGeometry dense_geometry(const Head& /*layer*/) { return {.features = true}; }

// The logits of width k are group k of dst; an additive head gets those of width k - 1 as the
// addend of its convolution.
void emit_forward(const Head& layer, ForwardEmitter& emitter) {
  emit_dense_forward(dense_geometry(layer), layer.groups_read(emitter.site(), emitter.group()),
                     emitter);
}

}  // namespace bellows
