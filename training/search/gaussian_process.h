// Regression by a Gaussian process: what a function that is costly to ask is likely to be where it
// was not asked (Rasmussen and Williams 2006).
#pragma once

#include <Eigen/Dense>
#include <cstdint>
#include <vector>

namespace bellows {

/// With a Matern 5/2 kernel that has a length for each dimension (automatic relevance
/// determination), a constant mean and noise; lengths and noise are those of the highest marginal
/// likelihood found. Inputs should lie in 0..1.
///
/// Columns of the inputs may share a length: those that stand for one choice among several without
/// an order, one column for each of them.
class GaussianProcess {
 public:
  struct Hyperparameters {
    Eigen::VectorXd lengths;  ///< of each column, or of those that share one
    double noise = 1e-4;      ///< variance, by that of the function
  };

  /// Fits hyperparameters too. `inputs`: [N, D]; `values`: [N], N at least 1. `length_of`: of each
  /// column the position of its length, from 0 without gaps; empty: each column has its own.
  GaussianProcess(const Eigen::MatrixXd& inputs, const Eigen::VectorXd& values,
                  std::uint64_t seed = 1, std::vector<int> length_of = {});
  /// With these.
  GaussianProcess(const Eigen::MatrixXd& inputs, const Eigen::VectorXd& values,
                  Hyperparameters hyperparameters, std::vector<int> length_of = {});

  struct Prediction {
    double mean = 0;
    double stddev = 0;  ///< of the function, without noise
  };
  [[nodiscard]] Prediction predict(const Eigen::VectorXd& input) const;

  [[nodiscard]] const Hyperparameters& hyperparameters() const { return hyperparameters_; }
  /// Of the values given the hyperparameters, the scale of the function being its best.
  [[nodiscard]] double log_marginal_likelihood() const { return log_likelihood_; }

 private:
  GaussianProcess(const Eigen::MatrixXd& inputs, const Eigen::VectorXd& values,
                  std::vector<int> length_of);
  void fit(std::uint64_t seed);
  void condition();
  /// What fitting makes large: the log marginal likelihood with a weak prior of the lengths.
  [[nodiscard]] double score() const;
  /// By the logarithms of the lengths and of the noise.
  [[nodiscard]] Eigen::VectorXd score_slope() const;
  [[nodiscard]] double length_of_column(Eigen::Index column) const {
    return hyperparameters_.lengths[length_of_[static_cast<std::size_t>(column)]];
  }

  Eigen::MatrixXd inputs_;  // [D, N], as one column for each
  Eigen::MatrixXd scaled_;  // the same by the lengths
  std::vector<int> length_of_;
  Eigen::VectorXd centred_;  // values less their mean
  double mean_ = 0;
  double scale_ = 1;  // variance of the function
  Hyperparameters hyperparameters_;
  Eigen::LLT<Eigen::MatrixXd> factor_;
  Eigen::VectorXd weights_;
  double log_likelihood_ = 0;
};

}  // namespace bellows
