#include <bellows/controller.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <string>
#include <string_view>
#include <utility>

#include "engine/energy_budget.h"
#include "engine/number_text.h"
#include "engine/observed_scale.h"

namespace bellows {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kJoules = 1e-6;  // in a microjoule

// A dearer point is begun when a budget allows twice its energy, and kept until it allows half of
// it: the budget keeps the average, and few switches are made.
constexpr double kBudgetSlack = 2;

// A store's end must be met within this share of the time, so no more than it is overdrawn.
constexpr double kEndShare = 0.01;
// But the size of a budget is always so many of the dearest inferences.
constexpr double kLeastInferences = 8;

// What drains a store besides is learnt from readings that lie this share of its time apart.
constexpr double kGaugeShare = 0.01;

// Requests that the mean time between them is taken over.
constexpr double kIntervalRequests = 64;

// A slower point that has to be left within this many dwells was begun in vain.
constexpr long kTrialDwells = 4;

[[noreturn]] void refuse(const std::string& what, const std::string& fix) {
  throw Error(ErrorCode::kInvalidArgument, what + "; " + fix);
}

void check_time(double seconds, std::string_view name) {
  if (!std::isfinite(seconds)) refuse(std::string(name) + " is no number", "give seconds");
}

// Written so that a value that is no number fails as well.
void check_above_0(double value, std::string_view name) {
  if (!(value > 0 && value < kInfinity)) {
    refuse(std::string(name) + " is " + number_text(value), "it must be above 0");
  }
}

void check_not_negative(double value, std::string_view name) {
  if (!(value >= 0 && value < kInfinity)) {
    refuse(std::string(name) + " is " + number_text(value), "it must be 0 or more");
  }
}

void check_share(double value, std::string_view name) {
  if (!(value >= 0 && value <= 1)) {
    refuse(std::string(name) + " is " + number_text(value), "it must be a share from 0 to 1");
  }
}

std::string named(std::size_t index, const OperatingPoint& point) {
  return "operating point " + std::to_string(index) + " (" +
         (point.policy ? point.policy->text() : "width " + std::to_string(point.width)) + ", " +
         std::to_string(point.threads) + " threads)";
}

// What a point, or one of its stops, takes.
template <class Figures>
void check_figures(const Figures& figures, const std::string& name) {
  check_above_0(figures.latency_p50_us, "latency_p50_us of " + name);
  check_above_0(figures.latency_p95_us, "latency_p95_us of " + name);
  check_above_0(figures.latency_p99_us, "latency_p99_us of " + name);
  if (figures.latency_p95_us < figures.latency_p50_us ||
      figures.latency_p99_us < figures.latency_p95_us) {
    refuse("latencies of " + name + " fall from p50 to p99", "they must not");
  }
  check_not_negative(figures.energy_uj, "energy_uj of " + name);
}

void check_stops(const OperatingPoint& point, const std::string& name) {
  if (!point.policy) {
    if (!point.stops.empty()) refuse(name + " has stops and no policy", "give both or none");
    return;
  }
  if (point.width != point.policy->widest()) {
    refuse(name + " has width " + std::to_string(point.width),
           "it must be the widest of its policy, " + std::to_string(point.policy->widest()));
  }
  double shares = 0;
  std::vector<bool> known(static_cast<std::size_t>(point.width));
  for (const Stop& stop : point.stops) {
    const std::string of = "width " + std::to_string(stop.width) + " of " + name;
    if (stop.width < 1 || stop.width > point.width) refuse(of, "the policy has no such width");
    if (known[static_cast<std::size_t>(stop.width - 1)])
      refuse(of + " is there twice", "leave one out");
    known[static_cast<std::size_t>(stop.width - 1)] = true;
    check_share(stop.share, "share of " + of);
    check_figures(stop, of);
    shares += stop.share;
  }
  const auto missing = std::ranges::find(known, false);
  if (missing != known.end()) {
    refuse(name + " has no stop for width " + std::to_string(missing - known.begin() + 1),
           "give one for each width it may run, of share 0 where nothing stops");
  }
  constexpr double kTolerance = 1e-6;
  if (std::abs(shares - 1) > kTolerance) {
    refuse("shares of the stops of " + name + " sum up to " + number_text(shares),
           "they must to 1");
  }
}

std::vector<OperatingPoint> checked(std::vector<OperatingPoint> points) {
  if (points.empty()) refuse("there are no operating points", "give at least one");
  for (std::size_t i = 0; i < points.size(); ++i) {
    const OperatingPoint& point = points[i];
    const std::string name = named(i, point);
    if (point.width < 1 || point.threads < 1) refuse(name, "both must be at least 1");
    for (std::size_t other = 0; other < i && !point.policy; ++other) {
      if (points[other].width == point.width && points[other].threads == point.threads &&
          !points[other].policy) {
        refuse(name + " is there twice", "leave one out");
      }
    }
    check_share(point.accuracy, "accuracy of " + name);
    check_figures(point, name);
    check_stops(point, name);
  }
  return points;
}

ControllerOptions checked(const ControllerOptions& options) {
  if (options.min_dwell < 1) {
    refuse("min_dwell is " + std::to_string(options.min_dwell), "it must be at least 1");
  }
  if (options.max_dwell < options.min_dwell) {
    refuse("max_dwell is " + std::to_string(options.max_dwell),
           "it must not be below min_dwell, " + std::to_string(options.min_dwell));
  }
  if (!(options.margin >= 0 && options.margin < 1)) {
    refuse("margin is " + number_text(options.margin), "it must be from 0 to below 1");
  }
  return options;
}

void check(const Targets& targets, const std::vector<OperatingPoint>& points, double now_s) {
  if (targets.max_latency_us) check_above_0(*targets.max_latency_us, "max_latency_us");
  if (targets.latency_percentile != 50 && targets.latency_percentile != 95 &&
      targets.latency_percentile != 99) {
    refuse("latency_percentile is " + number_text(targets.latency_percentile),
           "it must be 50, 95 or 99");
  }
  if (targets.max_energy_uj) check_above_0(*targets.max_energy_uj, "max_energy_uj");
  if (targets.max_power_w) check_above_0(*targets.max_power_w, "max_power_w");
  check_above_0(targets.power_window_s, "power_window_s");
  if (targets.energy_left) {
    check_not_negative(targets.energy_left->joules, "energy_left.joules");
    check_not_negative(targets.energy_left->other_power_w, "energy_left.other_power_w");
    check_time(targets.energy_left->until_s, "energy_left.until_s");
    if (targets.energy_left->until_s <= now_s) {
      refuse("energy_left.until_s is " + number_text(targets.energy_left->until_s),
             "it must lie after now, " + number_text(now_s));
    }
  }
  if (targets.min_accuracy) check_share(*targets.min_accuracy, "min_accuracy");
  if (targets.max_energy_uj || targets.max_power_w || targets.energy_left) {
    for (std::size_t i = 0; i < points.size(); ++i) {
      if (points[i].energy_uj > 0) continue;
      refuse("the energy of " + named(i, points[i]) + " is not known",
             "limits of energy need a profile with energies");
    }
  }
}

}  // namespace

