#include "layers/dropout.h"

#include <cmath>
#include <cstdint>

#include "layers/learning_onednn.h"

namespace bellows {
namespace {

constexpr int kFactors = 0;  // slot: 0 or 1 / (1 - rate) for each value

// SplitMix64 (Steele, Lea & Flood 2014): a well mixed number from a counter.
std::uint64_t mixed(std::uint64_t counter) {
  std::uint64_t z = counter * 0x9E3779B97F4A7C15U;
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9U;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBU;
  return z ^ (z >> 31);
}

Desc factors_desc(const LearningEmitter& emitter, int group) {
  return emitter.dst().layout.flat({group, group});
}

}  // namespace

void emit_learning_forward(const Dropout& layer, LearningEmitter& emitter) {
  const int group = emitter.group();
  const GroupRange here{group, group};
  const View factors = emitter.keep(kFactors, group, factors_desc(emitter, group));
  const auto count = static_cast<std::uint64_t>(factors.desc.get_size() / sizeof(float));
  const auto threshold = static_cast<std::uint64_t>(std::ldexp(layer.rate(), 32));
  const auto kept = static_cast<float>(1.0 / (1.0 - layer.rate()));
  const std::uint64_t* seed = emitter.step_seed(group);
  emitter.add_kernel(
      [=](void* const* arguments) {
        auto* values = static_cast<float*>(arguments[0]);
        const std::uint64_t start = mixed(*seed);
        for (std::uint64_t i = 0; i < count; ++i) {
          values[i] = (mixed(start + i) >> 32) < threshold ? 0.0F : kept;
        }
      },
      {factors});
  const View src = emitter.src().flat(here);
  emitter.add(
      binary(Binary::kMultiply, src.desc, factors.desc, src.desc),
      {{DNNL_ARG_SRC_0, src}, {DNNL_ARG_SRC_1, factors}, {DNNL_ARG_DST, emitter.dst().flat(here)}});
}

void emit_backward(const Dropout& /*layer*/, LearningEmitter& emitter) {
  if (!emitter.wants_diff_src()) return;
  const TensorPlace diff_src = emitter.diff_src();
  for (int group = emitter.range().first; group <= emitter.range().last; ++group) {
    const View diff_dst = emitter.diff_dst().flat({group, group});
    const View factors = emitter.keep(kFactors, group, factors_desc(emitter, group));
    emitter.add(binary(Binary::kMultiply, diff_dst.desc, factors.desc, diff_dst.desc),
                {{DNNL_ARG_SRC_0, diff_dst},
                 {DNNL_ARG_SRC_1, factors},
                 {DNNL_ARG_DST, diff_src.flat({group, group})}});
  }
}

}  // namespace bellows
