// How strongly new features correlate with old ones, beside the definition and a numeric gradient.
#include "training/decorrelation.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>

namespace bellows {
namespace {

Eigen::MatrixXf random_features(Eigen::Index samples, Eigen::Index features, unsigned seed) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal(1, 2);
  return Eigen::MatrixXf::NullaryExpr(samples, features, [&] { return normal(random); });
}

// Pearson's correlation of two columns, in double.
double correlation(const Eigen::VectorXd& x, const Eigen::VectorXd& y) {
  const Eigen::VectorXd a = x.array() - x.mean();
  const Eigen::VectorXd b = y.array() - y.mean();
  const double n = static_cast<double>(x.size());
  return a.dot(b) / n / std::sqrt((a.squaredNorm() / n + 1e-5) * (b.squaredNorm() / n + 1e-5));
}

double definition(const Eigen::MatrixXd& fresh, const Eigen::MatrixXd& old) {
  double sum = 0;
  for (Eigen::Index i = 0; i < fresh.cols(); ++i) {
    for (Eigen::Index j = 0; j < old.cols(); ++j) {
      const double c = correlation(fresh.col(i), old.col(j));
      sum += c * c;
    }
  }
  return sum / static_cast<double>(fresh.cols() * old.cols());
}

TEST(Decorrelation, LossAndGradientAreThoseOfTheDefinition) {
  const Eigen::MatrixXf fresh = random_features(12, 3, 1);
  const Eigen::MatrixXf old = random_features(12, 5, 2);
  Eigen::MatrixXf gradient;
  EXPECT_NEAR(decorrelation(fresh, old, gradient),
              definition(fresh.cast<double>(), old.cast<double>()), 1e-6);
  for (Eigen::Index n = 0; n < fresh.rows(); ++n) {
    for (Eigen::Index c = 0; c < fresh.cols(); ++c) {
      Eigen::MatrixXd moved = fresh.cast<double>();
      moved(n, c) += 1e-4;
      const double above = definition(moved, old.cast<double>());
      moved(n, c) -= 2e-4;
      const double below = definition(moved, old.cast<double>());
      EXPECT_NEAR(static_cast<double>(gradient(n, c)), (above - below) / 2e-4, 1e-5);
    }
  }
}

TEST(Decorrelation, EqualFeaturesCorrelateFullyAndConstantOnesNotAtAll) {
  const Eigen::MatrixXf feature = random_features(50, 1, 3);
  Eigen::MatrixXf gradient;
  EXPECT_NEAR(decorrelation(feature, -2 * feature, gradient), 1, 1e-4);
  EXPECT_NEAR(decorrelation(feature, Eigen::MatrixXf::Constant(50, 1, 3), gradient), 0, 1e-6);
  EXPECT_NEAR(static_cast<double>(gradient.norm()), 0, 1e-6);
}

}  // namespace
}  // namespace bellows
