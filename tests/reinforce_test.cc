// REINFORCE beside the exact expectation over all outcomes, and that beside numeric differences.
#include "training/policies/reinforce.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>
#include <vector>

namespace bellows {
namespace {

// Three widths that decide and a fourth that answers, some inputs.
Eigen::MatrixXf random_matrix(Eigen::Index rows, Eigen::Index columns, unsigned seed) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal;
  return Eigen::MatrixXf::NullaryExpr(rows, columns, [&] { return normal(random); });
}

const Eigen::MatrixXf kOutputs = random_matrix(3, 6, 1);
const Eigen::MatrixXf kRewards = random_matrix(4, 6, 2);
const Eigen::MatrixXf kBaselines = random_matrix(3, 6, 3);

double expected_reward(const Eigen::MatrixXd& outputs, Eigen::Index input) {
  double sum = 0;
  double left = 1;
  for (Eigen::Index width = 0; width < 3; ++width) {
    const double stop = 1 / (1 + std::exp(-outputs(width, input)));
    sum += left * stop * kRewards(width, input);
    left *= 1 - stop;
  }
  return sum + left * kRewards(3, input);
}

TEST(Reinforce, ProbabilitiesToStopSumUpToOne) {
  const Eigen::MatrixXf probabilities = stop_probabilities(kOutputs);
  ASSERT_EQ(probabilities.rows(), 4);
  for (Eigen::Index n = 0; n < 6; ++n) EXPECT_NEAR(probabilities.col(n).sum(), 1, 1e-6);
  const float first = 1 / (1 + std::exp(-kOutputs(0, 0)));
  const float second = 1 / (1 + std::exp(-kOutputs(1, 0)));
  EXPECT_NEAR(probabilities(1, 0), (1 - first) * second, 1e-6);
}

TEST(Reinforce, TheExactGradientIsThatOfTheExpectedReward) {
  const Eigen::MatrixXf gradient = exact_gradient(kOutputs, kRewards);
  for (Eigen::Index n = 0; n < 6; ++n) {
    for (Eigen::Index width = 0; width < 3; ++width) {
      constexpr double kStep = 1e-5;
      Eigen::MatrixXd up = kOutputs.cast<double>();
      Eigen::MatrixXd down = up;
      up(width, n) += kStep;
      down(width, n) -= kStep;
      EXPECT_NEAR(gradient(width, n),
                  (expected_reward(up, n) - expected_reward(down, n)) / (2 * kStep), 1e-5);
    }
  }
}

// Summed over all outcomes with their probabilities, the estimate is the exact gradient, whatever
// the baselines: they may depend on what is seen at a width, and on nothing that follows.
TEST(Reinforce, OverAllOutcomesTheEstimateIsTheExactGradient) {
  const Eigen::MatrixXf probabilities = stop_probabilities(kOutputs);
  for (const Eigen::MatrixXf& baselines :
       {Eigen::MatrixXf(Eigen::MatrixXf::Zero(3, 6)), kBaselines}) {
    Eigen::MatrixXf mean = Eigen::MatrixXf::Zero(3, 6);
    for (int stopped = 1; stopped <= 4; ++stopped) {
      const Eigen::MatrixXf estimate =
          reinforce_gradient(kOutputs, kRewards, std::vector<int>(6, stopped), baselines);
      for (Eigen::Index n = 0; n < 6; ++n) {
        mean.col(n) += probabilities(stopped - 1, n) * estimate.col(n);
      }
    }
    EXPECT_TRUE(mean.isApprox(exact_gradient(kOutputs, kRewards), 1e-4F)) << mean;
  }
}

// Drawn outcomes, as training draws them.
TEST(Reinforce, TheMeanOverDrawsComesToTheExactGradient) {
  std::mt19937 random(9);
  std::uniform_real_distribution<float> uniform;
  constexpr int kDraws = 40000;
  Eigen::MatrixXd sum = Eigen::MatrixXd::Zero(3, 6);
  Eigen::MatrixXd squares = Eigen::MatrixXd::Zero(3, 6);
  for (int draw = 0; draw < kDraws; ++draw) {
    std::vector<int> stopped;
    for (Eigen::Index n = 0; n < 6; ++n) {
      int at = 1;
      while (at <= 3 && uniform(random) >= 1 / (1 + std::exp(-kOutputs(at - 1, n)))) ++at;
      stopped.push_back(at);
    }
    const Eigen::MatrixXd estimate =
        reinforce_gradient(kOutputs, kRewards, stopped, kBaselines).cast<double>();
    sum += estimate;
    squares += estimate.cwiseAbs2();
  }
  const Eigen::MatrixXd exact = exact_gradient(kOutputs, kRewards).cast<double>();
  const Eigen::MatrixXd mean = sum / kDraws;
  double variance = 0;
  for (Eigen::Index n = 0; n < 6; ++n) {
    for (Eigen::Index width = 0; width < 3; ++width) {
      const double own = squares(width, n) / kDraws - mean(width, n) * mean(width, n);
      variance += own / 6;
      EXPECT_NEAR(mean(width, n), exact(width, n), 5 * std::sqrt(own / kDraws) + 1e-6);
    }
  }
  EXPECT_NEAR(reinforce_variance(kOutputs, kRewards, kBaselines), variance, 0.03 * variance);
}

TEST(Reinforce, ABaselineThatExpectsWhatComesTakesVarianceAway) {
  // Rewards that depend on the input far more than on where it stops.
  Eigen::MatrixXf rewards = 0.1F * kRewards;
  for (Eigen::Index n = 0; n < 6; ++n) rewards.col(n).array() -= static_cast<float>(n);
  Eigen::MatrixXf expecting(3, 6);
  for (Eigen::Index n = 0; n < 6; ++n) expecting.col(n).setConstant(-static_cast<float>(n));
  EXPECT_LT(reinforce_variance(kOutputs, rewards, expecting),
            0.02 * reinforce_variance(kOutputs, rewards, Eigen::MatrixXf::Zero(3, 6)));
}

}  // namespace
}  // namespace bellows