namespace internal {

class ControllerState {
 public:
  ControllerState(std::vector<OperatingPoint> points, const Targets& targets,
                  const ControllerOptions& options)
      : points_(checked(std::move(points))),
        options_(checked(options)),
        latency_scale_(points_.size()),
        energy_scale_(points_.size()),
        energy_known_(std::ranges::all_of(
            points_, [](const OperatingPoint& point) { return point.energy_uj > 0; })),
        left_(points_.size()),
        keeps_(points_.size()) {
    for (const OperatingPoint& point : points_) {
      first_run_.push_back(runs_.size());
      for (const Stop& stop : point.stops) runs_.push_back(stop);
      if (point.policy) continue;
      runs_.push_back({.width = point.width,
                       .latency_p50_us = point.latency_p50_us,
                       .latency_p95_us = point.latency_p95_us,
                       .latency_p99_us = point.latency_p99_us,
                       .energy_uj = point.energy_uj});
    }
    set_targets(targets, now_s_);
  }

  void set_targets(const Targets& targets, double now_s) {
    check(targets, points_, std::max(now_s, now_s_));
    advance(now_s);
    if (targets.latency_percentile != targets_.latency_percentile) {
      tail_ = ObservedTail(targets.latency_percentile);
      overall_ = ObservedTail(targets.latency_percentile);
    }
    targets_ = targets;
    if (targets.energy_left) {
      joules_left_ = targets.energy_left->joules;
      other_power_w_ = targets.energy_left->other_power_w;
    }
    first_store_reading_.reset();
    dwell_ = options_.min_dwell;
    fresh_ = true;
  }

