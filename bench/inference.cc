// One image at every width, against a dense network of that width's channels, per
// multiply-accumulate.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <string>

#include "bench/dense_onednn.h"
#include "bench/networks.h"
#include "bench/side_by_side.h"
#include "engine/threads.h"

namespace bellows::bench {
namespace {

constexpr int kTurns = 150;

void inference(benchmark::State& state, NetworkOf network_of, const std::string& name) {
  const OneCore one_core;
  const ThreadCount one_thread(1);
  const Network network = network_of(name);
  const int width = static_cast<int>(state.range(0));
  const Model model = random_model(network);
  Session session(model, {.max_batch = 1, .threads = 1});
  DenseNetwork blocked(network, width, DenseLayout::kBlocked);
  DenseNetwork channels_last(network, width, DenseLayout::kChannelsLast);
  const std::vector<float> image = random_images(network, 1);
  std::vector<Contender> contenders{{[&] { session.run(image, width); }},
                                    {[&] { blocked.run(image); }},
                                    {[&] { channels_last.run(image); }}};
  take_turns(state, contenders);

  const double ours = median(contenders[0].seconds);
  const double blocked_time = median(contenders[1].seconds);
  const double channels_last_time = median(contenders[2].seconds);
  const double dense = std::min(blocked_time, channels_last_time);
  const auto macs = static_cast<double>(model.width(width).macs);
  const auto dense_macs = static_cast<double>(blocked.macs());
  state.counters["MMAC"] = macs * 1e-6;
  state.counters["us"] = ours * 1e6;
  state.counters["dense_MMAC"] = dense_macs * 1e-6;
  state.counters["dense_blocked_us"] = blocked_time * 1e6;
  state.counters["dense_channels_last_us"] = channels_last_time * 1e6;
  state.counters["GFLOPs"] = 2e-9 * macs / ours;
  state.counters["time_per_MAC_vs_dense"] = (ours / macs) / (dense / dense_macs);
  state.counters["time_per_MAC_vs_dense_blocked"] = (ours / macs) / (blocked_time / dense_macs);
}

void every_width(benchmark::internal::Benchmark* each) {
  each->ArgName("width")->DenseRange(1, 4);
  each->UseManualTime()->Iterations(kTurns)->Unit(benchmark::kMicrosecond);
}

BENCHMARK_CAPTURE(inference, cifar10_vgg, &shipped_network, "cifar10/vgg")->Apply(every_width);
BENCHMARK_CAPTURE(inference, cifar10_vgg_triangular, &triangular_network, "cifar10/vgg")
    ->Apply(every_width);
BENCHMARK_CAPTURE(inference, mnist_lenet, &shipped_network, "mnist/lenet")->Apply(every_width);

}  // namespace
}  // namespace bellows::bench
