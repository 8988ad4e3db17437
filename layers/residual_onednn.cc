#include "layers/residual.h"

#include "layers/forward_onednn.h"

namespace bellows {

void emit_forward(const Residual& /*layer*/, ForwardEmitter& emitter) {
  const GroupRange here{emitter.group(), emitter.group()};
  const View body = emitter.src().flat(here);
  emitter.add(binary(Binary::kAdd, body.desc, body.desc, body.desc),
              {{DNNL_ARG_SRC_0, body},
               {DNNL_ARG_SRC_1, emitter.shortcut().flat(here)},
               {DNNL_ARG_DST, emitter.dst().flat(here)}});
}

}  // namespace bellows
