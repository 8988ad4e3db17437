// An engine in virtual time whose latencies scatter as those of a shared machine do.
#pragma once

#include <cstdint>
#include <random>
#include <vector>

#include "bench/control/replay.h"

namespace bellows::control {

/// What the simulation needs of a model: width, accuracy, median latency and energy of each point;
/// its percentiles are those of the noise below.
std::vector<OperatingPoint> simulated_points();

/// Latencies are the points' medians times log-normal noise of 5 %, with a hiccup of 20 ms in one
/// of 500 requests; in a burst of other work they double and scatter by 20 %. Energy scatters by
/// 2 %. The same seed gives the same run.
class SimulatedEngine : public Engine {
 public:
  SimulatedEngine(const std::vector<OperatingPoint>& points, std::uint64_t seed);

  void begin(const Scenario& scenario) override;
  double now_s() override { return now_s_; }
  void wait_until(double time_s) override;
  Answer run(std::size_t point, std::size_t request, double slowdown) override;
  [[nodiscard]] double burst_slowdown() override;

 private:
  std::vector<OperatingPoint> points_;
  std::uint64_t seed_;
  std::mt19937_64 random_;
  double now_s_ = 0;
  bool bursts_ = false;
  bool in_burst_ = false;
  double burst_change_s_ = 0;  // when a burst begins or ends
};

}  // namespace bellows::control
