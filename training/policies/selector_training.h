// Learning selectors by REINFORCE (Williams 1992; as a stop or go policy over a cascade: Guan et
// al. 2018, "Energy-efficient Amortized Inference with Cascaded Deep Classifiers").
//
// An input that stops at width k brings the reward -(loss_k + alpha x cost_k), cost being that of
// stopping there by that of the widest width. At each width but the widest a small network reads
// the answer and gives the probability to stop.
#pragma once

#include <cstdint>
#include <span>

#include "engine/selector.h"
#include "training/policies/prediction_table.h"

namespace bellows {

/// What is lost by an answer.
enum class SelectorLoss {
  kError,         ///< 1 for a wrong one, else 0
  kCrossEntropy,  ///< minus the log of the label's probability
};

struct SelectorOptions {
  double alpha = 0.1;
  SelectorLoss loss = SelectorLoss::kError;
  int units = 8;
  int epochs = 120;
  int batch = 256;
  double learning_rate = 0.01;  ///< of Adam; falls to 0 over the epochs
  double weight_decay = 1e-4;
  double pull = 0.005;  ///< see SelectorLearner::learn; falls to 0 over the epochs
  std::uint64_t seed = 1;
};

struct LearnedSelector {
  Selector selector;
  double expected_reward = 0;  ///< on the table, of stopping at random as learned
  double variance = 0;         ///< of the gradient's estimate, with the learned baseline
  double variance_without_baseline = 0;
};

/// `costs`: of stopping at each width. Throws Error(kInvalidArgument) where they are not one for
/// each width, fall, or end with 0, for a table of one width, and for options that cannot be, alpha
/// below 0 among them.
[[nodiscard]] LearnedSelector learn_selector(const PredictionTable& table,
                                             std::span<const double> costs,
                                             const SelectorOptions& options);

}  // namespace bellows
