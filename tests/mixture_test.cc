// The closed form of the best mixture under one budget.
#include "engine/mixture.h"

#include <bellows/error.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <vector>

namespace bellows {
namespace {

using Parts = std::vector<MixturePart>;

TEST(Mixture, TheHullLeavesOutWhatAMixtureOfOthersSurpasses) {
  // The third lies below the line from the second to the fourth; the last is dearer and worse.
  const std::vector<double> costs = {1, 2, 3, 4, 5};
  const std::vector<double> accuracies = {0.5, 0.8, 0.82, 0.9, 0.85};
  EXPECT_EQ(upper_hull(costs, accuracies), (std::vector<std::size_t>{0, 1, 3}));
}

TEST(Mixture, TheHullHasEqualPointsOnceAndNoneThatLiesOnALine) {
  EXPECT_EQ(upper_hull(std::vector<double>{2, 2, 1}, std::vector<double>{0.5, 0.5, 0.5}),
            (std::vector<std::size_t>{2}));
  EXPECT_EQ(upper_hull(std::vector<double>{1, 2, 3}, std::vector<double>{0.25, 0.5, 0.75}),
            (std::vector<std::size_t>{0, 2}));
}

TEST(Mixture, ABudgetBetweenTwoPointsIsSpentToTheLast) {
  const std::vector<double> costs = {1, 3};
  const std::vector<double> accuracies = {0.5, 0.9};
  EXPECT_EQ(best_mixture(costs, accuracies, 1.5),
            (Parts{{.point = 0, .share = 0.75}, {.point = 1, .share = 0.25}}));
  EXPECT_EQ(best_mixture(costs, accuracies, 1), (Parts{{.point = 0, .share = 1}}));
  EXPECT_EQ(best_mixture(costs, accuracies, 3), (Parts{{.point = 1, .share = 1}}));
  EXPECT_EQ(best_mixture(costs, accuracies, 100), (Parts{{.point = 1, .share = 1}}));
}

TEST(Mixture, ABudgetBelowTheCheapestPointIsRefused) {
  const std::vector<double> costs = {2, 3};
  const std::vector<double> accuracies = {0.5, 0.9};
  EXPECT_THROW(best_mixture(costs, accuracies, 1.9), Error);
  EXPECT_THROW(best_mixture({}, {}, 1), Error);
}

// Against trying all pairs of points.
TEST(Mixture, NoPairOfPointsDoesBetter) {
  std::mt19937 random(7);
  std::uniform_real_distribution<> uniform;
  for (int instance = 0; instance < 200; ++instance) {
    const std::size_t count = 1 + random() % 12;
    std::vector<double> costs(count);
    std::vector<double> accuracies(count);
    for (double& cost : costs) cost = 1 + uniform(random);
    for (double& accuracy : accuracies) accuracy = uniform(random);
    const double least = *std::ranges::min_element(costs);
    const double budget = least + (2 - least) * uniform(random);
    double best = 0;
    for (std::size_t a = 0; a < count; ++a) {
      if (costs[a] > budget) continue;
      for (std::size_t b = 0; b < count; ++b) {
        const double share = costs[b] <= budget ? 1 : (budget - costs[a]) / (costs[b] - costs[a]);
        best = std::max(best, (1 - share) * accuracies[a] + share * accuracies[b]);
      }
    }
    double accuracy = 0;
    double cost = 0;
    double shares = 0;
    for (const auto& [point, share] : best_mixture(costs, accuracies, budget)) {
      accuracy += share * accuracies[point];
      cost += share * costs[point];
      shares += share;
    }
    EXPECT_NEAR(accuracy, best, 1e-12);
    EXPECT_LE(cost, budget + 1e-12);
    EXPECT_NEAR(shares, 1, 1e-12);
  }
}

}  // namespace
}  // namespace bellows
