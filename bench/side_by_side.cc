#include "bench/side_by_side.h"

#include <sched.h>
#include <time.h>

#include <algorithm>
#include <cstring>

namespace bellows::bench {
namespace {

constexpr double kTurnSeconds = 1e-3;

double now(Clock clock) {
  timespec time{};
  clock_gettime(clock == Clock::kWall ? CLOCK_MONOTONIC : CLOCK_THREAD_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
}

}  // namespace

double seconds_of(const std::function<void()>& run, int runs, Clock clock) {
  const double start = now(clock);
  for (int i = 0; i < runs; ++i) run();
  return (now(clock) - start) / runs;
}

OneCore::OneCore() : before_(sizeof(cpu_set_t) / sizeof(unsigned long)) {
  cpu_set_t cores;
  if (sched_getaffinity(0, sizeof cores, &cores) != 0) {
    before_.clear();
    return;
  }
  std::memcpy(before_.data(), &cores, sizeof cores);
  const int here = sched_getcpu();
  CPU_ZERO(&cores);
  CPU_SET(static_cast<std::size_t>(std::max(here, 0)), &cores);
  // Where the system does not let us, the figures are noisier and still right.
  (void)sched_setaffinity(0, sizeof cores, &cores);
}

OneCore::~OneCore() {
  if (before_.empty()) return;
  cpu_set_t cores;
  std::memcpy(&cores, before_.data(), sizeof cores);
  (void)sched_setaffinity(0, sizeof cores, &cores);
}

double median(std::vector<double>& values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

void take_turns(benchmark::State& state, std::vector<Contender>& contenders, Clock clock) {
  std::vector<int> runs;
  for (const Contender& contender : contenders) {
    contender.run();
    runs.push_back(
        std::clamp(static_cast<int>(kTurnSeconds / seconds_of(contender.run, 1, clock)), 1, 10000));
  }
  for (auto iteration : state) {
    (void)iteration;
    for (std::size_t i = 0; i < contenders.size(); ++i) {
      // Whoever runs long does not notice the caches.
      if (contenders[i].seconds.empty() || contenders[i].seconds.back() < 10 * kTurnSeconds) {
        contenders[i].run();
      }
      contenders[i].seconds.push_back(seconds_of(contenders[i].run, runs[i], clock));
    }
    state.SetIterationTime(contenders.front().seconds.back());
  }
}

}  // namespace bellows::bench
