#include "engine/policy_costs.h"

#include <bellows/error.h>
#include <gtest/gtest.h>

#include <vector>

namespace bellows::internal {
namespace {

Stop stop(int width, double share, double p50) {
  return {.width = width,
          .share = share,
          .latency_p50_us = p50,
          .latency_p95_us = 1.2 * p50,
          .latency_p99_us = 1.5 * p50,
          .energy_uj = p50};
}

TEST(PolicyCosts, OfOneStopAreItsPercentiles) {
  const std::vector<Stop> stops = {stop(1, 1, 100)};
  EXPECT_NEAR(mixed_latency_us(stops, 0.5), 100, 1e-9);
  EXPECT_NEAR(mixed_latency_us(stops, 0.95), 120, 1e-9);
  EXPECT_NEAR(mixed_latency_us(stops, 0.99), 150, 1e-9);
}

TEST(PolicyCosts, ThePercentileIsThatOfTheWidthItFallsInto) {
  // 97 of 100 are quick: the 99th slowest is the second of three at the wide stop.
  const std::vector<Stop> stops = {stop(1, 0.97, 100), stop(2, 0.03, 1000)};
  EXPECT_LT(mixed_latency_us(stops, 0.9), 150);
  const double p99 = mixed_latency_us(stops, 0.99);
  EXPECT_GT(p99, 1000);
  EXPECT_LT(p99, 1200);
  // A stop that nothing takes changes nothing.
  std::vector<Stop> more = stops;
  more.push_back(stop(3, 0, 1e6));
  EXPECT_NEAR(mixed_latency_us(more, 0.99), p99, 1e-6);
}

TEST(PolicyCosts, APolicyCostsWhatItsStopsCost) {
  const std::vector<OperatingPoint> widths = {{.width = 1,
                                               .latency_p50_us = 10,
                                               .latency_p95_us = 11,
                                               .latency_p99_us = 12,
                                               .energy_uj = 1},
                                              {.width = 2,
                                               .latency_p50_us = 40,
                                               .latency_p95_us = 41,
                                               .latency_p99_us = 42,
                                               .energy_uj = 4}};
  const TunedPolicy tuned{.policy = Policy::with_thresholds({.values = {0.5}}),
                          .accuracy = 0.9,
                          .stopped = {0.25, 0.75}};
  const OperatingPoint point = policy_point(tuned, widths);
  EXPECT_EQ(point.width, 2);
  EXPECT_EQ(point.accuracy, 0.9);
  EXPECT_NEAR(point.energy_uj, 3.25, 1e-12);
  ASSERT_EQ(point.stops.size(), 2U);
  EXPECT_EQ(point.stops[1].share, 0.75);
  EXPECT_LE(point.latency_p50_us, point.latency_p95_us);
  EXPECT_LE(point.latency_p95_us, point.latency_p99_us);
  EXPECT_THROW(policy_point(tuned, {widths[0]}), Error);
}

TEST(PolicyCosts, AnEnergyThatIsNotKnownOfAWidthIsNotKnownOfThePolicy) {
  const std::vector<OperatingPoint> widths = {
      {.width = 1,
       .latency_p50_us = 10,
       .latency_p95_us = 11,
       .latency_p99_us = 12,
       .energy_uj = 1},
      {.width = 2, .latency_p50_us = 40, .latency_p95_us = 41, .latency_p99_us = 42}};
  EXPECT_EQ(policy_point({.policy = Policy::with_thresholds({.values = {0.5}}),
                          .accuracy = 0.9,
                          .stopped = {1, 0}},
                         widths)
                .energy_uj,
            0);
}

}  // namespace
}  // namespace bellows::internal
