// Replaying a scenario: requests that come at given times under targets that change, answered by an
// engine at the operating points that the controller picks, and beside it at every point.
#pragma once

#include <bellows/controller.h>

#include <cstddef>
#include <string>
#include <utility>
#include <vector>

namespace bellows::control {

struct Scenario {
  std::string name;
  std::size_t requests = 0;
  double period_s = 0;  ///< from one request to the next, if the one before is answered by then
  /// Targets from a request on, in order; the first from request 0. Times in `energy_left` are
  /// since the beginning.
  std::vector<std::pair<std::size_t, Targets>> targets = {};
  /// How many times slower the device is from a request on, in order.
  std::vector<std::pair<std::size_t, double>> slowdown = {};
  bool bursts = false;       ///< other work takes the cores now and then
  double battery_j = 0;      ///< 0: runs from the mains
  double other_power_w = 0;  ///< that the battery loses besides
};

/// How many times slower than its profile the device is at a request.
double slowdown_at(const Scenario& scenario, std::size_t request);

struct Answer {
  double latency_us = 0;
  double energy_uj = 0;
  bool right = false;
};

/// What answers requests, with the clock that it lives by.
class Engine {
 public:
  virtual ~Engine() = default;
  /// Begins a scenario: afterwards the clock shows 0.
  virtual void begin(const Scenario& scenario) = 0;
  virtual double now_s() = 0;
  virtual void wait_until(double time_s) = 0;
  /// Answers a request, `slowdown` times slower than it does.
  virtual Answer run(std::size_t point, std::size_t request, double slowdown) = 0;
};

/// What came of a scenario for one that picks points.
struct Outcome {
  std::string policy;
  std::vector<Decision> decisions = {};  ///< of the requests that were answered, in order
  /// Requests more than kAdaptation after a change of targets or speed, and those of them that took
  /// longer than the limit of latency in force.
  std::size_t counted = 0;
  std::size_t late = 0;
  double accuracy = 0;       ///< mean of the points' accuracies
  double right = 0;          ///< share of right answers
  double energy_uj = 0;      ///< mean
  std::size_t switches = 0;  ///< changes of the point
  /// When the battery is empty, by the time that it has to last. What is left then lasts as long as
  /// the same share did before. 0 without a battery.
  double battery_end = 0;
};

/// Requests that one has to notice a change.
constexpr std::size_t kAdaptation = 10;
/// Requests before and after one that the oracle knows the latencies of.
constexpr std::size_t kHindsight = 256;

/// Every request is answered once by the controller's choice and once at every point, in an order
/// that rotates, so that all meet the same moments of the same machine. First of the outcomes is
/// the controller's, which knows nothing but the profile, targets and readings of its own. Second
/// is the oracle's: it knows what every point took in kHindsight requests before and after each
/// one, and takes the best point whose percentile there keeps the limits; for a battery the best
/// mixture of two points that lasts. Then each point's, in the order of `points`.
std::vector<Outcome> replay(const Scenario& scenario, const std::vector<OperatingPoint>& points,
                            Engine& engine);

}  // namespace bellows::control
