#include "bench/control/simulated_engine.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace bellows::control {
namespace {

constexpr double kJitter = 0.05;
constexpr double kBurstJitter = 0.2;
constexpr double kBurstSlowdown = 2;
constexpr double kEnergyJitter = 0.02;
constexpr double kHiccupShare = 0.002;
constexpr double kHiccupUs = 20e3;
constexpr double kBurstSeconds = 0.5;  // of a burst, and of the pause between two, on average

// The 95th and 99th percentile of a standard normal distribution.
constexpr double kNormal95 = 1.6449;
constexpr double kNormal99 = 2.3263;

// The standard library leaves open how its distributions draw; these are the same everywhere.
double uniform(std::mt19937_64& random) {
  return (static_cast<double>(random() >> 11) + 1) * 0x1p-53;
}

double normal(std::mt19937_64& random) {
  const double radius = std::sqrt(-2 * std::log(uniform(random)));
  return radius * std::cos(2 * std::numbers::pi * uniform(random));
}

}  // namespace

std::vector<OperatingPoint> simulated_points() {
  // Latencies and accuracies of cifar10/vgg on a Xeon; 5 pJ for a multiply-accumulate.
  std::vector<OperatingPoint> points = {
      {.width = 1, .accuracy = 0.7962, .latency_p50_us = 152, .energy_uj = 24},
      {.width = 2, .accuracy = 0.8418, .latency_p50_us = 447, .energy_uj = 74},
      {.width = 3, .accuracy = 0.8529, .latency_p50_us = 737, .energy_uj = 123},
      {.width = 4, .accuracy = 0.8887, .latency_p50_us = 1919, .energy_uj = 317}};
  for (OperatingPoint& point : points) {
    point.latency_p95_us = point.latency_p50_us * std::exp(kNormal95 * kJitter);
    point.latency_p99_us = point.latency_p50_us * std::exp(kNormal99 * kJitter);
  }
  return points;
}

SimulatedEngine::SimulatedEngine(const std::vector<OperatingPoint>& points, std::uint64_t seed)
    : points_(points), seed_(seed), random_(seed) {}

void SimulatedEngine::begin(const Scenario& scenario) {
  random_.seed(seed_);
  now_s_ = 0;
  bursts_ = scenario.bursts;
  in_burst_ = false;
  burst_change_s_ = kBurstSeconds;
}

void SimulatedEngine::wait_until(double time_s) { now_s_ = std::max(now_s_, time_s); }

double SimulatedEngine::burst_slowdown() {
  while (bursts_ && now_s_ >= burst_change_s_) {
    in_burst_ = !in_burst_;
    burst_change_s_ += 2 * kBurstSeconds * uniform(random_);
  }
  return in_burst_ ? kBurstSlowdown * std::exp(kNormal99 * (kBurstJitter - kJitter)) : 1;
}

Answer SimulatedEngine::run(std::size_t point, std::size_t /*request*/, double slowdown) {
  const OperatingPoint& its = points_[point];
  const double jitter = in_burst_ ? kBurstJitter : kJitter;
  Answer answer;
  answer.latency_us = its.latency_p50_us * slowdown * (in_burst_ ? kBurstSlowdown : 1) *
                      std::exp(jitter * normal(random_));
  if (uniform(random_) < kHiccupShare) answer.latency_us += kHiccupUs;
  answer.energy_uj = its.energy_uj * std::exp(kEnergyJitter * normal(random_));
  answer.right = uniform(random_) < its.accuracy;
  now_s_ += 1e-6 * answer.latency_us;
  return answer;
}

}  // namespace bellows::control
