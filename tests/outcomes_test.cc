#include "training/policies/outcomes.h"

#include <bellows/error.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

#include "engine/policy_rule.h"
#include "tests/prediction_fixtures.h"
#include "tests/refusal.h"

namespace bellows {
namespace {

double accuracy_of(const PredictionTable& table, int width) {
  double right = 0;
  for (std::size_t i = 0; i < table.size(); ++i) {
    const auto answer = table.answer(width, i);
    right += std::ranges::max_element(answer) - answer.begin() == table.labels[i] ? 1 : 0;
  }
  return right / static_cast<double>(table.size());
}

TEST(Outcomes, OfAWidthAreItsAccuracyAndItsCost) {
  const PredictionTable table = random_table(500, 3);
  const std::vector<double> costs = doubling_costs(3);
  for (int width = 1; width <= 3; ++width) {
    const Outcomes outcomes = outcomes_of(Policy::at_width(width), table);
    EXPECT_NEAR(outcomes.accuracy(), accuracy_of(table, width), 1e-12);
    EXPECT_EQ(outcomes.mean_cost(costs), costs[static_cast<std::size_t>(width - 1)]);
    EXPECT_EQ(outcomes.shares()[static_cast<std::size_t>(width - 1)], 1);
  }
}

TEST(Outcomes, OfAMixtureLieOnTheLineBetweenItsParts) {
  const PredictionTable table = random_table(500, 3);
  const std::vector<double> costs = doubling_costs(3);
  const Outcomes mixed = outcomes_of(
      Policy::mixture({{Policy::at_width(1), 0.25}, {Policy::at_width(3), 0.75}}), table);
  EXPECT_NEAR(mixed.accuracy(), 0.25 * accuracy_of(table, 1) + 0.75 * accuracy_of(table, 3), 1e-12);
  EXPECT_NEAR(mixed.mean_cost(costs), 0.25 * costs[0] + 0.75 * costs[2], 1e-12);
}

TEST(Outcomes, AlwaysStoppingIsTheFirstWidthAndNeverTheLast) {
  const PredictionTable table = random_table(200, 3);
  EXPECT_EQ(outcomes_of(Policy::with_thresholds({.values = {0, 0}}), table).shares()[0], 1);
  EXPECT_EQ(
      outcomes_of(Policy::with_thresholds({.values = {Thresholds::kNever, Thresholds::kNever}}),
                  table)
          .shares()[2],
      1);
}

TEST(Outcomes, APolicyThatDoesNotFitTheTableIsRefused) {
  const PredictionTable table = random_table(20, 3);
  EXPECT_THROW(outcomes_of(Policy::at_width(4), table), Error);
  const Selector for_two_classes{
      .widths = {{.hidden_weight = std::vector<float>(5), .hidden_bias = {0}, .weight = {1}}}};
  EXPECT_THROW(outcomes_of(internal::selector_policy(for_two_classes, 1), table), Error);
}

// The normal approximation is good for 2,000 images.
TEST(Outcomes, CostsThatFallWithTheWidthAreRefusedByTheWidth) {
  check_width_costs(std::vector<double>{0, 2, 2}, 3);
  EXPECT_THAT(refusal([] {
                check_width_costs(std::vector<double>{3, 2, 4}, 3);
              }),
              ::testing::HasSubstr("width 2 is 2.000000 after 3.000000"));
  EXPECT_THAT(refusal([] { check_width_costs(std::vector<double>{1}, 2); }),
              ::testing::HasSubstr("1 costs for 2 widths"));
}

TEST(Outcomes, TheBootstrapIntervalIsThatOfTheMean) {
  const PredictionTable table = random_table(2000, 2);
  const std::vector<double> costs = doubling_costs(2);
  const Outcomes outcomes = outcomes_of(Policy::with_thresholds({.values = {0.8}}), table);
  const BootstrapIntervals intervals = bootstrap(outcomes, costs);
  const double p = outcomes.accuracy();
  const double wide = 1.96 * std::sqrt(p * (1 - p) / 2000);
  EXPECT_NEAR(intervals.accuracy.low, p - wide, 0.2 * wide);
  EXPECT_NEAR(intervals.accuracy.high, p + wide, 0.2 * wide);
  EXPECT_LT(intervals.cost.low, outcomes.mean_cost(costs));
  EXPECT_GT(intervals.cost.high, outcomes.mean_cost(costs));
}

TEST(Outcomes, OfAWidthTheCostHasNoInterval) {
  const PredictionTable table = random_table(100, 2);
  const BootstrapIntervals intervals =
      bootstrap(outcomes_of(Policy::at_width(2), table), doubling_costs(2));
  EXPECT_EQ(intervals.cost.low, intervals.cost.high);
}

}  // namespace
}  // namespace bellows