  void advance(double now_s) {
    if (now_s_ == -kInfinity && targets_.energy_left && targets_.energy_left->until_s <= now_s) {
      refuse("energy_left.until_s is " + number_text(targets_.energy_left->until_s) +
                 ", the first request comes at " + number_text(now_s),
             "give it on the same clock");
    }
    const double seconds = now_s_ == -kInfinity ? 0 : std::max(0.0, now_s - now_s_);
    now_s_ = std::max(now_s_, now_s);
    if (targets_.max_power_w) {
      power_budget_.refill(*targets_.max_power_w, power_budget_j(), seconds);
    }
    if (targets_.energy_left) {
      store_budget_.refill(store_power_w(), store_budget_j(), seconds);
      joules_left_ = std::max(0.0, joules_left_ - other_power_w_ * seconds);
    }
  }

  Decision decide(std::optional<double> deadline_us) {
    note_request();
    Decision decision = lasting_decision();
    if (deadline_us && latency_now_us(decision.point) > *deadline_us) {
      decision = choose(bounds_of_targets(deadline_us), /*with_margin=*/false);
    }
    OperatingPoint& point = points_[decision.point];
    if (point.policy) {
      decision.policy = &point.policy->turn();
      decision.width = decision.policy->widest();
    }
    return decision;
  }

  void observe(const Reading& reading) {
    const std::size_t run = run_of(reading);
    const Stop& ran = runs_[run];
    latency_scale_.observe(reading.point, reading.latency_us / ran.latency_p50_us,
                           ran.latency_p99_us / ran.latency_p50_us, run);
    const ObservedScale::Middle middle = latency_scale_.middle();
    tail_.observe(middle.excess, profile_tail(runs_[middle.run]));
    overall_.observe(reading.latency_us / (ran.latency_p50_us * latency_scale_.own(reading.point)),
                     profile_tail(ran));
    const double energy_uj =
        reading.energy_uj.value_or(ran.energy_uj * energy_scale_.of(reading.point));
    if (reading.energy_uj && ran.energy_uj > 0 && *reading.energy_uj > 0) {
      energy_scale_.observe(reading.point, *reading.energy_uj / ran.energy_uj);
    }
    const double joules = energy_uj * kJoules;
    spent_j_ += joules;
    if (targets_.max_power_w) power_budget_.spend(power_budget_j(), joules);
    if (targets_.energy_left) {
      store_budget_.spend(store_budget_j(), joules);
      joules_left_ = std::max(0.0, joules_left_ - joules);
    }
  }

  // What a request ran, as an index into runs_. Throws where its point knows no such width.
  [[nodiscard]] std::size_t run_of(const Reading& reading) const {
    const OperatingPoint& point = points_[reading.point];
    const std::size_t first = first_run_[reading.point];
    if (!point.policy && (reading.width == 0 || reading.width == point.width)) return first;
    for (std::size_t i = 0; i < point.stops.size(); ++i) {
      if (point.stops[i].width == reading.width) return first + i;
    }
    refuse("width " + std::to_string(reading.width) + " was read of " + named(reading.point, point),
           point.policy ? "give the one at which its policy stopped" : "leave it 0");
  }

  void energy_left(double joules) {
    const bool charged = joules > last_store_j_;
    last_store_j_ = joules;
    joules_left_ = joules;
    if (!first_store_reading_ || charged) {
      first_store_reading_ = {.now_s = now_s_, .joules = joules, .spent_j = spent_j_};
      return;
    }
    const StoreReading& first = *first_store_reading_;
    // Gauges move in steps, so two close readings tell nothing of power.
    const double seconds = now_s_ - first.now_s;
    if (seconds <= 0 || seconds < kGaugeShare * (targets_.energy_left->until_s - first.now_s)) {
      return;
    }
    const double other_j = (first.joules - joules) - (spent_j_ - first.spent_j);
    other_power_w_ = std::max(0.0, other_j / (now_s_ - first.now_s));
  }

  // Of requests in general. What a spell of slowness adds is no more than the share of slow
  // requests over a long time shows: the profile's percentile knows such spells as well.
  [[nodiscard]] double latency_us(std::size_t point) const {
    const double now_us = latency_now_us(point);
    if (targets_.latency_percentile == 50 || overall_.beyond()) return now_us;
    return std::min(now_us, points_[point].latency_p50_us * latency_scale_.own(point) *
                                overall_.of(profile_tail(points_[point])));
  }

  // Of the request that comes now, at the present speed.
  [[nodiscard]] double latency_now_us(std::size_t point) const {
    return points_[point].latency_p50_us * latency_scale_.of(point) *
           tail_.of(profile_tail(points_[point]));
  }

