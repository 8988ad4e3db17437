// One image at every width of every shipped network: time, energy with its source, operations.
#include "bench/energy_per_width.h"

#include <bellows/error.h>
#include <benchmark/benchmark.h>

#include <algorithm>
#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include "bench/networks.h"
#include "bench/side_by_side.h"
#include "engine/energy_meter.h"
#include "engine/operation_counts.h"
#include "engine/threads.h"
#include "training/device_config.h"

namespace bellows::bench {
namespace {

constexpr int kTurns = 50;
// A measurement lasts so many times the span below which a meter has nothing to tell.
constexpr double kSpans = 3;

// Where nothing measures: it needs no time, so that its figures are the same everywhere.
constexpr const char* kDefaultDevice = "generic-45nm";

std::unique_ptr<EnergyMeter> meter_for(const Network& network) {
  const char* chosen = std::getenv("BELLOWS_ENERGY");
  const std::string name = chosen == nullptr ? "auto" : chosen;
  const bool is_kind = name == "auto" || name == "rapl" || name == "hwmon" || name == "battery";
  auto model = make_modelled_meter(find_device_model(is_kind ? kDefaultDevice : name), network);
  return choose_energy_meter(is_kind ? name : "model", std::make_shared<Sysfs>(), {},
                             std::move(model));
}

// Microjoules of one run, over as many as the meter needs.
double energy_uj(EnergyMeter& meter, int width, double seconds, const std::function<void()>& run) {
  const double span = kSpans * meter.shortest_span_s();
  const double pause = std::min(meter.longest_pause_s() / 2, 1.0);
  const int batch = std::max(1, static_cast<int>(pause / std::max(seconds, 1e-9)));
  const double begin_j = meter.joules();
  const double begin = steady_seconds();
  double used_j = 0;
  std::int64_t runs = 0;
  do {
    // A model knows after one run what it would know after a thousand.
    const int count = meter.kind() == MeterKind::kModel ? 1 : batch;
    for (int i = 0; i < count; ++i) run();
    for (int i = 0; i < count; ++i) meter.image_done(width, seconds);
    runs += count;
    used_j = meter.joules() - begin_j;
  } while (steady_seconds() - begin < span);
  return used_j * 1e6 / static_cast<double>(runs);
}

void energy_per_width(benchmark::State& state, const std::string& name, int width) {
  try {
    const OneCore one_core;
    const ThreadCount one_thread(1);
    const Network network = shipped_network(name);
    const Model model = random_model(network);
    Session session(model, {.max_batch = 1, .threads = 1});
    const std::vector<float> image = random_images(network, 1);
    const auto run = [&] { session.run(image, width); };
    std::vector<Contender> contenders{{run}};
    take_turns(state, contenders);
    const double seconds = median(contenders[0].seconds);

    const auto meter = meter_for(network);
    const OperationCounts counts = up_to_width(count_operations(network), width);
    state.counters["us"] = seconds * 1e6;
    state.counters["energy_uj"] = energy_uj(*meter, width, seconds, run);
    state.counters["macs"] = static_cast<double>(counts.macs);
    state.counters["weight_bytes"] = static_cast<double>(counts.weight_bytes);
    state.counters["activation_bytes"] =
        static_cast<double>(counts.read_bytes + counts.written_bytes);
    state.SetLabel(meter->source());
  } catch (const Error& error) {
    state.SkipWithError(error.what());
  }
}

}  // namespace

void register_energy_per_width() {
  for (const std::string& name : shipped_networks()) {
    std::string title = name;
    std::ranges::replace(title, '/', '_');
    const int groups = shipped_network(name).groups();
    for (int width = 1; width <= groups; ++width) {
      benchmark::RegisterBenchmark(
          ("energy_per_width/" + title + "/width:" + std::to_string(width)).c_str(),
          [name, width](benchmark::State& state) { energy_per_width(state, name, width); })
          ->UseManualTime()
          ->Iterations(kTurns)
          ->Unit(benchmark::kMicrosecond);
    }
  }
}

}  // namespace bellows::bench
