#include "layers/linear.h"

#include "layers/dense_learning_onednn.h"

namespace bellows {

void emit_learning_forward(const Linear& layer, LearningEmitter& emitter) {
  emit_forward(layer, emitter);
}

void emit_backward(const Linear& layer, LearningEmitter& emitter) {
  emit_dense_backward(
      dense_geometry(layer), [&](int group) { return emitter.site().groups_read(group); }, emitter);
}

}  // namespace bellows
