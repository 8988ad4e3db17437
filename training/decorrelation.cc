#include "training/decorrelation.h"

namespace bellows {
namespace {

// Added to variances.
constexpr float kFloor = 1e-5F;

// Columns of mean 0, and one by their deviations.
struct Standardised {
  explicit Standardised(const Eigen::MatrixXf& features)
      : values(features.rowwise() - features.colwise().mean()),
        scale((values.colwise().squaredNorm().array() / static_cast<float>(values.rows()) + kFloor)
                  .rsqrt()) {
    values.array().rowwise() *= scale.array();
  }

  Eigen::MatrixXf values;
  Eigen::RowVectorXf scale;
};

}  // namespace

double decorrelation(const Eigen::MatrixXf& fresh, const Eigen::MatrixXf& old,
                     Eigen::MatrixXf& gradient) {
  const auto samples = static_cast<float>(fresh.rows());
  const auto pairs = static_cast<float>(fresh.cols() * old.cols());
  const Standardised a(fresh);
  const Standardised b(old);
  const Eigen::MatrixXf correlations = a.values.transpose() * b.values / samples;
  const Eigen::MatrixXf by_values = (2 / pairs / samples) * (b.values * correlations.transpose());
  // Back through the division by the deviation and the subtraction of the mean.
  const Eigen::RowVectorXf along = (by_values.array() * a.values.array()).colwise().sum() / samples;
  gradient = by_values.rowwise() - by_values.colwise().mean();
  gradient -= (a.values.array().rowwise() * along.array()).matrix();
  gradient.array().rowwise() *= a.scale.array();
  return static_cast<double>(correlations.squaredNorm() / pairs);
}

}  // namespace bellows
