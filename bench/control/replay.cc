#include "bench/control/replay.h"

#include <algorithm>
#include <limits>
#include <optional>
#include <utility>

namespace bellows::control {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kJoules = 1e-6;  // in a microjoule

// How often the battery is asked what is left.
constexpr std::size_t kRequestsPerGauge = 100;

// An answer, and when it was there.
struct Recorded {
  Answer answer;
  double now_s = 0;
};

// What holds at a request.
struct Moment {
  std::size_t request = 0;
  Targets targets = {};
  bool targets_new = false;
  double slowdown = 1;
  std::size_t changed_at = 0;  // the request of the last change of targets or speed
};

// Goes from request to request.
class Moments {
 public:
  explicit Moments(const Scenario& scenario) : scenario_(scenario) {}

  const Moment& at(std::size_t request) {
    moment_.request = request;
    moment_.targets_new =
        next_ < scenario_.targets.size() && scenario_.targets[next_].first == request;
    if (moment_.targets_new) {
      moment_.targets = scenario_.targets[next_++].second;
      moment_.changed_at = request;
    }
    const double slowdown = slowdown_at(scenario_, request);
    if (slowdown != moment_.slowdown) {
      moment_.slowdown = slowdown;
      moment_.changed_at = request;
    }
    return moment_;
  }

 private:
  const Scenario& scenario_;
  Moment moment_;
  std::size_t next_ = 0;
};

// Adds up what came of one that picks points, until its battery is empty.
class Tally {
 public:
  Tally(std::string policy, const Scenario& scenario, const std::vector<OperatingPoint>& points)
      : scenario_(scenario), points_(points), battery_j_(scenario.battery_j) {
    outcome_.policy = std::move(policy);
    outcome_.decisions.reserve(scenario.requests);
  }

  [[nodiscard]] bool ended() const { return scenario_.battery_j > 0 && battery_j_ <= 0; }
  [[nodiscard]] double battery_j() const { return battery_j_; }

  void add(const Moment& moment, const Decision& decision, const Recorded& recorded) {
    if (ended()) return;
    if (!outcome_.decisions.empty() && outcome_.decisions.back().point != decision.point) {
      ++outcome_.switches;
    }
    outcome_.decisions.push_back(decision);
    const Answer& answer = recorded.answer;
    if (moment.request >= moment.changed_at + kAdaptation) {
      ++outcome_.counted;
      if (answer.latency_us > moment.targets.max_latency_us.value_or(kInfinity)) ++outcome_.late;
    }
    outcome_.accuracy += points_[decision.point].accuracy;
    outcome_.energy_uj += answer.energy_uj;
    outcome_.right += answer.right ? 1 : 0;
    battery_j_ -= answer.energy_uj * kJoules + scenario_.other_power_w * (recorded.now_s - last_s_);
    last_s_ = recorded.now_s;
  }

  Outcome finished() {
    const auto answered = static_cast<double>(outcome_.decisions.size());
    outcome_.accuracy /= answered;
    outcome_.energy_uj /= answered;
    outcome_.right /= answered;
    if (scenario_.battery_j > 0) {
      const double end_s = static_cast<double>(scenario_.requests) * scenario_.period_s;
      outcome_.battery_end =
          last_s_ / end_s * scenario_.battery_j / (scenario_.battery_j - battery_j_);
    }
    return std::move(outcome_);
  }

 private:
  const Scenario& scenario_;
  const std::vector<OperatingPoint>& points_;
  Outcome outcome_;
  double battery_j_;
  double last_s_ = 0;
};

// Answers at every point, [point][request], and what is best to make of them.
class Oracle {
 public:
  Oracle(const Scenario& scenario, const std::vector<OperatingPoint>& points,
         const std::vector<std::vector<Recorded>>& recorded)
      : scenario_(scenario), points_(points), recorded_(recorded) {
    if (scenario.battery_j > 0) mix();
  }

