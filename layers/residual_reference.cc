#include "layers/residual.h"

#include <bellows/error.h>

#include <algorithm>
#include <functional>

#include "layers/reference_kinds.h"

namespace bellows {

void residual_reference_forward(const ReferenceNode& node, const GroupedValues& src,
                                const GroupedValues* shortcut, GroupedValues& dst) {
  if (shortcut == nullptr) {
    throw Error(ErrorCode::kInvalidArgument,
                "reference of layer '" + node.layer->name() + "' (residual): no shortcut given");
  }
  // Body and shortcut have nodes of their own: both arrive here in the shape of dst.
  for (int group = node.groups.first; group <= node.groups.last; ++group) {
    const std::vector<double>& body =
        reference_group(node, node.site.dst, src, group, "its source");
    const std::vector<double>& around =
        reference_group(node, node.site.dst, *shortcut, group, "its shortcut");
    std::transform(body.begin(), body.end(), around.begin(),
                   dst[static_cast<std::size_t>(group - 1)].begin(), std::plus<>());
  }
}

void residual_reference_backward(const ReferenceNode& node, const GroupedValues& /*src*/,
                                 const GroupedValues& diff_dst,
                                 const ReferenceGradients& gradients) {
  for (int group = node.groups.first; group <= node.groups.last; ++group) {
    const std::vector<double>& diff =
        reference_group(node, node.site.dst, diff_dst, group, "its result's gradient");
    for (GroupedValues* target : {gradients.diff_src, gradients.diff_shortcut}) {
      if (target != nullptr) reference_scatter(node, diff, {group, group}, *target);
    }
  }
}

}  // namespace bellows
