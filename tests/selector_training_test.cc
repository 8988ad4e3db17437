#include "training/policies/selector_training.h"

#include <bellows/error.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <string>
#include <vector>

#include "engine/policy_rule.h"
#include "tests/prediction_fixtures.h"
#include "tests/refusal.h"
#include "training/policies/outcomes.h"

namespace bellows {
namespace {

using ::testing::HasSubstr;

const PredictionTable kTable = random_table(2000, 3);
const std::vector<double> kCosts = doubling_costs(3);

Outcomes outcomes_with(double alpha) {
  const LearnedSelector learned = learn_selector(kTable, kCosts, {.alpha = alpha, .epochs = 60});
  return outcomes_of(internal::selector_policy(learned.selector, 1), kTable);
}

TEST(SelectorTraining, AFreeWideWidthIsTakenAndADearOneIsNot) {
  EXPECT_GT(outcomes_with(0).mean_cost(kCosts), 0.6 * kCosts.back());
  EXPECT_EQ(outcomes_with(10).shares()[0], 1);
}

TEST(SelectorTraining, ItLearnsBetterThanAnyMixtureOfWidths) {
  const Outcomes outcomes = outcomes_with(0.15);
  const double cost = outcomes.mean_cost(kCosts);
  ASSERT_GT(cost, kCosts[0]);
  ASSERT_LT(cost, kCosts[2]);
  // The line between the cheapest and the dearest width, and that over the middle one.
  for (const auto& [a, b] : {std::pair{1, 3}, {1, 2}, {2, 3}}) {
    const auto low = static_cast<std::size_t>(a - 1);
    const auto high = static_cast<std::size_t>(b - 1);
    if (cost < kCosts[low] || cost > kCosts[high]) continue;
    const double share = (cost - kCosts[low]) / (kCosts[high] - kCosts[low]);
    const double line = (1 - share) * outcomes_of(Policy::at_width(a), kTable).accuracy() +
                        share * outcomes_of(Policy::at_width(b), kTable).accuracy();
    EXPECT_GT(outcomes.accuracy(), line + 0.01);
  }
}

TEST(SelectorTraining, TheLearnedBaselineTakesVarianceAway) {
  const LearnedSelector learned = learn_selector(kTable, kCosts, {.alpha = 0.15, .epochs = 60});
  EXPECT_GT(learned.variance, 0);
  EXPECT_LT(learned.variance, 0.9 * learned.variance_without_baseline);
}

TEST(SelectorTraining, TheSameSeedGivesTheSameSelector) {
  const SelectorOptions options{.alpha = 0.1, .epochs = 3};
  EXPECT_EQ(learn_selector(kTable, kCosts, options).selector,
            learn_selector(kTable, kCosts, options).selector);
}

TEST(SelectorTraining, WhatCannotBeIsRefusedByName) {
  const auto refusal = [](const SelectorOptions& options, const std::vector<double>& costs) {
    return bellows::refusal([&] { static_cast<void>(learn_selector(kTable, costs, options)); });
  };
  EXPECT_THAT(refusal({.alpha = -0.1}, kCosts), HasSubstr("alpha is -0.1"));
  EXPECT_THAT(refusal({.alpha = std::numeric_limits<double>::quiet_NaN()}, kCosts),
              HasSubstr("alpha"));
  EXPECT_THAT(refusal({.units = 65}, kCosts), HasSubstr("65 units"));
  EXPECT_THAT(refusal({}, {1, 2}), HasSubstr("2 costs for 3 widths"));
  EXPECT_THAT(refusal({}, {3, 2, 1}), HasSubstr("must rise with the width, that of width 2 is 2"));
  EXPECT_THAT(refusal({}, {-1, 2, 3}), HasSubstr("that of width 1 is -1"));
  EXPECT_THAT(refusal({}, {1, 2, std::numeric_limits<double>::infinity()}), HasSubstr("width 3"));
  EXPECT_THAT(refusal({}, {0, 0, 0}), HasSubstr("costs nothing"));
}

}  // namespace
}  // namespace bellows
