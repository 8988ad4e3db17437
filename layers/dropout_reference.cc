#include "layers/dropout.h"

#include <algorithm>
#include <functional>

#include "layers/reference_kinds.h"

namespace bellows {
namespace {

// The factors of one group; null where the layer is the identity: when running, and while learning
// when the caller drops nothing.
const std::vector<double>* factors_of(const ReferenceNode& node, int group) {
  if (!node.learning || node.dropout_factors == nullptr) return nullptr;
  return &reference_group(node, node.site.src, *node.dropout_factors, group, "its factors");
}

}  // namespace

void dropout_reference_forward(const ReferenceNode& node, const GroupedValues& src,
                               const GroupedValues* /*shortcut*/, GroupedValues& dst) {
  for (int group = node.groups.first; group <= node.groups.last; ++group) {
    std::vector<double>& out = dst[static_cast<std::size_t>(group - 1)];
    out = reference_group(node, node.site.src, src, group, "its source");
    if (const std::vector<double>* factors = factors_of(node, group)) {
      std::transform(out.begin(), out.end(), factors->begin(), out.begin(), std::multiplies<>());
    }
  }
}

void dropout_reference_backward(const ReferenceNode& node, const GroupedValues& /*src*/,
                                const GroupedValues& diff_dst,
                                const ReferenceGradients& gradients) {
  if (gradients.diff_src == nullptr) return;
  for (int group = node.groups.first; group <= node.groups.last; ++group) {
    std::vector<double> diff =
        reference_group(node, node.site.dst, diff_dst, group, "its result's gradient");
    if (const std::vector<double>* factors = factors_of(node, group)) {
      std::transform(diff.begin(), diff.end(), factors->begin(), diff.begin(), std::multiplies<>());
    }
    reference_scatter(node, diff, {group, group}, *gradients.diff_src);
  }
}

}  // namespace bellows
