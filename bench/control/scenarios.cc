#include "bench/control/scenarios.h"

#include <algorithm>
#include <random>

namespace bellows::control {
namespace {

// By latency, the quickest first.
std::vector<OperatingPoint> by_latency(std::vector<OperatingPoint> points) {
  std::ranges::sort(points, {}, &OperatingPoint::latency_p50_us);
  return points;
}

// A limit that a point keeps at the given slowdown with something to spare.
double room_for(const OperatingPoint& point, double slowdown = 1) {
  return 1.15 * slowdown * point.latency_p99_us;
}

}  // namespace

double period_s(const std::vector<OperatingPoint>& points) {
  double sum_us = by_latency(points).back().latency_p99_us;
  for (const OperatingPoint& point : points) sum_us += point.latency_p99_us;
  return 1.25e-6 * sum_us;
}

Scenario stepped_latency(const std::vector<OperatingPoint>& points, std::size_t requests) {
  Scenario scenario{
      .name = "1 limit of latency in steps", .requests = requests, .period_s = period_s(points)};
  std::vector<OperatingPoint> steps = by_latency(points);
  std::ranges::reverse(steps);
  for (std::size_t i = steps.size() - 1; i-- > 0;) steps.push_back(steps[i]);
  for (std::size_t i = 0; i < steps.size(); ++i) {
    scenario.targets.emplace_back(i * requests / steps.size(),
                                  Targets{.max_latency_us = room_for(steps[i])});
  }
  return scenario;
}

Scenario battery(const std::vector<OperatingPoint>& points, std::size_t requests) {
  Scenario scenario{.name = "2 battery", .requests = requests, .period_s = period_s(points)};
  const std::vector<OperatingPoint> ordered = by_latency(points);
  const double mean_uj = 0.5 * (ordered[ordered.size() / 2].energy_uj + ordered.back().energy_uj);
  const double seconds = static_cast<double>(requests) * scenario.period_s;
  const double joules = 1e-6 * mean_uj * static_cast<double>(requests);
  scenario.battery_j = 1.1 * joules;
  scenario.other_power_w = 0.1 * joules / seconds;
  scenario.targets.emplace_back(
      0, Targets{.energy_left = EnergyLeft{.joules = scenario.battery_j, .until_s = seconds}});
  return scenario;
}

Scenario bursts(const std::vector<OperatingPoint>& points, std::size_t requests) {
  Scenario scenario{
      .name = "3 bursts of other work", .requests = requests, .period_s = period_s(points)};
  const std::vector<OperatingPoint> ordered = by_latency(points);
  scenario.bursts = true;
  scenario.targets.emplace_back(0,
                                Targets{.max_latency_us = room_for(ordered[ordered.size() / 2])});
  return scenario;
}

Scenario throttled(const std::vector<OperatingPoint>& points, std::size_t requests) {
  Scenario scenario{
      .name = "4 half speed in the middle", .requests = requests, .period_s = period_s(points)};
  const std::vector<OperatingPoint> ordered = by_latency(points);
  // Of the slower half of the points none keeps it at half speed, of the quicker one the slowest.
  const OperatingPoint& quick = ordered[std::max<std::size_t>(ordered.size() / 2, 1) - 1];
  scenario.targets.emplace_back(0, Targets{.max_latency_us = room_for(quick, 2)});
  scenario.slowdown = {{requests / 6, 2.0}, {requests * 5 / 6, 1.0}};
  return scenario;
}

Scenario infeasible_accuracy(const std::vector<OperatingPoint>& points, std::size_t requests) {
  Scenario scenario{
      .name = "5 infeasible accuracy", .requests = requests, .period_s = period_s(points)};
  const std::vector<OperatingPoint> ordered = by_latency(points);
  scenario.targets.emplace_back(
      0, Targets{.max_latency_us = room_for(ordered[ordered.size() / 2]), .min_accuracy = 1.0});
  return scenario;
}

Scenario random_targets(const std::vector<OperatingPoint>& points, std::size_t requests,
                        std::uint64_t seed) {
  constexpr std::size_t kChanges = 1000;
  Scenario scenario{.name = "6 random targets", .requests = requests, .period_s = period_s(points)};
  const std::vector<OperatingPoint> ordered = by_latency(points);
  std::mt19937_64 random(seed);
  const auto share = [&] { return static_cast<double>(random() >> 11) * 0x1p-53; };
  for (std::size_t i = 0; i < kChanges; ++i) {
    Targets targets;
    if (share() < 0.7) {
      targets.max_latency_us =
          0.5 * ordered.front().latency_p50_us + share() * 1.5 * ordered.back().latency_p99_us;
    }
    if (share() < 0.5) targets.max_energy_uj = (0.05 + 1.2 * share()) * ordered.back().energy_uj;
    if (share() < 0.5) targets.min_accuracy = 0.5 + 0.5 * share();
    if (share() < 0.3) targets.objective = Objective::kCheapest;
    targets.latency_percentile = share() < 0.5 ? 99 : 95;
    scenario.targets.emplace_back(i * requests / kChanges, targets);
  }
  return scenario;
}

}  // namespace bellows::control
