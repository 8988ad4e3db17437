// Policies by themselves: what they accept, say, and how mixtures deal requests out.
#include <bellows/bellows.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "tests/refusal.h"

#include "engine/policy_rule.h"

namespace bellows {
namespace {

using ::testing::HasSubstr;

constexpr double kNoNumber = std::numeric_limits<double>::quiet_NaN();

TEST(Policy, SaysWhatItIs) {
  const Policy width = Policy::at_width(3);
  EXPECT_EQ(width.kind(), PolicyKind::kWidth);
  EXPECT_EQ(width.widest(), 3);
  EXPECT_EQ(width.text(), "width 3");

  const Policy thresholds = Policy::with_thresholds(
      {.confidence = Confidence::kMargin, .values = {0.5, Thresholds::kNever, 0.25}});
  EXPECT_EQ(thresholds.kind(), PolicyKind::kThresholds);
  EXPECT_EQ(thresholds.widest(), 4);
  EXPECT_EQ(thresholds.text(), "margin >= 0.5, never, 0.25");

  const Policy mixture = Policy::mixture({{width, 1}, {thresholds, 3}});
  EXPECT_EQ(mixture.kind(), PolicyKind::kMixture);
  EXPECT_EQ(mixture.widest(), 4);
  EXPECT_EQ(mixture.text(), "25 % width 3 + 75 % margin >= 0.5, never, 0.25");
}

TEST(Policy, RefusesWhatCannotBe) {
  EXPECT_THAT(refusal([] { Policy::at_width(0); }), HasSubstr("width 0"));
  for (const double bad : {-0.1, 1.1, 3.0, kNoNumber}) {
    EXPECT_THAT(refusal([=] {
                  Policy::with_thresholds({.values = {0.5, bad}});
                }),
                HasSubstr("threshold 2"));
  }
  EXPECT_THAT(refusal([] {
                Policy::with_thresholds({.values = {0.5, 0.5}, .temperatures = {1}});
              }),
              HasSubstr("1 temperatures for 2 thresholds"));
  for (const double bad : {0.0, -1.0, 1e-50, 1e300, kNoNumber}) {
    EXPECT_THAT(refusal([=] { Policy::with_thresholds({.values = {0.5}, .temperatures = {bad}}); }),
                HasSubstr("temperature 1"));
  }
  EXPECT_THAT(refusal([] { Policy::mixture({}); }), HasSubstr("a part"));
  EXPECT_THAT(refusal([] { Policy::mixture({{Policy::at_width(1), 0}}); }), HasSubstr("a part"));
  EXPECT_THAT(refusal([] { Policy::mixture({{Policy::at_width(1), -1}}); }), HasSubstr("share"));
  EXPECT_THAT(refusal([] {
                Policy::mixture({{Policy::at_width(1), 1e308}, {Policy::at_width(2), 1e308}});
              }),
              HasSubstr("summed up"));
  EXPECT_THAT(refusal([] { Policy::with_thresholds({.confidence = static_cast<Confidence>(7)}); }),
              HasSubstr("confidence 7"));
}

TEST(Policy, AMixtureOfMixturesIsOneMixture) {
  const Policy inner = Policy::mixture({{Policy::at_width(1), 1}, {Policy::at_width(2), 1}});
  const Policy outer = Policy::mixture({{inner, 1}, {Policy::at_width(4), 1}});
  EXPECT_EQ(outer.text(), "25 % width 1 + 25 % width 2 + 50 % width 4");
}

// The claim of the header, for shares of all kinds and from the first request on.
TEST(Policy, AMixtureGivesEveryPartItsShareOfAnyFirstRequestsButForLessThanOne) {
  std::mt19937 random(1);
  std::vector<std::vector<double>> all = {
      {1}, {0.5, 0.5}, {0.999, 0.001}, {1.0 / 3, 2.0 / 3}, {0, 1}, {0.7, 0.1, 0.1, 0.1}};
  for (int i = 0; i < 40; ++i) {
    std::vector<double> shares(2 + random() % 5);
    for (double& share : shares) share = std::pow(std::uniform_real_distribution<>()(random), 3);
    all.push_back(shares);
  }
  for (std::vector<double> shares : all) {
    double sum = 0;
    std::vector<std::pair<Policy, double>> parts;
    for (std::size_t i = 0; i < shares.size(); ++i) {
      sum += shares[i];
      parts.emplace_back(Policy::at_width(static_cast<int>(i) + 1), shares[i]);
    }
    Policy mixture = Policy::mixture(parts);
    std::vector<double> dealt(shares.size());
    double worst = 0;
    for (int n = 1; n <= 3000; ++n) {
      ++dealt[static_cast<std::size_t>(mixture.turn().widest() - 1)];
      for (std::size_t i = 0; i < shares.size(); ++i) {
        worst = std::max(worst, std::abs(dealt[i] - shares[i] / sum * n));
      }
    }
    EXPECT_LT(worst, 1) << mixture.text();
  }
}

TEST(Policy, ACopyOfAMixtureHasTurnsOfItsOwn) {
  Policy first = Policy::mixture({{Policy::at_width(1), 1}, {Policy::at_width(2), 1}});
  Policy second = first;
  const auto turns = [](Policy& policy) {
    std::vector<int> widths(6);
    std::ranges::generate(widths, [&] { return policy.turn().widest(); });
    return widths;
  };
  const std::vector<int> of_first = turns(first);
  EXPECT_EQ(of_first, turns(second));
  EXPECT_EQ(std::ranges::count(of_first, 1), 3);
}

TEST(Policy, ASelectorThatTheModelDoesNotHaveIsRefused) {
  // A whole model is not needed to ask one that has none: see session_test.cc for those.
  const Selector selector{
      .alpha = 0.5,
      .widths = {{.hidden_weight = std::vector<float>(5), .hidden_bias = {0}, .weight = {1}}}};
  const Policy policy = internal::selector_policy(selector, 2);
  EXPECT_EQ(policy.text(), "selector 2 (alpha 0.5)");
  EXPECT_EQ(policy.widest(), 2);
  EXPECT_EQ(internal::rule_of(policy).classes(), 2U);
}

}  // namespace
}  // namespace bellows
