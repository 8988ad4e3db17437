// One image in ONNX Runtime at every width: the two forms that a network can be exported in.
#include <bellows/error.h>
#include <benchmark/benchmark.h>

#include <optional>
#include <string>

#include "bench/networks.h"
#include "bench/peers/onnx_runtime.h"
#include "bench/side_by_side.h"
#include "engine/onnx_export.h"

namespace bellows::bench {
namespace {

constexpr int kTurns = 150;

void onnx_forms(benchmark::State& state, NetworkOf network_of, const std::string& name) {
  const OneCore one_core;
  std::optional<peers::OnnxRuntime> runtime;
  try {
    runtime.emplace();
  } catch (const Error& error) {
    state.SkipWithError(error.what());
    return;
  }
  const Network network = network_of(name);
  const WeightSet weights = initial_weights(network);
  const auto session_of = [&](OnnxForm form, int fixed_batch) {
    const std::string bytes =
        onnx_model(network, weights, {}, {.width = static_cast<int>(state.range(0)), .form = form});
    return peers::OnnxSession(*runtime,
                              {reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size()},
                              {.threads = 1, .fixed_batch = fixed_batch});
  };
  peers::OnnxSession whole = session_of(OnnxForm::kWhole, 0);
  peers::OnnxSession split = session_of(OnnxForm::kSplit, 0);
  peers::OnnxSession fixed = session_of(OnnxForm::kFastest, 1);
  const std::vector<float> image = random_images(network, 1);
  std::vector<Contender> contenders{{[&] { whole.run(image, 1); }},
                                    {[&] { split.run(image, 1); }},
                                    {[&] { fixed.run(image, 1); }}};
  take_turns(state, contenders);

  const double whole_time = median(contenders[0].seconds);
  const double split_time = median(contenders[1].seconds);
  state.counters["whole_us"] = whole_time * 1e6;
  state.counters["split_us"] = split_time * 1e6;
  state.counters["fixed_batch_us"] = median(contenders[2].seconds) * 1e6;
  state.counters["split_vs_whole"] = split_time / whole_time;
}

void every_width(benchmark::internal::Benchmark* each) {
  each->ArgName("width")->DenseRange(1, 4);
  each->UseManualTime()->Iterations(kTurns)->Unit(benchmark::kMicrosecond);
}

BENCHMARK_CAPTURE(onnx_forms, cifar10_vgg, &shipped_network, "cifar10/vgg")->Apply(every_width);
BENCHMARK_CAPTURE(onnx_forms, cifar10_vgg_triangular, &triangular_network, "cifar10/vgg")
    ->Apply(every_width);
BENCHMARK_CAPTURE(onnx_forms, mnist_lenet, &shipped_network, "mnist/lenet")->Apply(every_width);

}  // namespace
}  // namespace bellows::bench
