// Both rectifiers.
#include "layers/learning_onednn.h"
#include "layers/relu.h"
#include "layers/relu6.h"

namespace bellows {
namespace {

void emit_activation_backward(Activation kind, LearningEmitter& emitter) {
  if (!emitter.wants_diff_src()) return;
  const View src = emitter.src().flat(emitter.range());
  emitter.add(activation_backward(kind, src.desc),
              {{DNNL_ARG_SRC, src},
               {DNNL_ARG_DIFF_DST, emitter.diff_dst().flat(emitter.range())},
               {DNNL_ARG_DIFF_SRC, emitter.diff_src().flat(emitter.range())}});
}

}  // namespace

void emit_learning_forward(const Relu& layer, LearningEmitter& emitter) {
  emit_forward(layer, emitter);
}
void emit_backward(const Relu& /*layer*/, LearningEmitter& emitter) {
  emit_activation_backward(Activation::kRelu, emitter);
}

void emit_learning_forward(const Relu6& layer, LearningEmitter& emitter) {
  emit_forward(layer, emitter);
}
void emit_backward(const Relu6& /*layer*/, LearningEmitter& emitter) {
  emit_activation_backward(Activation::kRelu6, emitter);
}

}  // namespace bellows
