#include "layers/global_avg_pool.h"

#include <Eigen/Core>

#include "layers/reference_kinds.h"

namespace bellows {
namespace {

using Eigen::Index;

}  // namespace

void global_avg_pool_reference_forward(const ReferenceNode& node, const GroupedValues& src,
                                       const GroupedValues* /*shortcut*/, GroupedValues& dst) {
  for (int group = node.groups.first; group <= node.groups.last; ++group) {
    const std::vector<double>& in = reference_group(node, node.site.src, src, group, "its source");
    std::vector<double>& out = dst[static_cast<std::size_t>(group - 1)];
    const auto maps = static_cast<Index>(out.size());
    Eigen::Map<Eigen::RowVectorXd>(out.data(), maps) =
        Eigen::Map<const Eigen::MatrixXd>(in.data(), node.site.src.pixels(), maps).colwise().mean();
  }
}

void global_avg_pool_reference_backward(const ReferenceNode& node, const GroupedValues& /*src*/,
                                        const GroupedValues& diff_dst,
                                        const ReferenceGradients& gradients) {
  if (gradients.diff_src == nullptr) return;
  const Index pixels = node.site.src.pixels();
  for (int group = node.groups.first; group <= node.groups.last; ++group) {
    const std::vector<double>& diff =
        reference_group(node, node.site.dst, diff_dst, group, "its result's gradient");
    std::vector<double>& diff_in =
        reference_group(node, node.site.src, *gradients.diff_src, group, "its source's gradient");
    const auto maps = static_cast<Index>(diff.size());
    Eigen::Map<Eigen::MatrixXd>(diff_in.data(), pixels, maps).rowwise() +=
        Eigen::Map<const Eigen::RowVectorXd>(diff.data(), maps) / static_cast<double>(pixels);
  }
}

}  // namespace bellows
