// Both rectifiers.
#include "layers/elementwise_onednn.h"
#include "layers/learning_onednn.h"
#include "layers/relu.h"
#include "layers/relu6.h"

namespace bellows {
namespace {

void emit_rectifier_backward(Activation kind, LearningEmitter& emitter) {
  if (!emitter.wants_diff_src()) return;
  const GroupRange range = emitter.range();
  const View src = emitter.src().flat(range);
  const View diff_dst = emitter.diff_dst().flat(range);
  emit_activation_backward(kind, src, diff_dst, emitter.diff_src().flat(range), emitter);
}

}  // namespace

void emit_learning_forward(const Relu& layer, LearningEmitter& emitter) {
  emit_forward(layer, emitter);
}
void emit_backward(const Relu& /*layer*/, LearningEmitter& emitter) {
  emit_rectifier_backward(Activation::kRelu, emitter);
}

void emit_learning_forward(const Relu6& layer, LearningEmitter& emitter) {
  emit_forward(layer, emitter);
}
void emit_backward(const Relu6& /*layer*/, LearningEmitter& emitter) {
  emit_rectifier_backward(Activation::kRelu6, emitter);
}

}  // namespace bellows
