// A selector that is learned together with the classifiers it chooses between (Guan et al. 2018),
// for the joint schedule.
//
// The objective is the expected reward of selector_training.h with cross-entropy as the loss. By
// the classifiers its gradient is taken with the probabilities to stop held fixed: each image's
// loss at a width counts as much as it is probable that the image stops there. That by the selector
// is REINFORCE's.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "engine/network.h"
#include "engine/selector.h"
#include "layers/fields.h"

namespace bellows {

/// Table `training.selector`.
struct JointSelectorConfig {
  std::optional<double> alpha = {};  ///< price of the widest width's cost; none: no selector
  double share = 0.5;  ///< of the classifiers' loss that follows the selector; the rest is equal

  void visit_fields(FieldVisitor& visitor);
};

/// Not thread safe.
class JointSelector {
 public:
  /// Costs are multiply-accumulates. Throws Error(kInvalidArgument) for a network of one width.
  /// REQUIRES: config.alpha.
  JointSelector(const Network& network, const JointSelectorConfig& config, std::uint64_t seed);
  ~JointSelector();
  JointSelector(const JointSelector&) = delete;
  JointSelector& operator=(const JointSelector&) = delete;

  /// Learns from a batch: `logits` of each width, [N, classes]; `labels`, [N]; `step` numbers the
  /// batch and decides, with the seed, where images stop; `progress` of the training, 0..1, lets
  /// the rate fall. Returns how much each image's loss counts at each width, [width - 1][N]; the
  /// mean over all is 1. Valid until the next call.
  const std::vector<std::vector<float>>& learn(const std::vector<std::vector<float>>& logits,
                                               std::span<const std::int32_t> labels,
                                               std::uint64_t step, double progress);

  [[nodiscard]] Selector selector() const;

  /// Means over the batches since the last call, as the selector chooses at random.
  struct Means {
    double cost = 0;   ///< by the widest width's
    double error = 0;  ///< share of wrong answers
    int batches = 0;   ///< 0: there is nothing to tell
  };
  Means take_means();

  /// As SmallNetwork's.
  [[nodiscard]] std::vector<std::span<float>> state();
  void set_updates(int updates);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace bellows
