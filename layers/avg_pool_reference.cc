#include "layers/avg_pool.h"

#include <Eigen/Core>

#include "layers/reference_kinds.h"

namespace bellows {
namespace {

using Eigen::Index;
using Map = Eigen::Array<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

}  // namespace

void avg_pool_reference_forward(const ReferenceNode& node, const GroupedValues& src,
                                const GroupedValues* /*shortcut*/, GroupedValues& dst) {
  const auto& pool = static_cast<const Pool&>(*node.layer);
  const MapShape& from = node.site.src;
  const MapShape& to = node.site.dst;
  for (int group = node.groups.first; group <= node.groups.last; ++group) {
    const std::vector<double>& in = reference_group(node, from, src, group, "its source");
    std::vector<double>& out = dst[static_cast<std::size_t>(group - 1)];
    for (Index map = 0; map < Index{node.batch} * from.channels_of(group); ++map) {
      const Eigen::Map<const Map> in_map(in.data() + map * from.pixels(), from.height, from.width);
      Eigen::Map<Map> out_map(out.data() + map * to.pixels(), to.height, to.width);
      for (int row = 0; row < to.height; ++row) {
        for (int column = 0; column < to.width; ++column) {
          const PoolWindow window = reference_pool_window(pool, from, row, column);
          out_map(row, column) = in_map
                                     .block(window.top, window.left, window.bottom - window.top,
                                            window.right - window.left)
                                     .mean();
        }
      }
    }
  }
}

void avg_pool_reference_backward(const ReferenceNode& node, const GroupedValues& /*src*/,
                                 const GroupedValues& diff_dst,
                                 const ReferenceGradients& gradients) {
  if (gradients.diff_src == nullptr) return;
  const auto& pool = static_cast<const Pool&>(*node.layer);
  const MapShape& from = node.site.src;
  const MapShape& to = node.site.dst;
  for (int group = node.groups.first; group <= node.groups.last; ++group) {
    const std::vector<double>& diff_out =
        reference_group(node, to, diff_dst, group, "its result's gradient");
    std::vector<double>& diff_in =
        reference_group(node, from, *gradients.diff_src, group, "its source's gradient");
    for (Index map = 0; map < Index{node.batch} * from.channels_of(group); ++map) {
      const Eigen::Map<const Map> out_map(diff_out.data() + map * to.pixels(), to.height, to.width);
      Eigen::Map<Map> in_map(diff_in.data() + map * from.pixels(), from.height, from.width);
      for (int row = 0; row < to.height; ++row) {
        for (int column = 0; column < to.width; ++column) {
          const PoolWindow window = reference_pool_window(pool, from, row, column);
          auto covered = in_map.block(window.top, window.left, window.bottom - window.top,
                                      window.right - window.left);
          covered += out_map(row, column) / static_cast<double>(covered.size());
        }
      }
    }
  }
}

}  // namespace bellows
