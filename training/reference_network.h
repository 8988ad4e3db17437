// A whole network on the reference mathematics of layers/reference.h: slow, in double precision,
// and plain enough to be believed. What plans and trainers are checked against.
#pragma once

#include <map>
#include <vector>

#include "engine/network.h"
#include "layers/reference.h"

namespace bellows {

/// What learning from a batch may be told besides the batch.
struct ReferenceLearningOptions {
  /// By node: the factors of that dropout, of the trainable groups (see ReferenceNode). A dropout
  /// without an entry drops nothing.
  std::map<int, GroupedValues> dropout_factors = {};
  /// Share of the target that is spread evenly over all classes.
  double label_smoothing = 0;
};

/// What a batch teaches.
struct ReferenceLearning {
  /// Mean over the batch of the softmax cross-entropy, summed over the trainable widths.
  double loss = 0;
  /// By node: the gradients of the learned parameters of the trainable groups, and of no others.
  std::vector<ReferenceParameters> gradients;
};

/// Parameters and activations of one network. One thread at a time. All failures are
/// Error(kInvalidArgument).
class ReferenceNetwork {
 public:
  /// `network` must outlive this. All parameters are zero until they are set.
  explicit ReferenceNetwork(const Network& network);

  [[nodiscard]] const Network& network() const { return network_; }

  [[nodiscard]] const std::vector<double>& parameter(int group, int node, ParameterRole role) const;
  void set_parameter(int group, int node, ParameterRole role, std::vector<double> values);
  /// Everything group `group` owns: one array for each key of `network().parameters(group)`, in
  /// that order.
  [[nodiscard]] std::vector<std::vector<float>> group_parameters(int group) const;
  void set_group_parameters(int group, const std::vector<std::vector<float>>& parameters);

  /// Runs groups 1..width on `images`, [N, C, H, W] as the network takes them (normalised).
  /// Returns the logits: `[k - 1]` holds those of width k, [N, classes].
  const GroupedValues& forward(const std::vector<double>& images, int width);

  /// The groups `trainable` learn from a batch: batch statistics, dropout, gradients, and the
  /// running statistics move; the groups below are run as `forward` runs them and receive no
  /// gradient. The loss is summed over the widths `trainable`: {g, g} is the step of group g alone,
  /// {1, G} trains all widths together. `labels` are 0-based, one an image.
  ReferenceLearning learn(const std::vector<double>& images, const std::vector<int>& labels,
                          GroupRange trainable, const ReferenceLearningOptions& options = {});

  /// The activations of a tensor (as numbered by the network) after the last `forward` or `learn`.
  [[nodiscard]] const GroupedValues& values(int tensor) const;

 private:
  void begin(const std::vector<double>& images);
  void run(GroupRange groups, const ReferenceLearningOptions* learning);
  [[nodiscard]] ReferenceNode reference_node(int node, GroupRange groups,
                                             const ReferenceLearningOptions* learning);

  const Network& network_;
  int batch_ = 0;
  std::vector<ReferenceParameters> parameters_;  // by node
  std::vector<GroupedValues> values_;            // by tensor
};

/// Mean over the batch of the cross-entropy between softmax(logits), [N, classes], and the smoothed
/// labels; writes its gradient with respect to the logits into `diff_logits`.
double reference_cross_entropy(const std::vector<double>& logits, const std::vector<int>& labels,
                               int classes, double label_smoothing,
                               std::vector<double>& diff_logits);

}  // namespace bellows
