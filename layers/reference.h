// The slow and obvious mathematics of every layer, in double precision: what the fast code is
// checked against. Values are plain [N, C, H, W], row-major, one array a group.
#pragma once

#include <map>
#include <utility>
#include <vector>

#include "layers/layer.h"

namespace bellows {

/// Activations (or their gradients) of one tensor: `[g - 1]` holds group g as [N, channels[g], H,
/// W]. The network's input has one group. An empty array is a group that has not been computed.
using GroupedValues = std::vector<std::vector<double>>;

/// A layer's parameters (or their gradients) by group and role.
using ReferenceParameters = std::map<std::pair<int, ParameterRole>, std::vector<double>>;

/// One layer at its place, for one batch.
struct ReferenceNode {
  const Layer* layer = nullptr;
  LayerSite site;
  int batch = 1;
  /// Groups to compute. While learning these are the trainable ones: they use batch statistics and
  /// dropout, and only they receive gradients; other groups are constants.
  GroupRange groups;
  bool learning = false;
  /// Of this layer, every group up to groups.last. Learning moves `kMean` and `kVariance`.
  ReferenceParameters* parameters = nullptr;
  /// Dropout while learning: for each group in `groups` the factors (0 or 1 / (1 - rate)), shaped
  /// as the group's values; indexed as GroupedValues.
  const GroupedValues* dropout_factors = nullptr;
};

/// Computes `dst` for the groups of `node` from `src` (all groups that they read must be there)
/// and, for a residual sum, `shortcut`; null otherwise. The head's dst[g - 1] holds the logits of
/// width g, [N, classes]; an additive head reads dst[g - 2], which must be there.
void reference_forward(const ReferenceNode& node, const GroupedValues& src,
                       const GroupedValues* shortcut, GroupedValues& dst);

/// What backward produces. `diff_src` and `diff_shortcut` are *added to*, for the groups of the
/// node only, and must be sized by the caller; gradients of learned parameters are added to
/// `parameters` (created where absent).
struct ReferenceGradients {
  GroupedValues* diff_src = nullptr;       ///< null: not wanted (src is the input)
  GroupedValues* diff_shortcut = nullptr;  ///< for a residual sum
  ReferenceParameters* parameters = nullptr;
};

/// Gradients from `diff_dst` (groups of the node) given the forward's `src`. For the head,
/// diff_dst[g - 1] is the gradient of the logits of width g as the loss of that width alone gives
/// it; the additive head itself hands the losses of wider widths (within the node's groups) to
/// narrower shares.
void reference_backward(const ReferenceNode& node, const GroupedValues& src,
                        const GroupedValues& diff_dst, const ReferenceGradients& gradients);

}  // namespace bellows
