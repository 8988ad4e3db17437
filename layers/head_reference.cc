#include "layers/head.h"

#include <algorithm>
#include <functional>

#include "layers/reference_kinds.h"

namespace bellows {

void head_reference_forward(const ReferenceNode& node, const GroupedValues& src,
                            const GroupedValues* /*shortcut*/, GroupedValues& dst) {
  const auto& head = static_cast<const Head&>(*node.layer);
  for (int group = node.groups.first; group <= node.groups.last; ++group) {
    std::vector<double>& logits = dst[static_cast<std::size_t>(group - 1)];
    if (head.mode() == HeadMode::kAdditive && group > 1) {
      logits = reference_group(node, node.site.dst, dst, group - 1, "the narrower width's logits");
    }
    reference_dense_forward(node, group, head.groups_read(node.site, group), src, logits);
  }
}

void head_reference_backward(const ReferenceNode& node, const GroupedValues& src,
                             const GroupedValues& diff_dst, const ReferenceGradients& gradients) {
  const auto& head = static_cast<const Head&>(*node.layer);
  std::vector<double> share;
  // From wide to narrow, because the share of a group is part of the logits of every wider width.
  for (int group = node.groups.last; group >= node.groups.first; --group) {
    const std::vector<double>& diff =
        reference_group(node, node.site.dst, diff_dst, group, "its result's gradient");
    if (head.mode() == HeadMode::kPerWidth || share.empty()) {
      share = diff;
    } else {
      std::transform(diff.begin(), diff.end(), share.begin(), share.begin(), std::plus<>());
    }
    reference_dense_backward(node, group, head.groups_read(node.site, group), src, share,
                             gradients);
  }
}

}  // namespace bellows