  [[nodiscard]] double energy_uj(std::size_t point) const {
    return points_[point].energy_uj * energy_scale_.of(point);
  }

  [[nodiscard]] long switches() const { return switches_; }
  [[nodiscard]] const std::vector<OperatingPoint>& points() const { return points_; }
  [[nodiscard]] const Targets& targets() const { return targets_; }

 private:
  // A limit as numbers: what is limited must not be above `most`.
  struct Bound {
    Limit limit = Limit::kNone;
    double most = kInfinity;
    // Of a budget: what the point that runs may take (it is kept longer), what one that is dearer
    // (it is begun later), and what nothing may exceed.
    double slack = 1;
    double never_above = kInfinity;
  };
  struct Bounds {
    std::array<Bound, 6> items;
    std::size_t count = 0;
    void add(const Bound& bound) { items[count++] = bound; }
    [[nodiscard]] const Bound* begin() const { return items.data(); }
    [[nodiscard]] const Bound* end() const { return items.data() + count; }
  };
  struct StoreReading {
    double now_s = 0;
    double joules = 0;
    double spent_j = 0;
  };

  // Of a point or a stop.
  template <class Figures>
  [[nodiscard]] double profile_tail(const Figures& figures) const {
    if (targets_.latency_percentile == 50) return 1;
    const double slow =
        targets_.latency_percentile == 95 ? figures.latency_p95_us : figures.latency_p99_us;
    return slow / figures.latency_p50_us;
  }

  [[nodiscard]] double power_budget_j() const {
    return *targets_.max_power_w * targets_.power_window_s;
  }

  [[nodiscard]] double store_seconds() const { return targets_.energy_left->until_s - now_s_; }

  // What the store can give to inferences until its end.
  [[nodiscard]] double store_power_w() const {
    const double seconds = store_seconds();
    if (seconds <= 0 || now_s_ == -kInfinity) return 0;
    return std::max(0.0, joules_left_ / seconds - other_power_w_);
  }

  [[nodiscard]] double store_budget_j() const {
    double dearest_j = 0;
    for (std::size_t i = 0; i < points_.size(); ++i) {
      dearest_j = std::max(dearest_j, energy_uj(i) * kJoules);
    }
    const double seconds = std::clamp(kEndShare * store_seconds(), 0.0, targets_.power_window_s);
    return std::max(store_power_w() * seconds, kLeastInferences * dearest_j);
  }

  // The mean time between requests, of which the budgets know what each may take.
  void note_request() {
    if (last_request_s_ != -kInfinity) {
      ++intervals_;
      const double weight = 1 / std::min(kIntervalRequests, intervals_);
      interval_s_ += weight * (now_s_ - last_request_s_ - interval_s_);
    }
    last_request_s_ = now_s_;
  }

  [[nodiscard]] Bounds bounds_of_targets(std::optional<double> deadline_us) const {
    Bounds bounds;
    if (deadline_us) bounds.add({.limit = Limit::kDeadline, .most = *deadline_us});
    if (targets_.max_latency_us) {
      bounds.add({.limit = Limit::kLatency, .most = *targets_.max_latency_us});
    }
    if (targets_.max_energy_uj) {
      bounds.add({.limit = Limit::kEnergy, .most = *targets_.max_energy_uj});
    }
    const auto add_budget = [&](Limit limit, const EnergyBudget& budget, double power_w,
                                double size_j, double most_j) {
      bounds.add({.limit = limit,
                  .most = budget.allowed_j(power_w, size_j, interval_s_) / kJoules,
                  .slack = kBudgetSlack,
                  .never_above = std::min(budget.tokens_j(size_j), most_j) / kJoules});
    };
    if (targets_.max_power_w) {
      add_budget(Limit::kPower, power_budget_, *targets_.max_power_w, power_budget_j(), kInfinity);
    }
    // Afterwards there is nothing to save for.
    if (targets_.energy_left && store_seconds() > 0) {
      add_budget(Limit::kEnergyLeft, store_budget_, store_power_w(), store_budget_j(),
                 joules_left_);
    }
    if (targets_.min_accuracy) {
      bounds.add({.limit = Limit::kAccuracy, .most = -*targets_.min_accuracy});
    }
    return bounds;
  }

  // What a limit is about; less is better.
  [[nodiscard]] double value(std::size_t point, Limit limit) const {
    switch (limit) {
      case Limit::kDeadline:
        return latency_now_us(point);
      case Limit::kLatency:
        return latency_us(point);
      case Limit::kAccuracy:
        return -points_[point].accuracy;
      default:
        return energy_uj(point);
    }
  }

