// What every <kind>_reference.cc defines, and the few things these files share. For them alone:
// users call reference_forward and reference_backward.
#pragma once

#include <cstdint>
#include <vector>

#include "layers/pool.h"
#include "layers/reference.h"

namespace bellows {

// conv_reference_forward, conv_reference_backward, ...: as reference_forward and
// reference_backward, for nodes of that kind. Forward finds the groups to compute sized and zero.
#define BELLOWS_LAYER(kind, Class)                                                    \
  void kind##_reference_forward(const ReferenceNode& node, const GroupedValues& src,  \
                                const GroupedValues* shortcut, GroupedValues& dst);   \
  void kind##_reference_backward(const ReferenceNode& node, const GroupedValues& src, \
                                 const GroupedValues& diff_dst,                       \
                                 const ReferenceGradients& gradients);
#include "layers/layer_list.def"
#undef BELLOWS_LAYER

/// Group `group` of `values`, which hold a batch of `shape`. Throws Error(kInvalidArgument) naming
/// the layer and `what` when the group is absent or has another size.
const std::vector<double>& reference_group(const ReferenceNode& node, const MapShape& shape,
                                           const GroupedValues& values, int group,
                                           const char* what);
std::vector<double>& reference_group(const ReferenceNode& node, const MapShape& shape,
                                     GroupedValues& values, int group, const char* what);

/// The parameter `role` of group `group`; null when the layer has none, such as a bias left out.
/// Throws Error(kInvalidArgument) when it should be there and is not, or has another size.
const std::vector<double>* reference_parameter(const ReferenceNode& node, int group,
                                               ParameterRole role);
/// Where the gradient of that parameter is added, zero at first; null when the layer has none.
std::vector<double>* reference_parameter_gradient(const ReferenceNode& node,
                                                  const ReferenceGradients& gradients, int group,
                                                  ParameterRole role);

/// The groups `read` of src side by side, [N, features read].
std::vector<double> reference_gather(const ReferenceNode& node, const GroupedValues& src,
                                     GroupRange read);
/// The inverse for gradients: adds [N, features of `groups`] to the groups of diff_src.
void reference_scatter(const ReferenceNode& node, const std::vector<double>& features,
                       GroupRange groups, GroupedValues& diff_src);
/// Those of the groups `read` that receive gradients: not the frozen ones, nor the input.
GroupRange reference_trainable(const ReferenceNode& node, GroupRange read);

/// dst += weight * features of the groups `read` + bias, for group `group` of a linear layer or
/// head.
void reference_dense_forward(const ReferenceNode& node, int group, GroupRange read,
                             const GroupedValues& src, std::vector<double>& dst);
void reference_dense_backward(const ReferenceNode& node, int group, GroupRange read,
                              const GroupedValues& src, const std::vector<double>& diff_dst,
                              const ReferenceGradients& gradients);

/// The part of the map of src that the window of a pooling layer covers at one place of dst: rows
/// [top, bottom) and columns [left, right). Never empty.
struct PoolWindow {
  int top, bottom, left, right;
};
PoolWindow reference_pool_window(const Pool& pool, const MapShape& src, int dst_row,
                                 int dst_column);

}  // namespace bellows
