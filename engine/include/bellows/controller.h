// Which operating point to run next, so that limits of time, energy and accuracy are kept.
//
//   bellows::Controller controller(points, {.max_latency_us = 1000, .min_accuracy = 0.8});
//   const bellows::Decision next = controller.decide(now_s);
//   session.run(image, next.width);
//   controller.observe({.point = next.point, .latency_us = took_us, .now_s = now_s});
//
// It has no clock and no randomness: it is told the time, and the same calls give the same
// decisions. docs/targets.md explains how it decides.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <vector>

#include <bellows/error.h>
#include <bellows/operating_point.h>

namespace bellows {

namespace internal {
class ControllerState;
}  // namespace internal

/// What to do within the limits.
enum class Objective {
  kMostAccurate = 0,  ///< the highest accuracy; of equals the least energy, then the quickest
  kCheapest = 1,      ///< the least energy, or the quickest where a point's energy is not known; of
                      ///< equals the most accurate
};

/// A store of energy, such as a battery, that must last.
struct EnergyLeft {
  double joules = 0;         ///< in it now
  double until_s = 0;        ///< when it may be empty, on the clock of `decide`
  double other_power_w = 0;  ///< what drains it besides inferences, such as the idle device
};

/// Limits; those that are not set do not count. All of one image at a time.
struct Targets {
  std::optional<double> max_latency_us = {};  ///< at `latency_percentile`
  int latency_percentile = 99;                ///< 50, 95 or 99: so many of 100 keep to it
  std::optional<double> max_energy_uj = {};   ///< expected of each inference
  /// Average that inferences draw over time, their pauses included. What the device draws anyway
  /// counts as far as it is part of the points' energies and of the readings.
  std::optional<double> max_power_w = {};
  /// Over any time, max_power_w is exceeded by at most what it gives in this one.
  double power_window_s = 10;
  std::optional<EnergyLeft> energy_left = {};
  std::optional<double> min_accuracy = {};  ///< share of right answers, 0..1
  Objective objective = Objective::kMostAccurate;
};

/// The limits, in the order in which they are kept where not all can be.
enum class Limit {
  kNone = 0,
  kDeadline = 1,    ///< of one request
  kLatency = 2,     ///< Targets::max_latency_us
  kEnergy = 3,      ///< Targets::max_energy_uj
  kPower = 4,       ///< Targets::max_power_w
  kEnergyLeft = 5,  ///< Targets::energy_left
  kAccuracy = 6,    ///< Targets::min_accuracy
};

struct ControllerOptions {
  /// Requests between a switch and the next that only improves: one that is needed to keep a limit
  /// is made at once. Doubles up to `max_dwell` while slower points turn out too slow.
  int min_dwell = 8;
  int max_dwell = 1024;
  /// A slower or dearer point is begun only where this share of a limit would stay free, 0..1, so
  /// that scatter does not lead to and fro.
  double margin = 0.05;
};

/// What to run for the next request.
struct Decision {
  std::size_t point = 0;  ///< index into the points
  int width = 1;          ///< of that point
  int threads = 1;        ///< of that point
  /// Of a point with a policy: what decides where this request stops, of a mixture the part that
  /// has the turn. The controller's; valid as long as it lives. Null: run `width`.
  const Policy* policy = nullptr;
  bool feasible = true;  ///< whether it is expected to keep all limits
  /// The first limit in their order that no point keeps along with those before it. The point is
  /// then the one that comes nearest to that limit and keeps those before it. For the requests of a
  /// dwell it may be one that another point keeps, to which it is too early to switch.
  Limit failing = Limit::kNone;
};

/// What came out of one request.
struct Reading {
  std::size_t point = 0;                 ///< what was run
  double latency_us = 0;                 ///< more than 0
  std::optional<double> energy_uj = {};  ///< none: what was expected is taken for spent
  double now_s = 0;                      ///< when it was done
  int width = 0;                         ///< where a policy stopped; 0: the point has none
};

/// Targets, a profile and readings in; operating points out. `decide` and `observe` allocate
/// nothing and take well below a microsecond. Times are in seconds from any origin; one that lies
/// before the last is taken for the last. One thread at a time. After an Error everything is as it
/// was before the call. One that was moved from may only be destroyed or assigned to.
class BELLOWS_API Controller {
 public:
  /// `points`: what can be run, in any order. Throws Error(kInvalidArgument) naming the culprit: no
  /// points, two of the same width and threads without a policy, values that cannot be (accuracy
  /// outside 0..1, latencies that are not above 0 or that fall from p50 to p99, negative energy), a
  /// policy without stops, options out of range, and as set_targets does.
  explicit Controller(std::vector<OperatingPoint> points, const Targets& targets = {},
                      const ControllerOptions& options = {});
  ~Controller();
  Controller(const Controller&) = delete;
  Controller& operator=(const Controller&) = delete;
  Controller(Controller&&) noexcept;
  Controller& operator=(Controller&&) noexcept;

  /// From now on these. The next decision takes what is best for them, whenever the last switch
  /// was; what was learnt of speed and energy stays, and so does the share of power_window_s that
  /// is spent. With `energy_left`, its joules are what is left now: those of `targets()` are what
  /// they were when they were set. Throws Error(kInvalidArgument) naming the culprit: a limit that
  /// is not above 0 or no number, an accuracy above 1, a percentile other than 50, 95 and 99,
  /// energy left until a time that has passed, a limit of energy where a point's energy is not
  /// known.
  void set_targets(const Targets& targets, double now_s);

  /// What to run for the request that comes now. With `deadline_us`, this request must be answered
  /// within that time (at the percentile of the targets): if need be, a quicker point is taken for
  /// it alone, which is no switch. Throws Error(kInvalidArgument) for a deadline that is no number
  /// above 0, a time that is no number, and where the first time of all lies behind the end of the
  /// energy that the constructor was given: that end is on another clock.
  Decision decide(double now_s, std::optional<double> deadline_us = {});

  /// Tells what a request took. Throws Error(kInvalidArgument) for a point that is not there, or
  /// values that are no numbers, a latency that is not above 0, negative energy, or a width that is
  /// none of the stops of the point's policy.
  void observe(const Reading& reading);

  /// Tells what is left in the store of Targets::energy_left, read from it. What it has lost beyond
  /// the inferences' own energy, since the first reading or the last that rose (it was charged), is
  /// expected to go on instead of `other_power_w`, as soon as a hundredth of the time is over.
  /// Throws Error(kInvalidArgument) where the targets have no such store, or the value is negative
  /// or no number.
  void energy_left(double joules, double now_s);

  /// What is expected of a point now: its profile, corrected by what was observed. Latency is that
  /// at the percentile of the targets. Energy is 0 where the point's is not known. Throws
  /// Error(kInvalidArgument) for a point that is not there.
  [[nodiscard]] double expected_latency_us(std::size_t point) const;
  [[nodiscard]] double expected_energy_uj(std::size_t point) const;

  /// How often the point has changed since the first decision.
  [[nodiscard]] long switches() const;

  [[nodiscard]] const std::vector<OperatingPoint>& points() const;
  [[nodiscard]] const Targets& targets() const;

 private:
  std::unique_ptr<internal::ControllerState> state_;
};

/// "latency", "energy left", ...: for messages.
BELLOWS_API const char* limit_name(Limit limit);

}  // namespace bellows
