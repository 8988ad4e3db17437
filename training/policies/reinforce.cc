#include "training/policies/reinforce.h"

#include <cmath>

namespace bellows {

float logistic(float output) { return 1 / (1 + std::exp(-output)); }

Eigen::MatrixXf stop_probabilities(const Eigen::MatrixXf& outputs) {
  Eigen::MatrixXf result(outputs.rows() + 1, outputs.cols());
  for (Eigen::Index n = 0; n < outputs.cols(); ++n) {
    float left = 1;
    for (Eigen::Index width = 0; width < outputs.rows(); ++width) {
      const float stop = logistic(outputs(width, n));
      result(width, n) = left * stop;
      left *= 1 - stop;
    }
    result(outputs.rows(), n) = left;
  }
  return result;
}

// With s the logistic function of an output z and p the probability of an outcome: p_k = s_k times
// all (1 - s_j) before it. So dp_k/dz_k = p_k (1 - s_k), dp_k/dz_j = -p_k s_j for j below k, else
// 0.
Eigen::MatrixXf exact_gradient(const Eigen::MatrixXf& outputs, const Eigen::MatrixXf& rewards) {
  const Eigen::MatrixXf probabilities = stop_probabilities(outputs);
  Eigen::MatrixXf gradient(outputs.rows(), outputs.cols());
  for (Eigen::Index n = 0; n < outputs.cols(); ++n) {
    float behind = probabilities(outputs.rows(), n) * rewards(outputs.rows(), n);
    for (Eigen::Index width = outputs.rows(); width-- > 0;) {
      const float stop = logistic(outputs(width, n));
      const float own = probabilities(width, n) * rewards(width, n);
      gradient(width, n) = own * (1 - stop) - stop * behind;
      behind += own;
    }
  }
  return gradient;
}

Eigen::MatrixXf reinforce_gradient(const Eigen::MatrixXf& outputs, const Eigen::MatrixXf& rewards,
                                   const std::vector<int>& stopped,
                                   const Eigen::MatrixXf& baselines) {
  Eigen::MatrixXf gradient = Eigen::MatrixXf::Zero(outputs.rows(), outputs.cols());
  for (Eigen::Index n = 0; n < outputs.cols(); ++n) {
    const Eigen::Index at = stopped[static_cast<std::size_t>(n)] - 1;
    for (Eigen::Index width = 0; width < outputs.rows() && width <= at; ++width) {
      const float stop = logistic(outputs(width, n));
      const float score = width == at ? 1 - stop : -stop;
      gradient(width, n) = score * (rewards(at, n) - baselines(width, n));
    }
  }
  return gradient;
}

double reinforce_variance(const Eigen::MatrixXf& outputs, const Eigen::MatrixXf& rewards,
                          const Eigen::MatrixXf& baselines) {
  const Eigen::MatrixXf probabilities = stop_probabilities(outputs);
  const Eigen::MatrixXf mean = exact_gradient(outputs, rewards);
  double sum = 0;
  for (Eigen::Index at = 0; at < probabilities.rows(); ++at) {
    const std::vector<int> stopped(static_cast<std::size_t>(outputs.cols()),
                                   static_cast<int>(at) + 1);
    const Eigen::MatrixXf estimate = reinforce_gradient(outputs, rewards, stopped, baselines);
    const Eigen::ArrayXf squared = (estimate - mean).colwise().squaredNorm().transpose().array();
    sum += (squared * probabilities.row(at).transpose().array()).cast<double>().sum();
  }
  return sum / static_cast<double>(outputs.cols());
}

}  // namespace bellows