  [[nodiscard]] bool keeps(std::size_t point, const Bound& bound, bool with_margin) const {
    double most = bound.most;
    const double its = value(point, bound.limit);
    if (!fresh_ && bound.limit != Limit::kAccuracy) {
      if (point == current_) {
        most *= bound.slack;
      } else if (with_margin && its > value(current_, bound.limit)) {
        most *= (1 - options_.margin) / bound.slack;
      }
    }
    return its <= std::min(most, bound.never_above);
  }

  // Whether one point is to be preferred to another where both keep all limits.
  [[nodiscard]] bool better(std::size_t a, std::size_t b) const {
    const double accuracy_a = points_[a].accuracy;
    const double accuracy_b = points_[b].accuracy;
    const double cost_a = energy_known_ ? energy_uj(a) : latency_us(a);
    const double cost_b = energy_known_ ? energy_uj(b) : latency_us(b);
    if (targets_.objective == Objective::kMostAccurate) {
      if (accuracy_a != accuracy_b) return accuracy_a > accuracy_b;
      if (cost_a != cost_b) return cost_a < cost_b;
    } else {
      if (cost_a != cost_b) return cost_a < cost_b;
      if (accuracy_a != accuracy_b) return accuracy_a > accuracy_b;
    }
    return latency_us(a) < latency_us(b);
  }

  // Limit by limit, the points that do not keep it drop out. Where that leaves none, those stay
  // that come nearest to it, and the limits behind it do not count.
  Decision choose(const Bounds& bounds, bool with_margin) {
    std::ranges::fill(left_, true);
    Limit failing = Limit::kNone;
    for (const Bound& bound : bounds) {
      bool any = false;
      double nearest = kInfinity;
      for (std::size_t i = 0; i < left_.size(); ++i) {
        if (!left_[i]) continue;
        keeps_[i] = keeps(i, bound, with_margin);
        any = any || keeps_[i];
        nearest = std::min(nearest, value(i, bound.limit));
      }
      for (std::size_t i = 0; i < left_.size(); ++i) {
        left_[i] = left_[i] && (any ? keeps_[i] : value(i, bound.limit) == nearest);
      }
      if (!any) {
        failing = bound.limit;
        break;
      }
    }
    std::size_t best = points_.size();
    for (std::size_t i = 0; i < left_.size(); ++i) {
      if (left_[i] && (best == points_.size() || better(i, best))) best = i;
    }
    return decision(best, failing);
  }

  [[nodiscard]] Decision decision(std::size_t point, Limit failing) const {
    return {.point = point,
            .width = points_[point].width,
            .threads = points_[point].threads,
            .feasible = failing == Limit::kNone,
            .failing = failing};
  }

  // Deadlines of single requests aside.
  Decision lasting_decision() {
    const Bounds bounds = bounds_of_targets({});
    Decision wanted = choose(bounds, /*with_margin=*/true);
    if (!wanted.feasible) wanted = choose(bounds, /*with_margin=*/false);
    if (fresh_) {
      if (begun_ && wanted.point != current_) ++switches_;
      begun_ = true;
      fresh_ = false;
      current_ = wanted.point;
      requests_since_switch_ = 0;
      trial_ = false;
      return wanted;
    }
    ++requests_since_switch_;
    if (wanted.point == current_) return wanted;
    const Limit broken = broken_by_current(bounds);
    if (!urgent(wanted, broken) && requests_since_switch_ < dwell_) {
      return decision(current_, broken);
    }
    switch_to(wanted.point, broken);
    return wanted;
  }

  [[nodiscard]] Limit broken_by_current(const Bounds& bounds) const {
    for (const Bound& bound : bounds) {
      if (!keeps(current_, bound, /*with_margin=*/true)) return bound.limit;
    }
    return Limit::kNone;
  }

  // Whether a limit of time or energy is at stake, and not just an improvement.
  [[nodiscard]] bool urgent(const Decision& wanted, Limit broken) const {
    if (broken == Limit::kNone || broken == Limit::kAccuracy) return false;
    if (broken != wanted.failing) return true;
    // Neither keeps it: not for a trifle.
    return value(current_, broken) > (1 + options_.margin) * value(wanted.point, broken);
  }

