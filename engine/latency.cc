#include "engine/latency.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstddef>
#include <numeric>
#include <thread>

namespace bellows {
namespace {

using Clock = std::chrono::steady_clock;

constexpr double kOutlier = 10;  // times the median, as kOutlierRule says

double microseconds_since(Clock::time_point start) {
  return std::chrono::duration<double, std::micro>(Clock::now() - start).count();
}

}  // namespace

internal::LatencyFigures latency_figures(std::vector<double>& times_us) {
  std::ranges::sort(times_us);
  const auto ranked = [&times_us](double share, std::size_t of) {
    const auto rank = static_cast<std::size_t>(std::ceil(share * static_cast<double>(of)));
    return times_us[std::max<std::size_t>(rank, 1) - 1];
  };
  const double limit = kOutlier * ranked(0.5, times_us.size());
  const auto end = std::ranges::upper_bound(times_us, limit);
  const auto kept = static_cast<std::size_t>(end - times_us.begin());
  return {.p50 = ranked(0.5, kept),
          .p95 = ranked(0.95, kept),
          .p99 = ranked(0.99, kept),
          .mean = std::accumulate(times_us.begin(), end, 0.0) / static_cast<double>(kept),
          .runs = static_cast<std::int64_t>(kept),
          .outliers = static_cast<std::int64_t>(times_us.size() - kept)};
}

std::vector<internal::LatencyFigures> measure_latency(Session& session,
                                                      std::span<const float> images,
                                                      std::size_t image_elements,
                                                      const std::vector<int>& widths,
                                                      const LatencyOptions& options) {
  const std::size_t count = images.size() / image_elements;
  std::vector<std::vector<double>> times(widths.size());
  for (std::vector<double>& of_width : times) {
    of_width.reserve(static_cast<std::size_t>(options.most_runs));
  }
  // Runs that one turn may come to, the last one all that are left.
  const auto share = [&options](int whole, int turn) {
    return static_cast<std::size_t>(std::int64_t{whole} * (turn + 1) / options.turns);
  };
  const Clock::duration period = options.rate > 0
                                     ? std::chrono::duration_cast<Clock::duration>(
                                           std::chrono::duration<double>(1 / options.rate))
                                     : Clock::duration(0);
  for (int turn = 0; turn < options.turns; ++turn) {
    for (std::size_t i = 0; i < widths.size(); ++i) {
      std::size_t next = 0;
      const auto run = [&] {
        session.run(images.subspan(next++ % count * image_elements, image_elements), widths[i]);
      };
      for (int warm_up = 0; warm_up < options.warm_up_runs; ++warm_up) run();
      const double limit_us = 1e6 * options.seconds / options.turns;
      const Clock::time_point begin = Clock::now();
      Clock::time_point due = begin;
      while (times[i].size() < share(options.most_runs, turn)) {
        if (options.rate > 0) std::this_thread::sleep_until(due += period);
        const Clock::time_point start = Clock::now();
        run();
        times[i].push_back(microseconds_since(start));
        if (times[i].size() >= share(options.least_runs, turn) &&
            microseconds_since(begin) > limit_us) {
          break;
        }
      }
    }
  }
  std::vector<internal::LatencyFigures> figures;
  figures.reserve(times.size());
  for (std::vector<double>& of_width : times) figures.push_back(latency_figures(of_width));
  return figures;
}

}  // namespace bellows
