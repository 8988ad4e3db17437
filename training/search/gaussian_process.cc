#include "training/search/gaussian_process.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <utility>

#include "training/data/random.h"

namespace bellows {
namespace {

constexpr double kLeastLength = 0.02;
constexpr double kMostLength = 20;
constexpr double kLeastNoise = 1e-8;
constexpr double kMostNoise = 1;

// Of inputs at this distance, each dimension by its length.
double matern(double distance) {
  const double scaled = std::sqrt(5.0) * distance;
  return (1 + scaled + scaled * scaled / 3) * std::exp(-scaled);
}

}  // namespace

GaussianProcess::GaussianProcess(Eigen::MatrixXd inputs, const Eigen::VectorXd& values,
                                 Hyperparameters hyperparameters)
    : inputs_(std::move(inputs)),
      mean_(values.mean()),
      hyperparameters_(std::move(hyperparameters)) {
  centred_ = values.array() - mean_;
  condition();
}

GaussianProcess::GaussianProcess(Eigen::MatrixXd inputs, const Eigen::VectorXd& values,
                                 std::uint64_t seed)
    : inputs_(std::move(inputs)), mean_(values.mean()) {
  centred_ = values.array() - mean_;
  const Eigen::Index dimensions = inputs_.cols();
  hyperparameters_ = {.lengths = Eigen::VectorXd::Constant(dimensions, 0.5), .noise = 1e-4};
  condition();
  Hyperparameters best = hyperparameters_;
  double best_likelihood = log_likelihood_;
  const auto attempt = [&](const Hyperparameters& candidate) {
    hyperparameters_ = candidate;
    condition();
    if (!(log_likelihood_ > best_likelihood)) return false;
    best = candidate;
    best_likelihood = log_likelihood_;
    return true;
  };
  // Some random beginnings, then steps along one parameter after another, which get smaller.
  data::KeyedRandom random(seed);
  constexpr int kBeginnings = 24;
  const auto between = [&](double low, double high) {
    return low * std::pow(high / low, static_cast<double>(random.uniform()));
  };
  for (int i = 0; i < kBeginnings; ++i) {
    Hyperparameters candidate = best;
    for (double& length : candidate.lengths) length = between(0.05, 5);
    candidate.noise = between(1e-6, 1e-1);
    attempt(candidate);
  }
  for (double step : {2.0, 1.5, 1.2}) {
    for (Eigen::Index i = 0; i <= dimensions; ++i) {
      for (const double factor : {step, 1 / step}) {
        constexpr int kMostSteps = 6;
        for (int n = 0; n < kMostSteps; ++n) {
          Hyperparameters candidate = best;
          double& value = i < dimensions ? candidate.lengths[i] : candidate.noise;
          value = i < dimensions ? std::clamp(value * factor, kLeastLength, kMostLength)
                                 : std::clamp(value * factor * factor, kLeastNoise, kMostNoise);
          if (!attempt(candidate)) break;
        }
      }
    }
  }
  hyperparameters_ = best;
  condition();
}

void GaussianProcess::condition() {
  const Eigen::Index count = inputs_.rows();
  Eigen::MatrixXd scaled = inputs_;
  for (Eigen::Index d = 0; d < inputs_.cols(); ++d) scaled.col(d) /= hyperparameters_.lengths[d];
  Eigen::MatrixXd kernel(count, count);
  for (Eigen::Index i = 0; i < count; ++i) {
    kernel(i, i) = 1 + hyperparameters_.noise;
    for (Eigen::Index j = 0; j < i; ++j) {
      kernel(i, j) = kernel(j, i) = matern((scaled.row(i) - scaled.row(j)).norm());
    }
  }
  factor_.compute(kernel);
  weights_ = factor_.solve(centred_);
  // The scale that makes the values most likely, in closed form.
  const auto n = static_cast<double>(count);
  scale_ = std::max(centred_.dot(weights_) / n, 1e-12);
  const double log_determinant =
      2 * factor_.matrixLLT().diagonal().array().abs().max(1e-300).log().sum();
  log_likelihood_ =
      -(n * std::log(scale_) + log_determinant + n * (1 + std::log(2 * std::numbers::pi))) / 2;
}

Eigen::VectorXd GaussianProcess::kernel_with(const Eigen::VectorXd& input) const {
  Eigen::VectorXd result(inputs_.rows());
  for (Eigen::Index i = 0; i < inputs_.rows(); ++i) {
    const Eigen::ArrayXd difference =
        (inputs_.row(i).transpose() - input).array() / hyperparameters_.lengths.array();
    result[i] = matern(difference.matrix().norm());
  }
  return result;
}

GaussianProcess::Prediction GaussianProcess::predict(const Eigen::VectorXd& input) const {
  const Eigen::VectorXd kernel = kernel_with(input);
  const double explained = kernel.dot(factor_.solve(kernel));
  return {.mean = mean_ + kernel.dot(weights_),
          .stddev = std::sqrt(scale_ * std::max(0.0, 1 - explained))};
}

}  // namespace bellows
