#include "layers/conv.h"

#include "layers/dense_onednn.h"
#include "layers/depthwise_onednn.h"

namespace bellows {

DenseGeometry dense_geometry(const Conv& layer) {
  return {layer.kernel(), layer.stride(), layer.padding(), false, layer.bias()};
}

void emit_forward(const Conv& layer, ForwardEmitter& emitter) {
  if (layer.depthwise()) {
    emit_depthwise_forward(layer, emitter);
  } else {
    emit_dense_forward(dense_geometry(layer), emitter.site().groups_read(emitter.group()), emitter);
  }
}

}  // namespace bellows
