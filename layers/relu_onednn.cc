// Both rectifiers.
#include "layers/relu.h"

#include "layers/elementwise_onednn.h"
#include "layers/relu6.h"

namespace bellows {
namespace {

void emit_rectifier(Activation kind, ForwardEmitter& emitter) {
  const GroupRange here{emitter.group(), emitter.group()};
  emit_activation(kind, emitter.src().flat(here), emitter.dst().flat(here), emitter);
}

}  // namespace

void emit_forward(const Relu& /*layer*/, ForwardEmitter& emitter) {
  emit_rectifier(Activation::kRelu, emitter);
}

void emit_forward(const Relu6& /*layer*/, ForwardEmitter& emitter) {
  emit_rectifier(Activation::kRelu6, emitter);
}

}  // namespace bellows
