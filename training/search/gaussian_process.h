// Regression by a Gaussian process: what a function that is costly to ask is likely to be where it
// was not asked (Rasmussen and Williams 2006).
#pragma once

#include <Eigen/Dense>
#include <cstdint>

namespace bellows {

/// With a Matern 5/2 kernel that has a length for each dimension, a constant mean and noise;
/// lengths and noise are those of the highest marginal likelihood found. Inputs should lie in 0..1.
class GaussianProcess {
 public:
  struct Hyperparameters {
    Eigen::VectorXd lengths;  ///< of each dimension
    double noise = 1e-4;      ///< variance, by that of the function
  };

  /// Fits hyperparameters too. `inputs`: [N, D]; `values`: [N], N at least 1.
  GaussianProcess(Eigen::MatrixXd inputs, const Eigen::VectorXd& values, std::uint64_t seed = 1);
  /// With these.
  GaussianProcess(Eigen::MatrixXd inputs, const Eigen::VectorXd& values,
                  Hyperparameters hyperparameters);

  struct Prediction {
    double mean = 0;
    double stddev = 0;  ///< of the function, without noise
  };
  [[nodiscard]] Prediction predict(const Eigen::VectorXd& input) const;

  [[nodiscard]] const Hyperparameters& hyperparameters() const { return hyperparameters_; }
  /// Of the values given the hyperparameters, the scale of the function being its best.
  [[nodiscard]] double log_marginal_likelihood() const { return log_likelihood_; }

 private:
  void condition();
  [[nodiscard]] Eigen::VectorXd kernel_with(const Eigen::VectorXd& input) const;

  Eigen::MatrixXd inputs_;
  Eigen::VectorXd centred_;  // values less their mean
  double mean_ = 0;
  double scale_ = 1;  // variance of the function
  Hyperparameters hyperparameters_;
  Eigen::LLT<Eigen::MatrixXd> factor_;
  Eigen::VectorXd weights_;
  double log_likelihood_ = 0;
};

}  // namespace bellows
