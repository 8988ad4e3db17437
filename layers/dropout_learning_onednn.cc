#include "layers/dropout.h"

#include <cstdint>

#include "layers/counter_random.h"
#include "layers/elementwise_onednn.h"
#include "layers/learning_onednn.h"

namespace bellows {
namespace {

constexpr int kFactors = 0;  // slot: 0 or 1 / (1 - rate) for each value

Desc factors_desc(const LearningEmitter& emitter, int group) {
  return emitter.dst().layout.flat({group, group});
}

}  // namespace

void emit_learning_forward(const Dropout& layer, LearningEmitter& emitter) {
  const int group = emitter.group();
  const GroupRange here{group, group};
  const View factors = emitter.keep(kFactors, group, factors_desc(emitter, group));
  const auto count = static_cast<std::uint64_t>(factors.desc.get_size() / sizeof(float));
  const double rate = layer.rate();
  const auto kept = static_cast<float>(1.0 / (1.0 - layer.rate()));
  const std::uint64_t* seed = emitter.step_seed(group);
  emitter.add_kernel(
      [=](void* const* arguments) {
        auto* values = static_cast<float*>(arguments[0]);
        const CounterDraws dropped(*seed, rate);
        for (std::uint64_t i = 0; i < count; ++i) values[i] = dropped(i) ? 0.0F : kept;
      },
      {factors});
  emit_product(emitter.src().flat(here), factors, emitter.dst().flat(here), emitter);
}

void emit_backward(const Dropout& /*layer*/, LearningEmitter& emitter) {
  if (!emitter.wants_diff_src()) return;
  const TensorPlace diff_src = emitter.diff_src();
  for (int group = emitter.range().first; group <= emitter.range().last; ++group) {
    const View diff_dst = emitter.diff_dst().flat({group, group});
    const View factors = emitter.keep(kFactors, group, factors_desc(emitter, group));
    emit_product(diff_dst, factors, diff_src.flat({group, group}), emitter);
  }
}

}  // namespace bellows
