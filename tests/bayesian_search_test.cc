#include "training/search/bayesian_search.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

namespace bellows {
namespace {

// Two bowls with their lowest points apart, in four dimensions of which two matter.
Objectives bowls(const std::vector<double>& x) {
  const auto square = [](double v) { return v * v; };
  return {square(x[0] - 0.2) + square(x[1] - 0.3), square(x[0] - 0.7) + square(x[1] - 0.8)};
}

const SearchOptions kOptions{.dimensions = 4, .evaluations = 50, .reference = {1, 1}, .seed = 3};

TEST(BayesianSearch, ReachesMoreThanRandomSearchWithAsManyEvaluations) {
  for (const std::uint64_t seed : {1U, 2U, 3U}) {
    SearchOptions options = kOptions;
    options.seed = seed;
    const auto bayesian = hypervolume_reached(bayesian_search(bowls, options), options.reference);
    const auto random = hypervolume_reached(random_search(bowls, options), options.reference);
    ASSERT_EQ(bayesian.size(), 50U);
    EXPECT_GT(bayesian.back(), random.back() + 0.02) << "seed " << seed;
  }
}

TEST(BayesianSearch, StaysWithinTheUnitCubeAndGivesTheSameAgain) {
  const auto first = bayesian_search(bowls, kOptions);
  const auto second = bayesian_search(bowls, kOptions);
  for (std::size_t i = 0; i < first.size(); ++i) {
    EXPECT_EQ(first[i].input, second[i].input);
    for (const double x : first[i].input) {
      EXPECT_GE(x, 0);
      EXPECT_LE(x, 1);
    }
  }
}

TEST(BayesianSearch, TheHypervolumeNeverFalls) {
  const auto reached = hypervolume_reached(bayesian_search(bowls, kOptions), kOptions.reference);
  for (std::size_t i = 1; i < reached.size(); ++i) EXPECT_GE(reached[i], reached[i - 1]);
}

}  // namespace
}  // namespace bellows
