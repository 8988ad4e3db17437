// Reaching the widest width step by step, against running it at once.
#include <benchmark/benchmark.h>

#include <string>

#include "bench/networks.h"
#include "bench/side_by_side.h"

namespace bellows::bench {
namespace {

constexpr int kTurns = 150;

void in_turns(benchmark::internal::Benchmark* each) {
  each->UseManualTime()->Iterations(kTurns)->Unit(benchmark::kMicrosecond);
}

void refining(benchmark::State& state, NetworkOf network_of, const std::string& name) {
  const OneCore one_core;
  const Network network = network_of(name);
  const Model model = random_model(network);
  Session session(model, {.max_batch = 1, .threads = 1});
  const std::vector<float> image = random_images(network, 1);
  const int widest = model.groups();
  // Through one session, so that both work in the same memory.
  std::vector<Contender> contenders{{[&] {
                                      session.run(image, 1);
                                      while (session.width() < widest) session.refine();
                                    }},
                                    {[&] { session.run(image, widest); }}};
  take_turns(state, contenders);

  const double refined = median(contenders[0].seconds);
  const double at_once = median(contenders[1].seconds);
  state.counters["refined_us"] = refined * 1e6;
  state.counters["at_once_us"] = at_once * 1e6;
  state.counters["refined_vs_at_once"] = refined / at_once;
  state.counters["change_us"] = (refined - at_once) * 1e6 / (widest - 1);
}

BENCHMARK_CAPTURE(refining, cifar10_vgg, &shipped_network, "cifar10/vgg")->Apply(in_turns);
BENCHMARK_CAPTURE(refining, cifar10_vgg_triangular, &triangular_network, "cifar10/vgg")
    ->Apply(in_turns);
BENCHMARK_CAPTURE(refining, mnist_lenet, &shipped_network, "mnist/lenet")->Apply(in_turns);

// What a run costs right after one at another width, against one after another of its own.
void switching(benchmark::State& state, const std::string& name) {
  const OneCore one_core;
  const Network network = shipped_network(name);
  const Model model = random_model(network);
  Session session(model, {.max_batch = 1, .threads = 1});
  const std::vector<float> image = random_images(network, 1);
  const int widest = model.groups();
  std::vector<Contender> contenders{{[&] {
                                      session.run(image, 1);
                                      session.run(image, widest);
                                    }},
                                    {[&] { session.run(image, 1); }},
                                    {[&] { session.run(image, widest); }}};
  take_turns(state, contenders);

  const double alternating = median(contenders[0].seconds);
  const double apart = median(contenders[1].seconds) + median(contenders[2].seconds);
  state.counters["alternating_us"] = alternating * 1e6;
  state.counters["apart_us"] = apart * 1e6;
  state.counters["alternating_vs_apart"] = alternating / apart;
}

BENCHMARK_CAPTURE(switching, cifar10_vgg, "cifar10/vgg")->Apply(in_turns);
BENCHMARK_CAPTURE(switching, mnist_lenet, "mnist/lenet")->Apply(in_turns);

}  // namespace
}  // namespace bellows::bench
