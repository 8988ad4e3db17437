#include "training/search/pareto.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
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
void expect_mean_of_draws(const std::vector<Objectives>& points, const Objectives& mean,
                          const Objectives& stddev) {
  const Objectives reference(mean.size(), 1);
  const double before = hypervolume(points, reference);
  std::mt19937 random(1);
  constexpr int kDraws = 100000;
  double sum = 0;
  double squares = 0;
  for (int i = 0; i < kDraws; ++i) {
    Objectives drawn(mean.size());
    for (std::size_t d = 0; d < drawn.size(); ++d) {
      drawn[d] = std::normal_distribution<>(mean[d], stddev[d])(random);
    }
    std::vector<Objectives> with = points;
    with.push_back(drawn);
    const double gain = hypervolume(with, reference) - before;
    sum += gain;
    squares += gain * gain;
  }
  const double average = sum / kDraws;
  const double error = std::sqrt((squares / kDraws - average * average) / kDraws);
  EXPECT_NEAR(expected_improvement(points, reference, mean, stddev), average, 5 * error + 1e-9);
}

TEST(Pareto, TheExpectedImprovementIsTheMeanOverDraws) {
  const std::vector<Objectives> points = {{0.2, 0.6}, {0.5, 0.3}, {0.7, 0.2}};
  expect_mean_of_draws(points, {0.4, 0.4}, {0.2, 0.1});
  expect_mean_of_draws(points, {0.9, 0.9}, {0.3, 0.3});
  expect_mean_of_draws(points, {0.1, 0.1}, {0.01, 0.02});
  expect_mean_of_draws(points, {1.3, 0.2}, {0.4, 0.2});
}

TEST(Pareto, TheExpectedImprovementOfThreeObjectivesIsTheMeanOverDraws) {
  const std::vector<Objectives> points = {
      {0.2, 0.6, 0.5}, {0.5, 0.3, 0.5}, {0.7, 0.2, 0.4}, {0.3, 0.7, 0.2}, {0.6, 0.6, 0.1}};
  expect_mean_of_draws(points, {0.4, 0.4, 0.4}, {0.2, 0.1, 0.3});
  expect_mean_of_draws(points, {0.9, 0.8, 0.1}, {0.2, 0.2, 0.1});
  expect_mean_of_draws({}, {0.5, 0.5, 0.5}, {0.1, 0.2, 0.1});
}

TEST(Pareto, TheExpectedImprovementOfFourObjectivesIsTheMeanOverDraws) {
  const std::vector<Objectives> points = {
      {0.2, 0.6, 0.5, 0.3}, {0.5, 0.3, 0.5, 0.6}, {0.7, 0.2, 0.4, 0.2}, {0.3, 0.7, 0.2, 0.9}};
  expect_mean_of_draws(points, {0.4, 0.4, 0.4, 0.4}, {0.2, 0.1, 0.3, 0.2});
}

// Against counting which of many places some point dominates.
TEST(Pareto, TheHypervolumeIsTheShareOfPlacesThatAreDominated) {
  std::mt19937 random(3);
  std::uniform_real_distribution<> uniform;
  for (const std::size_t dimensions : {2U, 3U, 4U}) {
    std::vector<Objectives> points(12, Objectives(dimensions));
    for (Objectives& point : points) {
      for (double& value : point) value = uniform(random);
    }
    const Objectives reference(dimensions, 0.9);
    constexpr int kPlaces = 200000;
    int hits = 0;
    for (int i = 0; i < kPlaces; ++i) {
      Objectives place(dimensions);
      for (double& value : place) value = 0.9 * uniform(random);
      hits += std::ranges::any_of(points, [&](const Objectives& p) { return dominates(p, place); });
    }
    const double whole = std::pow(0.9, static_cast<double>(dimensions));
    EXPECT_NEAR(hypervolume(points, reference), whole * hits / kPlaces, 0.006) << dimensions;
  }
}

TEST(Pareto, FrontsAreNumberedByWhatDominatesThem) {
  const std::vector<Objectives> points = {{1, 3}, {3, 1}, {2, 2}, {3, 3}, {2, 3}, {4, 4}};
  EXPECT_EQ(front_numbers(points), (std::vector<int>{0, 0, 0, 2, 1, 3}));
}

TEST(Pareto, TheFrontOfThreeObjectivesHasWhatNothingBetters) {
  const std::vector<Objectives> points = {{1, 2, 3}, {3, 2, 1}, {2, 2, 2},
                                          {3, 3, 3}, {1, 2, 3}, {2, 1, 4}};
  EXPECT_EQ(pareto_indices(points), (std::vector<std::size_t>{0, 5, 2, 1}));
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
