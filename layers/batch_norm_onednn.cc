#include "layers/batch_norm.h"

#include <cmath>
#include <vector>

#include "layers/forward_onednn.h"

namespace bellows {
namespace {

// For machines where oneDNN has only its reference code for blocks. Arguments src, dst, scale,
// shift, mean, variance.
Kernel normalise_kernel(const ActivationLayout& layout, int group, double epsilon) {
  const auto block = static_cast<std::size_t>(layout.block());
  const auto blocks = static_cast<std::size_t>(layout.padded_channels({group, group})) / block;
  const auto values = layout.bytes({group, group}) / sizeof(float) / (blocks * block);
  return [=](void* const* arguments) {
    const auto* src = static_cast<const float*>(arguments[0]);
    auto* dst = static_cast<float*>(arguments[1]);
    const auto* scale = static_cast<const float*>(arguments[2]);
    const auto* shift = static_cast<const float*>(arguments[3]);
    const auto* mean = static_cast<const float*>(arguments[4]);
    const auto* variance = static_cast<const float*>(arguments[5]);
    for (std::size_t channel = 0; channel < blocks * block; ++channel) {
      const auto factor =
          static_cast<float>(scale[channel] / std::sqrt(double{variance[channel]} + epsilon));
      const std::size_t begin = channel / block * block * values + channel % block;
      for (std::size_t i = 0; i < values; ++i) {
        const std::size_t place = begin + i * block;
        dst[place] = (src[place] - mean[channel]) * factor + shift[channel];
      }
    }
  };
}

}  // namespace

// Runs only where there is nothing before it to fold it into.
void emit_forward(const BatchNorm& layer, ForwardEmitter& emitter) {
  const GroupRange here{emitter.group(), emitter.group()};
  const View src = emitter.src().map(here);
  const View dst = emitter.dst().map(here);
  const std::vector<int> positions = emitter.src().layout.channel_positions(here);
  const int padded = emitter.src().layout.padded_channels(here);
  const auto parameter = [&](ParameterRole role) {
    return emitter.vector(role, positions, padded);
  };
  const View scale = parameter(ParameterRole::kScale);
  const View shift = parameter(ParameterRole::kShift);
  const View mean = parameter(ParameterRole::kMean);
  const View variance = parameter(ParameterRole::kVariance);
  const Primitive primitive =
      batch_norm_forward(Statistics::kRunning, src.desc, layer.epsilon(), /*with_relu=*/false);
  if (is_reference(primitive)) {
    emitter.add_kernel(normalise_kernel(emitter.src().layout, here.first, layer.epsilon()),
                       {src, dst, scale, shift, mean, variance});
    return;
  }
  emitter.add(primitive, {{DNNL_ARG_SRC, src},
                          {DNNL_ARG_DST, dst},
                          {DNNL_ARG_SCALE, scale},
                          {DNNL_ARG_SHIFT, shift},
                          {DNNL_ARG_MEAN, mean},
                          {DNNL_ARG_VARIANCE, variance}});
}

}  // namespace bellows
