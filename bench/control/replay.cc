#include "bench/control/replay.h"

#include <algorithm>
#include <limits>

namespace bellows::control {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kJoules = 1e-6;  // in a microjoule

// How often the battery is asked what is left.
constexpr std::size_t kRequestsPerGauge = 100;

double percentile_us(const OperatingPoint& point, int percentile) {
  if (percentile == 50) return point.latency_p50_us;
  return percentile == 95 ? point.latency_p95_us : point.latency_p99_us;
}

class ControllerPolicy : public Policy {
 public:
  explicit ControllerPolicy(const std::vector<OperatingPoint>& points) : controller_(points) {}
  [[nodiscard]] std::string name() const override { return "controller"; }
  void set_targets(const Targets& targets, double now_s) override {
    controller_.set_targets(targets, now_s);
  }
  Decision decide(double now_s, double /*slowdown*/) override { return controller_.decide(now_s); }
  void observe(const Reading& reading) override { controller_.observe(reading); }
  void battery(double joules, double now_s) override { controller_.energy_left(joules, now_s); }

 private:
  Controller controller_;
};

class FixedPolicy : public Policy {
 public:
  FixedPolicy(const OperatingPoint& point, std::size_t index)
      : width_(point.width), decision_{.point = index, .width = width_} {}
  [[nodiscard]] std::string name() const override { return "width " + std::to_string(width_); }
  Decision decide(double /*now_s*/, double /*slowdown*/) override { return decision_; }

 private:
  int width_;
  Decision decision_;
};

class OraclePolicy : public Policy {
 public:
  OraclePolicy(const std::vector<OperatingPoint>& points, const Scenario& scenario)
      : points_(points), scenario_(scenario) {
    if (scenario.battery_j > 0) mix();
  }
  [[nodiscard]] std::string name() const override { return "oracle"; }
  void set_targets(const Targets& targets, double /*now_s*/) override { targets_ = targets; }

  Decision decide(double /*now_s*/, double slowdown) override {
    if (scenario_.battery_j > 0) {
      owed_ += dear_share_;
      const bool dear = owed_ >= 1;
      if (dear) owed_ -= 1;
      const std::size_t point = dear ? dear_ : cheap_;
      return {.point = point, .width = points_[point].width};
    }
    return best(slowdown);
  }

 private:
  // The most accurate mixture whose mean energy the battery can pay; every pair is tried.
  void mix() {
    const double seconds = static_cast<double>(scenario_.requests) * scenario_.period_s;
    const double joules = scenario_.battery_j - scenario_.other_power_w * seconds;
    const double energy_uj = joules / kJoules / static_cast<double>(scenario_.requests);
    double best = -1;
    for (std::size_t cheap = 0; cheap < points_.size(); ++cheap) {
      for (std::size_t dear = 0; dear < points_.size(); ++dear) {
        const double least = points_[cheap].energy_uj;
        const double most = points_[dear].energy_uj;
        if (least > energy_uj || most < least) continue;
        const double share =
            most == least ? 0 : std::min(1.0, (energy_uj - least) / (most - least));
        const double accuracy =
            (1 - share) * points_[cheap].accuracy + share * points_[dear].accuracy;
        if (accuracy <= best) continue;
        best = accuracy;
        cheap_ = cheap;
        dear_ = dear;
        dear_share_ = share;
      }
    }
  }

  // Of all subsets of limits kept in their order, the longest; of the points that keep them, the
  // best by the objective, or the nearest to the first that fails.
  [[nodiscard]] Decision best(double slowdown) const {
    std::vector<std::size_t> left(points_.size());
    for (std::size_t i = 0; i < left.size(); ++i) left[i] = i;
    Limit failing = Limit::kNone;
    const auto keep = [&](Limit limit, std::optional<double> most, auto value) {
      if (!most || failing != Limit::kNone) return;
      std::vector<std::size_t> kept;
      for (const std::size_t i : left) {
        if (value(points_[i]) <= *most) kept.push_back(i);
      }
      if (kept.empty()) {
        failing = limit;
        kept = {
            *std::ranges::min_element(left, {}, [&](std::size_t i) { return value(points_[i]); })};
      }
      left = kept;
    };
    keep(Limit::kLatency, targets_.max_latency_us, [&](const OperatingPoint& point) {
      return slowdown * percentile_us(point, targets_.latency_percentile);
    });
    keep(Limit::kEnergy, targets_.max_energy_uj,
         [](const OperatingPoint& point) { return point.energy_uj; });
    const std::optional<double> least = targets_.min_accuracy;
    keep(Limit::kAccuracy, least ? std::optional(-*least) : std::nullopt,
         [](const OperatingPoint& point) { return -point.accuracy; });
    const auto worth = [&](std::size_t i) {
      return targets_.objective == Objective::kCheapest ? -points_[i].energy_uj
                                                        : points_[i].accuracy;
    };
    const std::size_t point = *std::ranges::max_element(left, {}, worth);
    return {.point = point,
            .width = points_[point].width,
            .feasible = failing == Limit::kNone,
            .failing = failing};
  }

