// Merging nodes for inference: what a convolution-like node takes in, and the weights that this
// leaves. Nothing here depends on what runs the network.
#pragma once

#include <vector>

#include "engine/network.h"
#include "engine/weight_set.h"

namespace bellows {

/// A convolution-like node (conv, linear) with the normalisation, sum and activation that follow it
/// and that nobody else reads; or any other node alone.
struct FusedNode {
  int node = 0;         ///< the convolution-like node, or any other kind alone
  int norm = -1;        ///< batch_norm folded in
  int sum = -1;         ///< residual sum taken in
  int activation = -1;  ///< relu or relu6 taken in
  int dst = 0;          ///< tensor that is written
};

/// The nodes in order of execution, merged.
[[nodiscard]] std::vector<FusedNode> fuse(const Network& network);

/// What each row of the weights of group `group` is multiplied by: the folded normalisation's
/// scale / sqrt(variance + epsilon). Empty when none is folded in.
[[nodiscard]] std::vector<float> folded_scale(const Network& network, const WeightSet& weights,
                                              const FusedNode& fused, int group);

/// The bias of group `group`, one value a row of its weights, with the normalisation folded in;
/// zeros when the layer has none.
[[nodiscard]] std::vector<float> folded_bias(const Network& network, const WeightSet& weights,
                                             const FusedNode& fused, int group);

/// What the normalisation `norm`, not folded into anything, comes to in group `group`: what each
/// channel is multiplied by, then what is added to each.
[[nodiscard]] std::vector<float> folded_norm(const Network& network, const WeightSet& weights,
                                             int norm, int group);

}  // namespace bellows
