// Groups that learn apart (stacking, Wolpert 1992): a new group is taught to answer alone; then its
// answer and that of the narrower width are added up, each with a weight that is fitted on held-out
// images. The weights end up in the new group's own classifier, so nothing frozen changes.
#pragma once

#include <cstdint>
#include <span>

#include "engine/network.h"
#include "engine/weight_set.h"

namespace bellows {

/// logits of a width = narrower * logits of the narrower width + own * logits of its last group.
struct StackingWeights {
  double narrower = 0;
  double own = 1;
};

/// The weights with the smallest mean cross-entropy over the samples, and with them the sum is as
/// sure as it ought to be. `narrower` and `own`: logits, [N, classes]; `labels`: [N]. A weak pull
/// towards {0, 1} keeps the weights finite where the samples leave them open. Throws
/// Error(kInvalidArgument) when there are no samples, sizes do not fit, or a label is no class.
[[nodiscard]] StackingWeights fit_stacking(std::span<const float> narrower,
                                           std::span<const float> own,
                                           std::span<const std::int32_t> labels);

/// Zeroes what the per_width head of `group` reads of narrower groups, in `values`: the weights or
/// their gradients. Throws Error(kInvalidArgument) for heads that are not per_width.
void forget_narrower(const Network& network, int group, WeightSet& values);

/// Makes the classifier of `group`, which reads nothing of narrower groups yet, that of the sum.
/// Throws Error(kInvalidArgument) for group 1 and for heads that are not per_width.
void stack(const Network& network, int group, const StackingWeights& stacking, WeightSet& weights);

}  // namespace bellows
