// The small networks of selectors and their baselines while they are learned.
#pragma once

#include <Eigen/Dense>
#include <span>
#include <vector>

#include "engine/selector.h"
#include "training/data/random.h"

namespace bellows {

/// A network of one hidden layer with rectifiers and one output, over batches, learned by Adam. Not
/// thread safe.
class SmallNetwork {
 public:
  SmallNetwork(Eigen::Index inputs, Eigen::Index units, data::KeyedRandom& random);

  /// [inputs, N] to [N].
  [[nodiscard]] Eigen::VectorXf output(const Eigen::MatrixXf& inputs) const;

  /// One step uphill by the gradient of what is to be made large by the output, [N].
  void learn(const Eigen::MatrixXf& inputs, const Eigen::VectorXf& gradient, float rate,
             float decay);

  [[nodiscard]] StopNetwork network() const;

  /// What it is and what Adam remembers, to be saved and written back; with `updates` it goes on to
  /// the same bits. Valid as long as it lives.
  [[nodiscard]] std::vector<std::span<float>> state();
  void set_updates(int updates) { updates_ = updates; }

 private:
  [[nodiscard]] Eigen::MatrixXf activate(const Eigen::MatrixXf& inputs) const;
  [[nodiscard]] Eigen::VectorXf weight() const;
  void step(float rate, float decay);

  Eigen::Index inputs_;
  Eigen::Index units_;
  Eigen::VectorXf values_;  // hidden weights, hidden biases, weights, bias
  Eigen::VectorXf gradient_;
  Eigen::VectorXf first_;
  Eigen::VectorXf second_;
  int updates_ = 0;
};

}  // namespace bellows
