#include "layers/dropout.h"

#include "layers/forward_onednn.h"

namespace bellows {

// The identity. Where nobody else reads src, the planner gives dst the same place.
void emit_forward(const Dropout& /*layer*/, ForwardEmitter& emitter) {
  if (emitter.src().buffer == emitter.dst().buffer) return;
  const GroupRange here{emitter.group(), emitter.group()};
  const View src = emitter.src().flat(here);
  emitter.add(reorder(src.desc, src.desc),
              {{DNNL_ARG_FROM, src}, {DNNL_ARG_TO, emitter.dst().flat(here)}});
}

}  // namespace bellows
