// The optimal mixture as a linear or integer programme, beside its closed form and beside trying
// everything.
#include "training/policies/mixture_program.h"

#include <bellows/error.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <numeric>
#include <random>
#include <string>
#include <vector>

#include "engine/mixture.h"
#include "tests/refusal.h"

namespace bellows {
namespace {

using ::testing::HasSubstr;

std::string refusal(const MixtureProblem& problem) {
  return bellows::refusal([&] { static_cast<void>(solve_mixture(problem)); });
}

MixtureProblem random_problem(std::mt19937& random, std::size_t points) {
  std::uniform_real_distribution<> uniform;
  MixtureProblem problem;
  for (std::size_t i = 0; i < points; ++i) {
    problem.costs.push_back(1 + uniform(random));
    problem.accuracies.push_back(uniform(random));
    problem.times.push_back(1 + uniform(random));
  }
  const double least = *std::ranges::min_element(problem.costs);
  problem.budget = least + (2 - least) * uniform(random);
  return problem;
}

TEST(MixtureProgram, AgreesWithTheClosedFormUnderOneBudget) {
  std::mt19937 random(3);
  for (int instance = 0; instance < 200; ++instance) {
    const MixtureProblem problem = random_problem(random, 1 + random() % 12);
    double closed = 0;
    for (const auto& [point, share] :
         best_mixture(problem.costs, problem.accuracies, *problem.budget)) {
      closed += share * problem.accuracies[point];
    }
    const MixtureSolution solution = solve_mixture(problem);
    EXPECT_NEAR(solution.accuracy, closed, 1e-7);
    EXPECT_LE(solution.cost, *problem.budget + 1e-7);
    EXPECT_NEAR(std::accumulate(solution.shares.begin(), solution.shares.end(), 0.0), 1, 1e-7);
  }
}

// Multiply-accumulates count in hundreds of millions, joules in millionths.
TEST(MixtureProgram, TheUnitOfCostsAndTimesChangesNothing) {
  std::mt19937 random(6);
  for (int instance = 0; instance < 50; ++instance) {
    MixtureProblem problem = random_problem(random, 6);
    const std::size_t cheapest =
        static_cast<std::size_t>(std::ranges::min_element(problem.costs) - problem.costs.begin());
    problem.time_budget = problem.times[cheapest] + 0.1;
    problem.requests = instance % 2 == 0 ? 0 : 7;
    problem.switching_cost = instance % 4 == 1 ? 0.1 : 0;
    const MixtureSolution solution = solve_mixture(problem);
    for (const double unit : {1e-12, 1e-6, 1e6, 1e12}) {
      MixtureProblem other = problem;
      for (double& cost : other.costs) cost *= unit;
      for (double& time : other.times) time /= unit;
      *other.budget *= unit;
      *other.time_budget /= unit;
      other.switching_cost *= unit;
      const MixtureSolution same = solve_mixture(other);
      EXPECT_NEAR(same.accuracy, solution.accuracy, 1e-7) << "instance " << instance;
      EXPECT_LE(same.cost / unit, *problem.budget * (1 + 1e-6)) << "instance " << instance;
    }
  }
}

TEST(MixtureProgram, ATimeBudgetIsKeptTooByAtMostThreePoints) {
  std::mt19937 random(4);
  for (int instance = 0; instance < 50; ++instance) {
    MixtureProblem problem = random_problem(random, 8);
    const std::size_t cheapest =
        static_cast<std::size_t>(std::ranges::min_element(problem.costs) - problem.costs.begin());
    problem.time_budget = problem.times[cheapest];  // so that something keeps both
    const MixtureSolution solution = solve_mixture(problem);
    const double time = std::inner_product(solution.shares.begin(), solution.shares.end(),
                                           problem.times.begin(), 0.0);
    EXPECT_LE(time, *problem.time_budget + 1e-7);
    EXPECT_LE(solution.cost, *problem.budget + 1e-7);
    EXPECT_GE(solution.accuracy, problem.accuracies[cheapest] - 1e-7);
    EXPECT_LE(std::ranges::count_if(solution.shares, [](double x) { return x > 1e-9; }), 3);
  }
}

TEST(MixtureProgram, WithoutABudgetItIsTheCheapestOfAnAccuracy) {
  const MixtureSolution solution =
      solve_mixture({.accuracies = {0.5, 0.9, 1.0}, .costs = {1, 2, 5}, .min_accuracy = 0.95});
  EXPECT_NEAR(solution.accuracy, 0.95, 1e-9);
  EXPECT_NEAR(solution.cost, 3.5, 1e-9);  // half of the second, half of the third
}

// Whole requests, by trying every way to deal them out.
TEST(MixtureProgram, WholeRequestsAreDealtOutAsWellAsCanBe) {
  std::mt19937 random(5);
  for (int instance = 0; instance < 30; ++instance) {
    MixtureProblem problem = random_problem(random, 3);
    problem.requests = 1 + static_cast<int>(random() % 9);
    problem.switching_cost = instance % 2 == 0 ? 0 : 0.7;
    double best = -1;
    const int all = problem.requests;
    for (int a = 0; a <= all; ++a) {
      for (int b = 0; a + b <= all; ++b) {
        const std::vector<int> dealt = {a, b, all - a - b};
        double cost = -problem.switching_cost;
        double accuracy = 0;
        for (std::size_t i = 0; i < 3; ++i) {
          cost += dealt[i] * problem.costs[i] + (dealt[i] > 0 ? problem.switching_cost : 0);
          accuracy += dealt[i] * problem.accuracies[i];
        }
        if (cost <= *problem.budget * all + 1e-9) best = std::max(best, accuracy / all);
      }
    }
    const MixtureSolution solution = solve_mixture(problem);
    EXPECT_NEAR(solution.accuracy, best, 1e-7) << "instance " << instance;
    for (const double share : solution.shares) {
      EXPECT_NEAR(share * all, std::round(share * all), 1e-9);
    }
  }
}

TEST(MixtureProgram, WhatNothingCanKeepIsRefusedByName) {
  const MixtureProblem good{
      .accuracies = {0.5, 0.9}, .costs = {1, 2}, .budget = 1.5, .times = {1, 2}};
  MixtureProblem problem = good;
  problem.budget = 0.5;
  EXPECT_THAT(refusal(problem), HasSubstr("below the cheapest point"));
  problem = good;
  problem.min_accuracy = 0.95;
  EXPECT_THAT(refusal(problem), HasSubstr("above that of the best point"));
  problem.min_accuracy = 0.85;
  EXPECT_THAT(refusal(problem), HasSubstr("no mixture keeps all limits"));
  problem = good;
  problem.time_budget = 0.5;
  EXPECT_THAT(refusal(problem), HasSubstr("below the quickest point"));
  problem = good;
  problem.budget.reset();
  EXPECT_THAT(refusal(problem), HasSubstr("give a budget or an accuracy"));
  problem = good;
  problem.costs.pop_back();
  EXPECT_THAT(refusal(problem), HasSubstr("1 costs for 2 accuracies"));
  problem = good;
  problem.accuracies[0] = std::numeric_limits<double>::quiet_NaN();
  EXPECT_THAT(refusal(problem), HasSubstr("no number"));
  problem = good;
  problem.switching_cost = 1;
  EXPECT_THAT(refusal(problem), HasSubstr("number of requests"));
}

TEST(MixtureProgram, PrintsNothing) {
  ::testing::internal::CaptureStdout();
  MixtureProblem problem{.accuracies = {0.5, 0.9, 0.7}, .costs = {1, 2, 1.2}, .budget = 1.5};
  static_cast<void>(solve_mixture(problem));
  problem.requests = 100;
  problem.switching_cost = 0.1;
  static_cast<void>(solve_mixture(problem));
  EXPECT_EQ(::testing::internal::GetCapturedStdout(), "");
}

}  // namespace
}  // namespace bellows
