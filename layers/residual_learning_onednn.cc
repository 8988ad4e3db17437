#include "layers/residual.h"

#include "layers/learning_onednn.h"

namespace bellows {

void emit_learning_forward(const Residual& layer, LearningEmitter& emitter) {
  emit_forward(layer, emitter);
}

void emit_backward(const Residual& /*layer*/, LearningEmitter& emitter) {
  emitter.pass_diff_to_both();
}

}  // namespace bellows
