#include "layers/max_pool.h"

#include "layers/reference_kinds.h"

namespace bellows {
namespace {

// Calls visit(place in src, place in dst) for the largest value under every window of one group.
// Of equal values the first in row-major order wins.
template <typename Visit>
void for_each_winner(const ReferenceNode& node, int group, const std::vector<double>& in,
                     Visit visit) {
  const auto& pool = static_cast<const Pool&>(*node.layer);
  const MapShape& from = node.site.src;
  const MapShape& to = node.site.dst;
  const auto maps = static_cast<std::size_t>(std::int64_t{node.batch} * from.channels_of(group));
  std::size_t place = 0;
  for (std::size_t map = 0; map < maps; ++map) {
    const std::size_t begin = map * static_cast<std::size_t>(from.pixels());
    const auto at = [&](int h, int w) {
      return begin + static_cast<std::size_t>(h * from.width + w);
    };
    for (int row = 0; row < to.height; ++row) {
      for (int column = 0; column < to.width; ++column, ++place) {
        const PoolWindow window = reference_pool_window(pool, from, row, column);
        std::size_t winner = at(window.top, window.left);
        for (int h = window.top; h < window.bottom; ++h) {
          for (int w = window.left; w < window.right; ++w) {
            if (in[at(h, w)] > in[winner]) winner = at(h, w);
          }
        }
        visit(winner, place);
      }
    }
  }
}

}  // namespace

void max_pool_reference_forward(const ReferenceNode& node, const GroupedValues& src,
                                const GroupedValues* /*shortcut*/, GroupedValues& dst) {
  for (int group = node.groups.first; group <= node.groups.last; ++group) {
    const std::vector<double>& in = reference_group(node, node.site.src, src, group, "its source");
    std::vector<double>& out = dst[static_cast<std::size_t>(group - 1)];
    for_each_winner(node, group, in,
                    [&](std::size_t winner, std::size_t place) { out[place] = in[winner]; });
  }
}

void max_pool_reference_backward(const ReferenceNode& node, const GroupedValues& src,
                                 const GroupedValues& diff_dst,
                                 const ReferenceGradients& gradients) {
  if (gradients.diff_src == nullptr) return;
  for (int group = node.groups.first; group <= node.groups.last; ++group) {
    const std::vector<double>& in = reference_group(node, node.site.src, src, group, "its source");
    const std::vector<double>& diff_out =
        reference_group(node, node.site.dst, diff_dst, group, "its result's gradient");
    std::vector<double>& diff_in =
        reference_group(node, node.site.src, *gradients.diff_src, group, "its source's gradient");
    for_each_winner(node, group, in, [&](std::size_t winner, std::size_t place) {
      diff_in[winner] += diff_out[place];
    });
  }
}

}  // namespace bellows