  Decision decide(const Moment& moment) {
    if (scenario_.battery_j > 0) {
      owed_ += dear_share_;
      const bool dear = owed_ >= 1;
      if (dear) owed_ -= 1;
      const std::size_t point = dear ? dear_ : cheap_;
      return {.point = point, .width = points_[point].width};
    }
    return best(moment);
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

  // Of what a point took around a request, at one speed of the device.
  double percentile_us(std::size_t point, const Moment& moment) {
    const std::vector<Recorded>& all = recorded_[point];
    const auto same_speed = [&](std::size_t request) {
      return slowdown_at(scenario_, request) == moment.slowdown;
    };
    std::size_t begin = moment.request;
    while (begin > 0 && moment.request - begin < kHindsight && same_speed(begin - 1)) --begin;
    std::size_t end = moment.request + 1;
    while (end < all.size() && end - moment.request <= kHindsight && same_speed(end)) ++end;
    around_.clear();
    for (std::size_t i = begin; i < end; ++i) around_.push_back(all[i].answer.latency_us);
    const std::size_t slower =
        around_.size() * static_cast<std::size_t>(100 - moment.targets.latency_percentile) / 100;
    const auto at = around_.end() - static_cast<std::ptrdiff_t>(slower) - 1;
    std::ranges::nth_element(around_, at);
    return *at;
  }

  // Of all subsets of limits kept in their order, the longest; of the points that keep them, the
  // best by the objective, or the nearest to the first that fails.
  Decision best(const Moment& moment) {
    const Targets& targets = moment.targets;
    std::vector<std::size_t> left(points_.size());
    for (std::size_t i = 0; i < left.size(); ++i) left[i] = i;
    Limit failing = Limit::kNone;
    const auto keep = [&](Limit limit, std::optional<double> most, auto value) {
      if (!most || failing != Limit::kNone) return;
      std::vector<std::size_t> kept;
      for (const std::size_t i : left) {
        if (value(i) <= *most) kept.push_back(i);
      }
      if (kept.empty()) {
        failing = limit;
        kept = {*std::ranges::min_element(left, {}, value)};
      }
      left = kept;
    };
    keep(Limit::kLatency, targets.max_latency_us,
         [&](std::size_t i) { return percentile_us(i, moment); });
    keep(Limit::kEnergy, targets.max_energy_uj,
         [&](std::size_t i) { return points_[i].energy_uj; });
    const std::optional<double> least = targets.min_accuracy;
    keep(Limit::kAccuracy, least ? std::optional(-*least) : std::nullopt,
         [&](std::size_t i) { return -points_[i].accuracy; });
    const auto worth = [&](std::size_t i) {
      return targets.objective == Objective::kCheapest ? -points_[i].energy_uj
                                                       : points_[i].accuracy;
    };
    const std::size_t point = *std::ranges::max_element(left, {}, worth);
    return {.point = point,
            .width = points_[point].width,
            .feasible = failing == Limit::kNone,
            .failing = failing};
  }

  const Scenario& scenario_;
  const std::vector<OperatingPoint>& points_;
  const std::vector<std::vector<Recorded>>& recorded_;
  std::vector<double> around_;
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

std::vector<Outcome> replay(const Scenario& scenario, const std::vector<OperatingPoint>& points,
                            Engine& engine) {
  Controller controller(points);
  Tally of_controller("controller", scenario, points);
  std::vector<Tally> of_points;
  of_points.reserve(points.size());
  std::vector<std::vector<Recorded>> recorded(points.size());
  for (const OperatingPoint& point : points) {
    of_points.emplace_back("width " + std::to_string(point.width), scenario, points);
  }

  const auto answer_by_controller = [&](const Moment& moment) {
    const double begin_s = engine.now_s();
    if (moment.targets_new) controller.set_targets(moment.targets, begin_s);
    if (of_controller.ended()) return;
    if (scenario.battery_j > 0 && moment.request % kRequestsPerGauge == 0) {
      controller.energy_left(of_controller.battery_j(), begin_s);
    }
    const Decision decision = controller.decide(begin_s);
    const Answer answer = engine.run(decision.point, moment.request, moment.slowdown);
    const double now_s = engine.now_s();
    controller.observe({.point = decision.point,
                        .latency_us = answer.latency_us,
                        .energy_uj = answer.energy_uj,
                        .now_s = now_s});
    of_controller.add(moment, decision, {.answer = answer, .now_s = now_s});
  };

  engine.begin(scenario);
  Moments moments(scenario);
  for (std::size_t i = 0; i < scenario.requests; ++i) {
    engine.wait_until(static_cast<double>(i) * scenario.period_s);
    const Moment& moment = moments.at(i);
    for (std::size_t turn = 0; turn <= points.size(); ++turn) {
      const std::size_t whose = (i + turn) % (points.size() + 1);
      if (whose == points.size()) {
        answer_by_controller(moment);
        continue;
      }
      const Answer answer = engine.run(whose, i, moment.slowdown);
      recorded[whose].push_back({.answer = answer, .now_s = engine.now_s()});
      of_points[whose].add(moment, {.point = whose, .width = points[whose].width},
                           recorded[whose].back());
    }
  }

  Tally of_oracle("oracle", scenario, points);
  Oracle oracle(scenario, points, recorded);
  Moments again(scenario);
  for (std::size_t i = 0; i < scenario.requests; ++i) {
    const Moment& moment = again.at(i);
    const Decision decision = oracle.decide(moment);
    of_oracle.add(moment, decision, recorded[decision.point][i]);
  }

  std::vector<Outcome> outcomes = {of_controller.finished(), of_oracle.finished()};
  for (Tally& tally : of_points) outcomes.push_back(tally.finished());
  return outcomes;
}

}  // namespace bellows::control
