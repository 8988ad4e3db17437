#include "engine/observed_scale.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>
#include <vector>

namespace bellows {
namespace {

void observe_many(ObservedScale& scale, std::size_t point, double ratio, int readings) {
  for (int i = 0; i < readings; ++i) scale.observe(point, ratio);
}

TEST(ObservedScale, IsTheProfileBeforeAnythingIsObserved) {
  const ObservedScale scale(3);
  for (std::size_t i = 0; i < 3; ++i) EXPECT_EQ(scale.of(i), 1);
}

TEST(ObservedScale, FourReadingsOfANewSpeedAreFollowedAndThreeAreNot) {
  ObservedScale scale(1);
  observe_many(scale, 0, 1, 20);
  observe_many(scale, 0, 3, 3);
  EXPECT_NEAR(scale.of(0), 1, 0.01);
  scale.observe(0, 3);
  EXPECT_NEAR(scale.of(0), 3, 0.01);
}

TEST(ObservedScale, IsTheMedianOfTheLastSevenReadings) {
  std::minstd_rand random(1);
  ObservedScale scale(1);
  std::vector<double> ratios;
  for (int i = 0; i < 200; ++i) {
    ratios.push_back(0.5 + static_cast<double>(random() % 1000) / 500);
    scale.observe(0, ratios.back());
    if (ratios.size() < 7) continue;
    std::vector<double> last(ratios.end() - 7, ratios.end());
    std::sort(last.begin(), last.end());
    EXPECT_NEAR(scale.of(0), last[3], 1e-9);
  }
}

TEST(ObservedScale, WhatChangesWhileAPointRunsHoldsForAll) {
  ObservedScale scale(3);
  observe_many(scale, 2, 1, 20);
  observe_many(scale, 2, 2, 20);
  for (std::size_t i = 0; i < 3; ++i) EXPECT_NEAR(scale.of(i), 2, 0.05) << i;
}

TEST(ObservedScale, WhatChangesWithThePointBecomesThePointsOwn) {
  ObservedScale scale(2);
  for (int turn = 0; turn < 10; ++turn) {
    observe_many(scale, 0, 1, 10);
    observe_many(scale, 1, 2, 10);
  }
  EXPECT_NEAR(scale.of(1) / scale.of(0), 2, 0.1);
  // Both slow down by half: what one shows, the other is expected to do.
  observe_many(scale, 0, 1, 10);
  observe_many(scale, 0, 1.5, 10);
  EXPECT_NEAR(scale.of(0), 1.5, 0.05);
  EXPECT_NEAR(scale.of(1), 3, 0.2);
}

TEST(ObservedScale, APointsOwnFactorFadesWhileItDoesNotRun) {
  ObservedScale scale(2);
  for (int turn = 0; turn < 10; ++turn) {
    observe_many(scale, 0, 1, 10);
    observe_many(scale, 1, 2, 10);
  }
  observe_many(scale, 0, 1, 20000);
  EXPECT_NEAR(scale.of(1), 1, 0.02);
}

TEST(ObservedScale, TheMiddleReadingIsToldAgainstThoseAroundIt) {
  ObservedScale scale(2);
  observe_many(scale, 0, 1, 20);
  scale.observe(0, 5);
  observe_many(scale, 0, 1, 3);
  EXPECT_EQ(scale.middle().point, 0U);
  EXPECT_NEAR(scale.middle().excess, 5, 0.05);
  // A change of speed is none of a single reading: nothing exceeds what is around it.
  double most = 0;
  for (int i = 0; i < 20; ++i) {
    scale.observe(0, 4);
    if (i >= 3) most = std::max(most, scale.middle().excess);
  }
  EXPECT_LT(most, 1.01);
}

// What ObservedTail stands for, from all readings and slowly.
double percentile_of_last(const std::vector<double>& ratios, std::size_t readings,
                          std::size_t above) {
  std::vector<double> last(ratios.end() - static_cast<std::ptrdiff_t>(readings), ratios.end());
  std::sort(last.begin(), last.end(), std::greater<>());
  return last[above];
}

TEST(ObservedTail, IsThePercentileOfTheLast1024Readings) {
  std::mt19937 random(1);
  std::lognormal_distribution<double> excess(0, 0.3);
  for (const auto& [percentile, above] : {std::pair{99, 8U}, {95, 40U}}) {
    ObservedTail tail(percentile);
    std::vector<double> readings;
    for (int i = 0; i < 3000; ++i) {
      readings.push_back(excess(random));
      tail.observe(readings.back(), 1.2);
      if (readings.size() < 1024) continue;
      const double wanted = percentile_of_last(readings, 1024, above);
      ASSERT_NEAR(tail.of(1.2), wanted, 0.02 * wanted) << i;
    }
  }
}

TEST(ObservedTail, TheProfileCountsAs256ReadingsThatTheFirstOnesReplace) {
  ObservedTail tail(99);
  for (int i = 0; i < 253; ++i) {
    tail.observe(1, 2);
    ASSERT_EQ(tail.of(2), 2) << i;
  }
  // Two readings in 256 may be above: of those of the profile, as many are left.
  tail.observe(1, 2);
  EXPECT_NEAR(tail.of(2), 1, 0.02);
}

TEST(ObservedTail, IsTheProfilesUntilTooManyReadingsExceedIt) {
  ObservedTail tail(99);
  EXPECT_DOUBLE_EQ(tail.of(1.5), 1.5);
  for (int i = 0; i < 2; ++i) {
    tail.observe(100, 1.5);
    EXPECT_DOUBLE_EQ(tail.of(1.5), 1.5);
  }
  tail.observe(100, 1.5);
  EXPECT_GT(tail.of(1.5), 6);
}

TEST(ObservedTail, ForgetsAfter1024Readings) {
  ObservedTail tail(99);
  for (int i = 0; i < 50; ++i) tail.observe(3, 1);
  EXPECT_NEAR(tail.of(1), 3, 0.05);
  for (int i = 0; i < 1023; ++i) tail.observe(1, 1);
  EXPECT_DOUBLE_EQ(tail.of(1), 1);
}

TEST(ObservedTail, APercentileIsNeverBelowTheMedian) {
  ObservedTail tail(95);
  for (int i = 0; i < 2000; ++i) tail.observe(0.9, 1.3);
  EXPECT_EQ(tail.of(1.3), 1);
}

TEST(ObservedTail, TheMedianHasNoTail) {
  ObservedTail tail(50);
  for (int i = 0; i < 2000; ++i) tail.observe(10, 1);
  EXPECT_EQ(tail.of(1), 1);
}

}  // namespace
}  // namespace bellows
