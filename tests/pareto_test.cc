#include "training/search/pareto.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <vector>

namespace bellows {
namespace {

TEST(Pareto, TheFrontHasWhatNothingBetters) {
  const std::vector<Objectives> points = {{3, 1}, {1, 3}, {2, 2}, {2, 3}, {1, 3}, {4, 1}};
  EXPECT_EQ(pareto_indices(points), (std::vector<std::size_t>{1, 2, 0}));
}

TEST(Pareto, TheHypervolumeIsTheAreaOfTheStaircase) {
  const std::vector<Objectives> points = {{0.2, 0.6}, {0.5, 0.3}, {0.7, 0.5}};
  EXPECT_NEAR(hypervolume(points, {1, 1}), 0.3 * 0.4 + 0.5 * 0.7, 1e-12);
  EXPECT_EQ(hypervolume({}, {1, 1}), 0);
  EXPECT_EQ(hypervolume(std::vector<Objectives>{{1.5, 0.1}, {0.1, 1}}, {1, 1}), 0);
}

// Against drawing the point many times and measuring what it adds.
TEST(Pareto, TheExpectedImprovementIsTheMeanOverDraws) {
  const std::vector<Objectives> points = {{0.2, 0.6}, {0.5, 0.3}, {0.7, 0.2}};
  const Objectives reference = {1, 1};
  const double before = hypervolume(points, reference);
  std::mt19937 random(1);
  for (const auto& [mean, stddev] : {std::pair<Objectives, Objectives>{{0.4, 0.4}, {0.2, 0.1}},
                                     {{0.9, 0.9}, {0.3, 0.3}},
                                     {{0.1, 0.1}, {0.01, 0.02}},
                                     {{1.3, 0.2}, {0.4, 0.2}}}) {
    std::normal_distribution<> first(mean[0], stddev[0]);
    std::normal_distribution<> second(mean[1], stddev[1]);
    constexpr int kDraws = 200000;
    double sum = 0;
    for (int i = 0; i < kDraws; ++i) {
      std::vector<Objectives> with = points;
      with.push_back({first(random), second(random)});
      sum += hypervolume(with, reference) - before;
    }
    EXPECT_NEAR(expected_improvement(points, reference, mean, stddev), sum / kDraws,
                0.01 * sum / kDraws + 1e-4);
  }
}

TEST(Pareto, AKnownPointImprovesByWhatItAdds) {
  const std::vector<Objectives> points = {{0.2, 0.6}, {0.5, 0.3}};
  EXPECT_NEAR(expected_improvement(points, {1, 1}, {0.3, 0.4}, {0, 0}),
              hypervolume(std::vector<Objectives>{{0.2, 0.6}, {0.5, 0.3}, {0.3, 0.4}}, {1, 1}) -
                  hypervolume(points, {1, 1}),
              1e-12);
  EXPECT_EQ(expected_improvement(points, {1, 1}, {0.6, 0.6}, {0, 0}), 0);
}

}  // namespace
}  // namespace bellows
