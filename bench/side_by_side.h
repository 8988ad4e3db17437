// Comparing two pieces of work on a machine that is never quiet: they take turns, so that whatever
// disturbs one disturbs the other, and medians are compared.
#pragma once

#include <benchmark/benchmark.h>

#include <functional>
#include <vector>

namespace bellows::bench {

/// Keeps the calling thread on the core it is on, until destroyed.
class OneCore {
 public:
  OneCore();
  ~OneCore();
  OneCore(const OneCore&) = delete;
  OneCore& operator=(const OneCore&) = delete;

 private:
  std::vector<unsigned long> before_;
};

/// Median; sorts its argument. REQUIRES: not empty.
double median(std::vector<double>& values);

/// What time is taken by.
enum class Clock {
  kWall,
  kThread,  ///< processor time of the calling thread: other programs hardly lengthen it, but work
            ///< that is given to other threads is not seen
};

/// Mean time of `runs` runs, one after another.
double seconds_of(const std::function<void()>& run, int runs, Clock clock = Clock::kWall);

struct Contender {
  std::function<void()> run;
  std::vector<double> seconds = {};  ///< of one run, one entry a turn
};

/// Runs the benchmark's loop: in every iteration each contender has a turn of enough runs to last
/// about a millisecond, the first of them untimed (unless runs are long) because it finds the
/// others' data in the caches. Reports the time of one run of the first contender to `state`.
void take_turns(benchmark::State& state, std::vector<Contender>& contenders,
                Clock clock = Clock::kWall);

}  // namespace bellows::bench
