#include "layers/residual.h"

#include "layers/elementwise_onednn.h"

namespace bellows {

void emit_forward(const Residual& /*layer*/, ForwardEmitter& emitter) {
  const GroupRange here{emitter.group(), emitter.group()};
  emit_sum(emitter.src().flat(here), emitter.shortcut().flat(here), emitter.dst().flat(here),
           emitter);
}

}  // namespace bellows
