// An engine in virtual time whose latencies scatter as those of a shared machine do.
#pragma once

#include <cstdint>
#include <random>
#include <vector>

#include "bench/control/replay.h"

namespace bellows::control {

/// What disturbs the simulated machine.
struct SimulatedNoise {
  std::uint64_t seed = 1;
  /// Neighbours on shared cores make all runs take 0.7, 1.05 or 1.3 times as long, for a second on
  /// average.
  bool spells = false;
};

/// Latencies scatter by log-normal noise of 5 %, with a hiccup of 20 ms in one of 500 requests; in
/// a burst of other work they double and scatter by 20 %. Energy scatters by 2 %. The same seed
/// gives the same run.
class SimulatedEngine : public Engine {
 public:
  explicit SimulatedEngine(const SimulatedNoise& noise);

  void begin(const Scenario& scenario) override;
  double now_s() override { return now_s_; }
  void wait_until(double time_s) override;
  Answer run(std::size_t point, std::size_t request, double slowdown) override;

 private:
  void follow_time();

  std::vector<OperatingPoint> points_;
  SimulatedNoise noise_;
  std::mt19937_64 random_;
  double now_s_ = 0;
  bool bursts_ = false;
  bool in_burst_ = false;
  double burst_change_s_ = 0;  // when a burst begins or ends
  double spell_ = 1;           // how slow the neighbours make it
  double spell_change_s_ = 0;
};

/// The engine's widths, with latencies as a profile would find them.
std::vector<OperatingPoint> simulated_points(const SimulatedNoise& noise);

}  // namespace bellows::control
