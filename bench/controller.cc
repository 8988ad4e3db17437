// What a decision of the controller costs.
#include <bellows/controller.h>
#include <benchmark/benchmark.h>

#include <cmath>
#include <vector>

namespace bellows::bench {
namespace {

std::vector<OperatingPoint> operating_points(int count) {
  std::vector<OperatingPoint> points;
  for (int i = 1; i <= count; ++i) {
    points.push_back({.width = i,
                      .accuracy = 1 - 0.5 / i,
                      .latency_p50_us = 100.0 * i,
                      .latency_p95_us = 110.0 * i,
                      .latency_p99_us = 120.0 * i,
                      .energy_uj = 10.0 * i});
  }
  return points;
}

// One request: what to run, and what came out, under every kind of limit.
void controller(benchmark::State& state) {
  const std::vector<OperatingPoint> points = operating_points(static_cast<int>(state.range(0)));
  Controller controller(points, {.max_latency_us = points.back().latency_p99_us,
                                 .max_energy_uj = points.back().energy_uj,
                                 .max_power_w = 0.02,
                                 .energy_left = EnergyLeft{.joules = 1e9, .until_s = 1e9},
                                 .min_accuracy = 0.4});
  // As they may come, and made beforehand.
  std::vector<double> latencies;
  latencies.reserve(1024);
  for (int i = 0; i < 1024; ++i) latencies.push_back(1 + 0.05 * std::sin(2.4 * i));
  double now_s = 0;
  std::size_t request = 0;
  for (auto _ : state) {
    const Decision next = controller.decide(now_s, 1e6);
    const OperatingPoint& its = points[next.point];
    controller.observe({.point = next.point,
                        .latency_us = its.latency_p50_us * latencies[request++ % 1024],
                        .energy_uj = its.energy_uj,
                        .now_s = now_s});
    now_s += 1e-3;
  }
}

BENCHMARK(controller)->ArgName("points")->Arg(4)->Arg(8)->Arg(50);

}  // namespace
}  // namespace bellows::bench
