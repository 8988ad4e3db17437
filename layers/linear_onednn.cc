#include "layers/linear.h"

#include "layers/dense_onednn.h"

namespace bellows {

DenseGeometry dense_geometry(const Linear& layer) {
  return {.features = true, .has_bias = layer.bias()};
}

void emit_forward(const Linear& layer, ForwardEmitter& emitter) {
  emit_dense_forward(dense_geometry(layer), emitter.site().groups_read(emitter.group()), emitter);
}

}  // namespace bellows