  std::vector<OperatingPoint> points_;
  Scenario scenario_;
  Targets targets_;
  std::size_t cheap_ = 0;
  std::size_t dear_ = 0;
  double dear_share_ = 0;
  double owed_ = 0;
};

}  // namespace

double slowdown_at(const Scenario& scenario, std::size_t request) {
  double slowdown = 1;
  for (const auto& [from, factor] : scenario.slowdown) {
    if (from <= request) slowdown = factor;
  }
  return slowdown;
}

std::unique_ptr<Policy> controller_policy(const std::vector<OperatingPoint>& points) {
  return std::make_unique<ControllerPolicy>(points);
}

std::unique_ptr<Policy> fixed_policy(const std::vector<OperatingPoint>& points, std::size_t point) {
  return std::make_unique<FixedPolicy>(points[point], point);
}

std::unique_ptr<Policy> oracle_policy(const std::vector<OperatingPoint>& points,
                                      const Scenario& scenario) {
  return std::make_unique<OraclePolicy>(points, scenario);
}

Outcome replay(const Scenario& scenario, const std::vector<OperatingPoint>& points, Engine& engine,
               Policy& policy) {
  Outcome outcome{.policy = policy.name()};
  outcome.decisions.reserve(scenario.requests);
  const double end_s = static_cast<double>(scenario.requests) * scenario.period_s;
  double battery_j = scenario.battery_j;
  double last_s = 0;
  double limit_us = kInfinity;
  double right = 0;
  std::size_t next_targets = 0;
  std::size_t changed_at = 0;
  double slowdown = 1;
  engine.begin(scenario);
  for (std::size_t i = 0; i < scenario.requests; ++i) {
    engine.wait_until(static_cast<double>(i) * scenario.period_s);
    const double begin_s = engine.now_s();
    if (next_targets < scenario.targets.size() && scenario.targets[next_targets].first == i) {
      const Targets& targets = scenario.targets[next_targets++].second;
      policy.set_targets(targets, begin_s);
      limit_us = targets.max_latency_us.value_or(kInfinity);
      changed_at = i;
    }
    if (slowdown_at(scenario, i) != slowdown) {
      slowdown = slowdown_at(scenario, i);
      changed_at = i;
    }
    if (scenario.battery_j > 0 && i % kRequestsPerGauge == 0) policy.battery(battery_j, begin_s);

    const Decision decision = policy.decide(begin_s, slowdown * engine.burst_slowdown());
    const Answer answer = engine.run(decision.point, i, slowdown);
    const double now_s = engine.now_s();
    policy.observe({.point = decision.point,
                    .latency_us = answer.latency_us,
                    .energy_uj = answer.energy_uj,
                    .now_s = now_s});

    if (!outcome.decisions.empty() && outcome.decisions.back().point != decision.point) {
      ++outcome.switches;
    }
    outcome.decisions.push_back(decision);
    if (i >= changed_at + kAdaptation) {
      ++outcome.counted;
      if (answer.latency_us > limit_us) ++outcome.late;
    }
    outcome.accuracy += points[decision.point].accuracy;
    outcome.energy_uj += answer.energy_uj;
    right += answer.right ? 1 : 0;
    battery_j -= answer.energy_uj * kJoules + scenario.other_power_w * (now_s - last_s);
    last_s = now_s;
    if (scenario.battery_j > 0 && battery_j <= 0) break;
  }
  const auto answered = static_cast<double>(outcome.decisions.size());
  outcome.accuracy /= answered;
  outcome.energy_uj /= answered;
  outcome.right = right / answered;
  if (scenario.battery_j > 0) {
    outcome.battery_end = last_s / end_s * scenario.battery_j / (scenario.battery_j - battery_j);
  }
  return outcome;
}

}  // namespace bellows::control
