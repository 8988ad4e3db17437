#include "bench/control/simulated_engine.h"

#include <algorithm>
#include <array>
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

// What neighbours on shared cores make of the speed, and for how long on average.
constexpr std::array kSpells = {0.7, 1.05, 1.3};
constexpr double kSpellSeconds = 1;

// The standard library leaves open how its distributions draw; these are the same everywhere.
double uniform(std::mt19937_64& random) {
  return (static_cast<double>(random() >> 11) + 1) * 0x1p-53;
}

double normal(std::mt19937_64& random) {
  const double radius = std::sqrt(-2 * std::log(uniform(random)));
  return radius * std::cos(2 * std::numbers::pi * uniform(random));
}

// Latencies and accuracies of cifar10/vgg on a Xeon; 5 pJ for a multiply-accumulate. Nothing but
// the medians of latencies counts.
std::vector<OperatingPoint> quiet_points() {
  return {{.width = 1, .accuracy = 0.7962, .latency_p50_us = 152, .energy_uj = 24},
          {.width = 2, .accuracy = 0.8418, .latency_p50_us = 447, .energy_uj = 74},
          {.width = 3, .accuracy = 0.8529, .latency_p50_us = 737, .energy_uj = 123},
          {.width = 4, .accuracy = 0.8887, .latency_p50_us = 1919, .energy_uj = 317}};
}

}  // namespace

std::vector<OperatingPoint> simulated_points(const SimulatedNoise& noise) {
  constexpr std::size_t kRuns = 20000;
  std::vector<OperatingPoint> points = quiet_points();
  SimulatedEngine engine({.seed = noise.seed + 1, .spells = noise.spells});
  engine.begin({});
  std::vector<std::vector<double>> times(points.size());
  for (std::size_t run = 0; run < kRuns; ++run) {
    for (std::size_t i = 0; i < points.size(); ++i) {
      times[i].push_back(engine.run(i, run, 1).latency_us);
    }
  }
  for (std::size_t i = 0; i < points.size(); ++i) {
    std::ranges::sort(times[i]);
    points[i].latency_p50_us = times[i][kRuns / 2];
    points[i].latency_p95_us = times[i][kRuns * 95 / 100];
    points[i].latency_p99_us = times[i][kRuns * 99 / 100];
  }
  return points;
}

SimulatedEngine::SimulatedEngine(const SimulatedNoise& noise)
    : points_(quiet_points()), noise_(noise) {}

void SimulatedEngine::begin(const Scenario& scenario) {
  random_.seed(noise_.seed);
  now_s_ = 0;
  bursts_ = scenario.bursts;
  in_burst_ = false;
  burst_change_s_ = kBurstSeconds;
  spell_ = 1;
  spell_change_s_ = 0;
}

void SimulatedEngine::wait_until(double time_s) { now_s_ = std::max(now_s_, time_s); }

void SimulatedEngine::follow_time() {
  while (noise_.spells && now_s_ >= spell_change_s_) {
    spell_ = kSpells[random_() % kSpells.size()];
    spell_change_s_ -= kSpellSeconds * std::log(uniform(random_));
  }
  while (bursts_ && now_s_ >= burst_change_s_) {
    in_burst_ = !in_burst_;
    burst_change_s_ += 2 * kBurstSeconds * uniform(random_);
  }
}

Answer SimulatedEngine::run(std::size_t point, std::size_t /*request*/, double slowdown) {
  follow_time();
  const OperatingPoint& its = points_[point];
  const double jitter = in_burst_ ? kBurstJitter : kJitter;
  Answer answer;
  answer.latency_us = its.latency_p50_us * slowdown * spell_ * (in_burst_ ? kBurstSlowdown : 1) *
                      std::exp(jitter * normal(random_));
  if (uniform(random_) < kHiccupShare) answer.latency_us += kHiccupUs;
  answer.energy_uj = its.energy_uj * std::exp(kEnergyJitter * normal(random_));
  answer.right = uniform(random_) < its.accuracy;
  now_s_ += 1e-6 * answer.latency_us;
  return answer;
}

}  // namespace bellows::control
