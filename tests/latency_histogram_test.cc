#include "cli/latency_histogram.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>
#include <vector>

namespace bellows::cli {
namespace {

TEST(LatencyHistogram, TellsPercentilesOfAllTimesToHalfAPercent) {
  std::mt19937_64 random(1);
  LatencyHistogram histogram;
  LatencyHistogram others;
  std::vector<double> times;
  for (int i = 0; i < 5000; ++i) {
    const double u = static_cast<double>(random() >> 11) * 0x1p-53;
    times.push_back(std::exp(14 * u - 2));  // 0.1 us to 0.16 s
    (i % 3 == 0 ? others : histogram).add(times.back());
  }
  histogram.add(others);
  std::ranges::sort(times);
  EXPECT_EQ(histogram.count(), 5000);
  for (const int percent : {1, 50, 95, 99, 100}) {
    const double wanted = times[static_cast<std::size_t>(5000 * percent / 100 - 1)];
    EXPECT_NEAR(histogram.percentile_us(percent / 100.0), wanted, 0.0051 * wanted) << percent;
  }
}

TEST(LatencyHistogram, HoldsTimesBeyondItsEnds) {
  LatencyHistogram histogram;
  histogram.add(0);
  EXPECT_GT(histogram.percentile_us(0.5), 0);
  histogram.add(1e300);
  EXPECT_GT(histogram.percentile_us(1), 1e10);
}

}  // namespace
}  // namespace bellows::cli
