// The real engine on real images, with a clock that runs.
#pragma once

#include <bellows/bellows.h>

#include <chrono>
#include <cstdint>
#include <memory>
#include <vector>

#include "bench/control/replay.h"
#include "training/data/dataset.h"

namespace bellows::control {

/// From now on the calling thread goes before all threads of ordinary priority, so that other
/// programs on the machine do not take its core; threads that it makes are ordinary ones. Throws
/// Error(kUnsupported) where the system does not permit it.
void take_real_time_priority();

/// Threads that keep all cores busy in bursts while it lives.
class Spinners {
 public:
  explicit Spinners(int threads);
  ~Spinners();
  Spinners(const Spinners&) = delete;
  Spinners& operator=(const Spinners&) = delete;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// Images in memory as sessions take them.
class Images {
 public:
  explicit Images(const Dataset& dataset);
  [[nodiscard]] std::size_t size() const { return labels_.size(); }
  [[nodiscard]] std::span<const float> image(std::size_t index) const {
    return std::span(values_).subspan(index * elements_, elements_);
  }
  [[nodiscard]] int label(std::size_t index) const { return labels_[index]; }

 private:
  std::size_t elements_;
  std::vector<float> values_;
  std::vector<int> labels_;
};

/// Each width of a model on one thread: accuracy on `images`, percentiles of latency over `runs`
/// runs in which the widths take turns with pauses as those of the scenarios (after a pause caches
/// are cold and clocks low), energy by a table of 5 pJ for a multiply-accumulate.
std::vector<OperatingPoint> measured_points(const Model& model, const Dataset& dataset, int runs);

/// Runs a session on one thread. Where a scenario says that the device is slower, the answer is
/// held back until it would have been there, and the latency includes that.
class SessionEngine : public Engine {
 public:
  SessionEngine(const Model& model, const std::vector<OperatingPoint>& points,
                const Images& images);

  void begin(const Scenario& scenario) override;
  double now_s() override;
  void wait_until(double time_s) override;
  Answer run(std::size_t point, std::size_t request, double slowdown) override;

 private:
  using Clock = std::chrono::steady_clock;

  std::vector<OperatingPoint> points_;
  const Images& images_;
  Session session_;
  Clock::time_point start_;
  std::unique_ptr<Spinners> spinners_;
};

/// How well `Session::run_until` keeps deadlines while other work takes the cores in bursts.
struct DeadlineOutcome {
  std::size_t requests = 0;
  std::size_t refused = 0;  ///< not even width 1 fitted
  double mean_width = 0;
  std::size_t late = 0;
  double worst_late_us = 0;
  /// Late by more than this thread was kept off its core meanwhile, which no choice of width helps
  /// against.
  std::size_t late_by_itself = 0;
  double worst_late_by_itself_us = 0;
  std::size_t late_by_a_group = 0;  ///< of these, by more than the scatter of one group
  /// Of the last group that fits into the deadline, on its core and under the same bursts: its
  /// median time, and how much longer its longest run took.
  double group_us = 0;
  double group_scatter_us = 0;
};
/// Requests come one and a half deadlines apart.
DeadlineOutcome run_until_under_bursts(const Model& model, const Images& images, double deadline_us,
                                       std::size_t requests);

}  // namespace bellows::control
