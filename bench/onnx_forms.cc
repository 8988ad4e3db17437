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
  const auto session_of = [&](OnnxForm form) {
    const std::string bytes =
        onnx_model(network, weights, {}, {.width = static_cast<int>(state.range(0)), .form = form});
    return peers::OnnxSession(*runtime,
                              {reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size()},
                              {.threads = 1});
  };
  peers::OnnxSession whole = session_of(OnnxForm::kWhole);
  peers::OnnxSession split = session_of(OnnxForm::kSplit);
  peers::OnnxSession fastest = session_of(OnnxForm::kFastest);
  const std::vector<float> image = random_images(network, 1);
  std::vector<Contender> contenders{{[&] { whole.run(image, 1); }},
                                    {[&] { split.run(image, 1); }},
                                    {[&] { fastest.run(image, 1); }}};
  take_turns(state, contenders, Clock::kThread);

  state.counters["whole_us"] = median(contenders[0].seconds) * 1e6;
  state.counters["split_us"] = median(contenders[1].seconds) * 1e6;
  state.counters["fastest_us"] = median(contenders[2].seconds) * 1e6;
}

void every_width(benchmark::internal::Benchmark* each) {
  each->ArgName("width")->DenseRange(1, 4);
  each->UseManualTime()->Iterations(kTurns)->Unit(benchmark::kMicrosecond);
}

BENCHMARK_CAPTURE(onnx_forms, cifar10_vgg, &shipped_network, "cifar10/vgg")->Apply(every_width);
BENCHMARK_CAPTURE(onnx_forms, cifar10_vgg_triangular, &triangular_network, "cifar10/vgg")
    ->Apply(every_width);
BENCHMARK_CAPTURE(onnx_forms, cifar10_resnet20, &shipped_network, "cifar10/resnet20")
    ->Apply(every_width);
BENCHMARK_CAPTURE(onnx_forms, cifar10_convnet, &shipped_network, "cifar10/convnet")
    ->Apply(every_width);
BENCHMARK_CAPTURE(onnx_forms, mnist_lenet, &shipped_network, "mnist/lenet")->Apply(every_width);
BENCHMARK_CAPTURE(onnx_forms, mnist_mobilenet_small, &shipped_network, "mnist/mobilenet-small")
    ->Apply(every_width);

}  // namespace
}  // namespace bellows::bench
