// Both rectifiers.
#include "layers/relu.h"

#include "layers/forward_onednn.h"
#include "layers/relu6.h"

namespace bellows {
namespace {

void emit_activation(Activation kind, ForwardEmitter& emitter) {
  const GroupRange here{emitter.group(), emitter.group()};
  const View src = emitter.src().flat(here);
  emitter.add(activation_forward(kind, src.desc),
              {{DNNL_ARG_SRC, src}, {DNNL_ARG_DST, emitter.dst().flat(here)}});
}

}  // namespace

void emit_forward(const Relu& /*layer*/, ForwardEmitter& emitter) {
  emit_activation(Activation::kRelu, emitter);
}

void emit_forward(const Relu6& /*layer*/, ForwardEmitter& emitter) {
  emit_activation(Activation::kRelu6, emitter);
}

}  // namespace bellows
