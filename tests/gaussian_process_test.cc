#include "training/search/gaussian_process.h"

#include <gtest/gtest.h>

#include <cmath>
#include <numbers>

namespace bellows {
namespace {

double wave(double x) { return std::sin(6 * x) + 2; }

Eigen::MatrixXd grid(int count) {
  Eigen::MatrixXd inputs(count, 1);
  for (int i = 0; i < count; ++i) inputs(i, 0) = static_cast<double>(i) / (count - 1);
  return inputs;
}

Eigen::VectorXd at(double x) { return Eigen::VectorXd::Constant(1, x); }

TEST(GaussianProcess, PredictsASmoothFunctionBetweenItsValues) {
  const Eigen::MatrixXd inputs = grid(12);
  const GaussianProcess process(inputs, inputs.col(0).unaryExpr(&wave));
  for (const double x : {0.05, 0.33, 0.5, 0.77}) {
    EXPECT_NEAR(process.predict(at(x)).mean, wave(x), 0.03) << x;
  }
}

TEST(GaussianProcess, IsSureWhereItWasAskedAndUnsureFarAway) {
  const Eigen::MatrixXd inputs = 0.3 * grid(6);
  const GaussianProcess process(inputs, inputs.col(0).unaryExpr(&wave));
  EXPECT_LT(process.predict(at(0.12)).stddev, 0.1 * process.predict(at(1.0)).stddev);
}

// The formulas of the book, with a dense inverse instead of a factor.
TEST(GaussianProcess, MeanDeviationAndLikelihoodAreThoseOfTheFormulas) {
  Eigen::MatrixXd inputs(4, 2);
  inputs << 0.1, 0.2, 0.4, 0.9, 0.7, 0.3, 0.9, 0.8;
  const Eigen::Vector4d values(1, 3, 2, 5);
  const GaussianProcess::Hyperparameters hyperparameters{.lengths = Eigen::Vector2d(0.5, 0.8),
                                                         .noise = 0.01};
  const GaussianProcess process(inputs, values, hyperparameters);
  const auto kernel = [&](const Eigen::Vector2d& a, const Eigen::Vector2d& b) {
    const double r = std::sqrt(5.0) * std::hypot((a[0] - b[0]) / 0.5, (a[1] - b[1]) / 0.8);
    return (1 + r + r * r / 3) * std::exp(-r);
  };
  Eigen::Matrix4d all;
  Eigen::Vector4d with;
  const Eigen::Vector2d asked(0.5, 0.5);
  for (int i = 0; i < 4; ++i) {
    with[i] = kernel(inputs.row(i), asked);
    for (int j = 0; j < 4; ++j) {
      all(i, j) = kernel(inputs.row(i), inputs.row(j)) + (i == j ? 0.01 : 0);
    }
  }
  const Eigen::Vector4d centred = values.array() - values.mean();
  const Eigen::Matrix4d inverse = all.inverse();
  const double scale = centred.dot(inverse * centred) / 4;
  const auto prediction = process.predict(asked);
  EXPECT_NEAR(prediction.mean, values.mean() + with.dot(inverse * centred), 1e-9);
  EXPECT_NEAR(prediction.stddev, std::sqrt(scale * (1 - with.dot(inverse * with))), 1e-9);
  const double likelihood = -0.5 * centred.dot(inverse * centred) / scale -
                            0.5 * std::log((scale * all).determinant()) -
                            2 * std::log(2 * std::numbers::pi);
  EXPECT_NEAR(process.log_marginal_likelihood(), likelihood, 1e-9);
}

TEST(GaussianProcess, FittingMakesTheValuesMoreLikely) {
  const Eigen::MatrixXd inputs = grid(15);
  const Eigen::VectorXd values = inputs.col(0).unaryExpr(&wave);
  const GaussianProcess fitted(inputs, values);
  const GaussianProcess fixed(inputs, values,
                              GaussianProcess::Hyperparameters{
                                  .lengths = Eigen::VectorXd::Constant(1, 0.05), .noise = 0.1});
  EXPECT_GT(fitted.log_marginal_likelihood(), fixed.log_marginal_likelihood() + 5);
}

// Three choices without an order, a column for each: where only the choice counts, one length
// serves all its columns, and every choice is predicted as it was seen.
TEST(GaussianProcess, ColumnsOfOneChoiceShareALength) {
  Eigen::MatrixXd inputs(12, 4);
  Eigen::VectorXd values(12);
  for (int i = 0; i < 12; ++i) {
    inputs.row(i) << 0, 0, 0, static_cast<double>(i) / 11;
    inputs(i, i % 3) = 1;
    values[i] = i % 3 == 1 ? 5 : 2 - i % 3;
  }
  const GaussianProcess process(inputs, values, 1, {0, 0, 0, 1});
  EXPECT_EQ(process.hyperparameters().lengths.size(), 2);
  EXPECT_GT(process.hyperparameters().lengths[1], process.hyperparameters().lengths[0]);
  EXPECT_NEAR(process.predict(Eigen::Vector4d(1, 0, 0, 0.5)).mean, 2, 0.05);
  EXPECT_NEAR(process.predict(Eigen::Vector4d(0, 1, 0, 0.5)).mean, 5, 0.05);
  EXPECT_NEAR(process.predict(Eigen::Vector4d(0, 0, 1, 0.5)).mean, 0, 0.05);
}

TEST(GaussianProcess, OneValueIsItsOwnMean) {
  const GaussianProcess process(grid(2).topRows(1), Eigen::VectorXd::Constant(1, 4));
  EXPECT_NEAR(process.predict(at(0.7)).mean, 4, 1e-9);
}

}  // namespace
}  // namespace bellows