  void switch_to(std::size_t point, Limit broken) {
    const bool slower = latency_us(point) > latency_us(current_);
    if (broken == Limit::kLatency && trial_) {
      const bool in_vain = requests_since_switch_ < kTrialDwells * dwell_;
      dwell_ = in_vain ? std::min<long>(2 * dwell_, options_.max_dwell) : options_.min_dwell;
    }
    trial_ = slower && (broken == Limit::kNone || broken == Limit::kAccuracy);
    current_ = point;
    requests_since_switch_ = 0;
    ++switches_;
  }

  std::vector<OperatingPoint> points_;
  // What a reading may be of: the stops of each point that has a policy, and every other point.
  std::vector<Stop> runs_ = {};
  std::vector<std::size_t> first_run_ = {};  // of each point
  ControllerOptions options_;
  Targets targets_;

  ObservedScale latency_scale_;
  ObservedScale energy_scale_;
  ObservedTail tail_{99};     // of readings by the typical ones around them
  ObservedTail overall_{99};  // of readings by the profile's median

  double now_s_ = -kInfinity;
  double last_request_s_ = -kInfinity;
  double interval_s_ = 0;
  double intervals_ = 0;

  EnergyBudget power_budget_;
  EnergyBudget store_budget_;
  double spent_j_ = 0;
  double joules_left_ = 0;
  double other_power_w_ = 0;
  std::optional<StoreReading> first_store_reading_;
  double last_store_j_ = 0;

  std::size_t current_ = 0;
  bool begun_ = false;
  bool fresh_ = true;   // the targets are new: what is best for them is taken at once
  bool trial_ = false;  // the last switch was to a slower point, because it seemed to be possible
  long dwell_ = 0;
  long requests_since_switch_ = 0;
  long switches_ = 0;
  bool energy_known_;  // of all points
  // While choosing: the points that are still left, and those that keep the limit looked at.
  std::vector<char> left_;
  std::vector<char> keeps_;
};

}  // namespace internal

Controller::Controller(std::vector<OperatingPoint> points, const Targets& targets,
                       const ControllerOptions& options)
    : state_(std::make_unique<internal::ControllerState>(std::move(points), targets, options)) {}

Controller::~Controller() = default;
Controller::Controller(Controller&&) noexcept = default;
Controller& Controller::operator=(Controller&&) noexcept = default;

void Controller::set_targets(const Targets& targets, double now_s) {
  check_time(now_s, "now_s");
  state_->set_targets(targets, now_s);
}

Decision Controller::decide(double now_s, std::optional<double> deadline_us) {
  check_time(now_s, "now_s");
  if (deadline_us) check_above_0(*deadline_us, "deadline_us");
  state_->advance(now_s);
  return state_->decide(deadline_us);
}

namespace {

void check_point(std::size_t point, const std::vector<OperatingPoint>& points) {
  if (point < points.size()) return;
  refuse("there is no operating point " + std::to_string(point),
         "the last is " + std::to_string(points.size() - 1));
}

}  // namespace

void Controller::observe(const Reading& reading) {
  check_point(reading.point, points());
  check_above_0(reading.latency_us, "latency_us");
  if (reading.energy_uj) check_not_negative(*reading.energy_uj, "energy_uj");
  check_time(reading.now_s, "now_s");
  static_cast<void>(state_->run_of(reading));  // refused before anything has changed
  state_->advance(reading.now_s);
  state_->observe(reading);
}

void Controller::energy_left(double joules, double now_s) {
  check_not_negative(joules, "the energy left");
  check_time(now_s, "now_s");
  if (!targets().energy_left) {
    refuse("the targets have no energy_left", "set it before telling what is left");
  }
  state_->advance(now_s);
  state_->energy_left(joules);
}

double Controller::expected_latency_us(std::size_t point) const {
  check_point(point, points());
  return state_->latency_us(point);
}

double Controller::expected_energy_uj(std::size_t point) const {
  check_point(point, points());
  return state_->energy_uj(point);
}

long Controller::switches() const { return state_->switches(); }
const std::vector<OperatingPoint>& Controller::points() const { return state_->points(); }
const Targets& Controller::targets() const { return state_->targets(); }

const char* limit_name(Limit limit) {
  switch (limit) {
    case Limit::kNone:
      return "none";
    case Limit::kDeadline:
      return "deadline";
    case Limit::kLatency:
      return "latency";
    case Limit::kEnergy:
      return "energy";
    case Limit::kPower:
      return "power";
    case Limit::kEnergyLeft:
      return "energy left";
    case Limit::kAccuracy:
      return "accuracy";
  }
  return "unknown";
}

}  // namespace bellows
