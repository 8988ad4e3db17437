#include "layers/batch_norm.h"

#include <vector>

#include "layers/forward_onednn.h"

namespace bellows {

// Runs only where there is nothing before it to fold it into.
void emit_forward(const BatchNorm& layer, ForwardEmitter& emitter) {
  const GroupRange here{emitter.group(), emitter.group()};
  const View src = emitter.src().map(here);
  const std::vector<int> positions = emitter.src().layout.channel_positions(here);
  const int padded = emitter.src().layout.padded_channels(here);
  const auto parameter = [&](ParameterRole role) {
    return emitter.vector(role, positions, padded);
  };
  emitter.add(
      batch_norm_forward(/*learning=*/false, src.desc, layer.epsilon(), /*with_relu=*/false),
      {{DNNL_ARG_SRC, src},
       {DNNL_ARG_DST, emitter.dst().map(here)},
       {DNNL_ARG_SCALE, parameter(ParameterRole::kScale)},
       {DNNL_ARG_SHIFT, parameter(ParameterRole::kShift)},
       {DNNL_ARG_MEAN, parameter(ParameterRole::kMean)},
       {DNNL_ARG_VARIANCE, parameter(ParameterRole::kVariance)}});
}

}  // namespace bellows
