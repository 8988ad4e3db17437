// One selector while it is learned: networks that decide, networks that expect the reward, and
// steps of REINFORCE.
#pragma once

#include <Eigen/Dense>
#include <cstdint>
#include <span>
#include <vector>

#include "engine/selector.h"
#include "training/data/random.h"
#include "training/policies/small_network.h"

namespace bellows {

/// What an answer is worth.
struct JudgedAnswer {
  float cross_entropy = 0;
  bool right = false;
};

/// Judges `logits` by `label` and writes what a network sees of them to `inputs`
/// (selector_inputs(classes) values). `probabilities`, as many as logits, is for working in.
[[nodiscard]] JudgedAnswer judge_answer(std::span<const float> logits, std::int32_t label,
                                        std::span<float> probabilities, float* inputs);

/// Not thread safe.
class SelectorLearner {
 public:
  /// For so many widths, at least 2; `inputs` of each network.
  SelectorLearner(int widths, Eigen::Index inputs, int units, data::KeyedRandom& random);

  /// One step on a batch: draws where each input stops, and moves the networks by what that
  /// brought. `inputs`: [width - 1] [inputs, N], the widest left out; `rewards`: [widths, N].
  /// `pull` draws outputs towards 0, where both outcomes are tried: without it a width at which
  /// stopping is bad on average is given up before the inputs are found for which it is good.
  /// Returns the probabilities to stop before the step, [widths, N].
  Eigen::MatrixXf learn(const std::vector<Eigen::MatrixXf>& inputs, const Eigen::MatrixXf& rewards,
                        float rate, float decay, float pull, data::KeyedRandom& random);

  /// [widths - 1, N].
  [[nodiscard]] Eigen::MatrixXf outputs(const std::vector<Eigen::MatrixXf>& inputs) const;
  /// The reward that is expected at each width by whoever gets there, [widths - 1, N].
  [[nodiscard]] Eigen::MatrixXf baselines(const std::vector<Eigen::MatrixXf>& inputs) const;

  [[nodiscard]] Selector selector(double alpha) const;

  /// As SmallNetwork's, of all of them.
  [[nodiscard]] std::vector<std::span<float>> state();
  void set_updates(int updates);

 private:
  std::vector<SmallNetwork> deciding_;
  std::vector<SmallNetwork> expecting_;
};

}  // namespace bellows
