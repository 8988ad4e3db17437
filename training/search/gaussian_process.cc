#include "training/search/gaussian_process.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <numeric>
#include <utility>

#include "training/data/random.h"

namespace bellows {
namespace {

constexpr double kLeastLength = 0.02;
constexpr double kMostLength = 20;
constexpr double kLeastNoise = 1e-8;
constexpr double kMostNoise = 1;
constexpr int kBeginnings = 16;
constexpr std::size_t kClimbs = 3;
constexpr int kIterations = 40;
// What is thought of lengths beforehand, weakly: of few values one could not tell otherwise which
// dimensions matter, and would take those that do for such that do not. Logarithms are normal.
constexpr double kUsualLength = 0.7;
constexpr double kLengthSpread = 1.5;

// Of inputs at this distance, each dimension by its length.
double matern(double distance) {
  const double scaled = std::sqrt(5.0) * distance;
  return (1 + scaled + scaled * scaled / 3) * std::exp(-scaled);
}

}  // namespace

GaussianProcess::GaussianProcess(const Eigen::MatrixXd& inputs, const Eigen::VectorXd& values,
                                 std::vector<int> length_of)
    : inputs_(inputs.transpose()), length_of_(std::move(length_of)), mean_(values.mean()) {
  if (length_of_.empty()) {
    length_of_.resize(static_cast<std::size_t>(inputs.cols()));
    std::iota(length_of_.begin(), length_of_.end(), 0);
  }
  centred_ = values.array() - mean_;
}

GaussianProcess::GaussianProcess(const Eigen::MatrixXd& inputs, const Eigen::VectorXd& values,
                                 Hyperparameters hyperparameters, std::vector<int> length_of)
    : GaussianProcess(inputs, values, std::move(length_of)) {
  hyperparameters_ = std::move(hyperparameters);
  condition();
}

GaussianProcess::GaussianProcess(const Eigen::MatrixXd& inputs, const Eigen::VectorXd& values,
                                 std::uint64_t seed, std::vector<int> length_of)
    : GaussianProcess(inputs, values, std::move(length_of)) {
  const Eigen::Index lengths = *std::ranges::max_element(length_of_) + 1;
  hyperparameters_ = {.lengths = Eigen::VectorXd::Constant(lengths, 0.5), .noise = 1e-4};
  condition();
  fit(seed);
}

// From the best of some random beginnings uphill, each parameter by a step of its own that grows
// while its slope keeps its sign and shrinks when that turns (Rprop; Riedmiller and Braun 1993).
void GaussianProcess::fit(std::uint64_t seed) {
  struct Beginning {
    Hyperparameters hyperparameters;
    double score = 0;
  };
  std::vector<Beginning> beginnings = {{hyperparameters_, score()}};
  data::KeyedRandom random(seed);
  const auto between = [&](double low, double high) {
    return low * std::pow(high / low, static_cast<double>(random.uniform()));
  };
  for (int i = 0; i < kBeginnings; ++i) {
    for (double& length : hyperparameters_.lengths) length = between(0.1, 4);
    hyperparameters_.noise = between(1e-6, 1e-2);
    condition();
    beginnings.push_back({hyperparameters_, score()});
  }
  std::ranges::sort(beginnings,
                    [](const Beginning& a, const Beginning& b) { return a.score > b.score; });
  beginnings.resize(kClimbs);
  Beginning best = beginnings.front();
  const Eigen::Index lengths = hyperparameters_.lengths.size();
  for (const Beginning& beginning : beginnings) {
    // Logarithms of the lengths and of the noise.
    Eigen::VectorXd at(lengths + 1);
    at << beginning.hyperparameters.lengths.array().log().matrix(),
        std::log(beginning.hyperparameters.noise);
    Eigen::VectorXd steps = Eigen::VectorXd::Constant(lengths + 1, 0.2);
    Eigen::VectorXd before = Eigen::VectorXd::Zero(lengths + 1);
    for (int iteration = 0; iteration < kIterations; ++iteration) {
      hyperparameters_ = {.lengths = at.head(lengths).array().exp(),
                          .noise = std::exp(at[lengths])};
      condition();
      if (score() > best.score) best = {hyperparameters_, score()};
      Eigen::VectorXd slope = score_slope();
      for (Eigen::Index i = 0; i <= lengths; ++i) {
        const double turned = slope[i] * before[i];
        if (turned > 0) steps[i] = std::min(1.2 * steps[i], 1.0);
        if (turned < 0) {
          steps[i] = std::max(0.5 * steps[i], 1e-4);
          slope[i] = 0;
        }
        if (slope[i] != 0) at[i] += slope[i] > 0 ? steps[i] : -steps[i];
        at[i] = i < lengths ? std::clamp(at[i], std::log(kLeastLength), std::log(kMostLength))
                            : std::clamp(at[i], std::log(kLeastNoise), std::log(kMostNoise));
      }
      before = slope;
    }
  }
  hyperparameters_ = best.hyperparameters;
  condition();
}

double GaussianProcess::score() const {
  const Eigen::ArrayXd off =
      (hyperparameters_.lengths.array().log() - std::log(kUsualLength)) / kLengthSpread;
  return log_likelihood_ - off.square().sum() / 2;
}

Eigen::VectorXd GaussianProcess::score_slope() const {
  const Eigen::Index count = inputs_.cols();
  const Eigen::Index lengths = hyperparameters_.lengths.size();
  // Half the trace of this times the kernel's derivative is the slope.
  const Eigen::MatrixXd inner = weights_ * weights_.transpose() / scale_ -
                                factor_.solve(Eigen::MatrixXd::Identity(count, count));
  Eigen::VectorXd slope = Eigen::VectorXd::Zero(lengths + 1);
  Eigen::VectorXd squares(lengths);
  for (Eigen::Index i = 0; i < count; ++i) {
    for (Eigen::Index j = 0; j < i; ++j) {
      squares.setZero();
      for (Eigen::Index d = 0; d < scaled_.rows(); ++d) {
        const double difference = scaled_(d, i) - scaled_(d, j);
        squares[length_of_[static_cast<std::size_t>(d)]] += difference * difference;
      }
      const double distance = std::sqrt(5 * squares.sum());
      // Both halves of the symmetric matrix.
      slope.head(lengths) += inner(i, j) * 5.0 / 3 * (1 + distance) * std::exp(-distance) * squares;
    }
  }
  slope.head(lengths).array() -= (hyperparameters_.lengths.array().log() - std::log(kUsualLength)) /
                                 (kLengthSpread * kLengthSpread);
  slope[lengths] = hyperparameters_.noise * inner.trace() / 2;
  return slope;
}

void GaussianProcess::condition() {
  const Eigen::Index count = inputs_.cols();
  scaled_ = inputs_;
  for (Eigen::Index d = 0; d < scaled_.rows(); ++d) scaled_.row(d) /= length_of_column(d);
  Eigen::MatrixXd kernel(count, count);
  for (Eigen::Index i = 0; i < count; ++i) {
    kernel(i, i) = 1 + hyperparameters_.noise;
    for (Eigen::Index j = 0; j < i; ++j) {
      kernel(i, j) = kernel(j, i) = matern((scaled_.col(i) - scaled_.col(j)).norm());
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

GaussianProcess::Prediction GaussianProcess::predict(const Eigen::VectorXd& input) const {
  Eigen::VectorXd scaled = input;
  for (Eigen::Index d = 0; d < scaled.size(); ++d) scaled[d] /= length_of_column(d);
  Eigen::VectorXd kernel(scaled_.cols());
  for (Eigen::Index i = 0; i < scaled_.cols(); ++i) {
    kernel[i] = matern((scaled_.col(i) - scaled).norm());
  }
  // Explained is the square of the half-solved kernel, which one triangle gives.
  const double explained = factor_.matrixL().solve(kernel).squaredNorm();
  return {.mean = mean_ + kernel.dot(weights_),
          .stddev = std::sqrt(scale_ * std::max(0.0, 1 - explained))};
}

}  // namespace bellows
