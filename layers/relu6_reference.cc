#include "layers/relu6.h"

#include <Eigen/Core>

#include "layers/reference_kinds.h"

namespace bellows {
namespace {

using ArrayView = Eigen::Map<Eigen::ArrayXd>;
using ConstArrayView = Eigen::Map<const Eigen::ArrayXd>;

ConstArrayView view(const std::vector<double>& values) {
  return {values.data(), static_cast<Eigen::Index>(values.size())};
}
ArrayView view(std::vector<double>& values) {
  return {values.data(), static_cast<Eigen::Index>(values.size())};
}

}  // namespace

void relu6_reference_forward(const ReferenceNode& node, const GroupedValues& src,
                             const GroupedValues* /*shortcut*/, GroupedValues& dst) {
  for (int group = node.groups.first; group <= node.groups.last; ++group) {
    view(dst[static_cast<std::size_t>(group - 1)]) =
        view(reference_group(node, node.site.src, src, group, "its source")).max(0.0).min(6.0);
  }
}

void relu6_reference_backward(const ReferenceNode& node, const GroupedValues& src,
                              const GroupedValues& diff_dst, const ReferenceGradients& gradients) {
  if (gradients.diff_src == nullptr) return;
  for (int group = node.groups.first; group <= node.groups.last; ++group) {
    const auto in = view(reference_group(node, node.site.src, src, group, "its source"));
    const auto diff_out =
        view(reference_group(node, node.site.dst, diff_dst, group, "its result's gradient"));
    view(reference_group(node, node.site.src, *gradients.diff_src, group,
                         "its source's gradient")) += (in > 0 && in < 6).select(diff_out, 0.0);
  }
}

}  // namespace bellows
