#include "layers/reference.h"

#include <bellows/error.h>

#include <algorithm>
#include <string>

#include "layers/reference_kinds.h"

namespace bellows {
namespace {

[[noreturn]] void fail(const ReferenceNode& node, const std::string& problem) {
  throw Error(ErrorCode::kInvalidArgument, "reference of layer '" + node.layer->name() + "' (" +
                                               layer_kind_name(node.layer->kind()) +
                                               "): " + problem);
}

std::size_t group_elements(const ReferenceNode& node, const MapShape& shape, int group) {
  return static_cast<std::size_t>(std::int64_t{node.batch} * shape.channels_of(group) *
                                  shape.pixels());
}

const ParameterSpec* find_spec(const std::vector<ParameterSpec>& specs, ParameterRole role) {
  for (const ParameterSpec& spec : specs) {
    if (spec.role == role) return &spec;
  }
  return nullptr;
}

void require_groups(const ReferenceNode& node) {
  if (node.groups.first < 1 || node.groups.last > node.site.dst.groups() || node.batch < 1) {
    fail(node, "groups " + std::to_string(node.groups.first) + " to " +
                   std::to_string(node.groups.last) + " of " +
                   std::to_string(node.site.dst.groups()) + " for a batch of " +
                   std::to_string(node.batch) + " cannot be computed");
  }
}

}  // namespace

const std::vector<double>& reference_group(const ReferenceNode& node, const MapShape& shape,
                                           const GroupedValues& values, int group,
                                           const char* what) {
  const std::size_t index = static_cast<std::size_t>(group - 1);
  const std::size_t have = index < values.size() ? values[index].size() : 0;
  const std::size_t need = group_elements(node, shape, group);
  if (have != need) {
    fail(node, "group " + std::to_string(group) + " of " + what + " holds " + std::to_string(have) +
                   " values, " + std::to_string(need) + " are needed");
  }
  return values[index];
}

std::vector<double>& reference_group(const ReferenceNode& node, const MapShape& shape,
                                     GroupedValues& values, int group, const char* what) {
  return const_cast<std::vector<double>&>(
      reference_group(node, shape, std::as_const(values), group, what));
}

const std::vector<double>* reference_parameter(const ReferenceNode& node, int group,
                                               ParameterRole role) {
  const std::vector<ParameterSpec> specs = node.layer->parameters(node.site, group);
  const ParameterSpec* spec = find_spec(specs, role);
  if (spec == nullptr) return nullptr;
  const std::vector<double>* values = nullptr;
  if (node.parameters != nullptr) {
    const auto found = node.parameters->find({group, role});
    if (found != node.parameters->end()) values = &found->second;
  }
  if (values == nullptr || static_cast<std::int64_t>(values->size()) != spec->elements()) {
    fail(node, std::string(parameter_role_name(role)) + " of group " + std::to_string(group) +
                   " holds " + std::to_string(values == nullptr ? 0 : values->size()) +
                   " values, " + std::to_string(spec->elements()) + " are needed");
  }
  return values;
}

std::vector<double>* reference_parameter_gradient(const ReferenceNode& node,
                                                  const ReferenceGradients& gradients, int group,
                                                  ParameterRole role) {
  const std::vector<ParameterSpec> specs = node.layer->parameters(node.site, group);
  const ParameterSpec* spec = find_spec(specs, role);
  if (spec == nullptr) return nullptr;
  if (gradients.parameters == nullptr) fail(node, "gradients of parameters have no place to go");
  std::vector<double>& values = (*gradients.parameters)[{group, role}];
  values.resize(static_cast<std::size_t>(spec->elements()), 0.0);
  return &values;
}

std::vector<double> reference_gather(const ReferenceNode& node, const GroupedValues& src,
                                     GroupRange read) {
  const std::int64_t pixels = node.site.src.pixels();
  const std::int64_t row = node.site.src.channels_in(read) * pixels;
  std::vector<double> features(static_cast<std::size_t>(node.batch * row));
  std::int64_t offset = 0;
  for (int group = read.first; group <= read.last; ++group) {
    const std::vector<double>& values =
        reference_group(node, node.site.src, src, group, "its source");
    const std::int64_t length = node.site.src.channels_of(group) * pixels;
    for (int n = 0; n < node.batch; ++n) {
      std::copy_n(values.data() + n * length, length, features.data() + n * row + offset);
    }
    offset += length;
  }
  return features;
}

void reference_scatter(const ReferenceNode& node, const std::vector<double>& features,
                       GroupRange groups, GroupedValues& diff_src) {
  const std::int64_t pixels = node.site.src.pixels();
  const std::int64_t row = node.site.src.channels_in(groups) * pixels;
  std::int64_t offset = 0;
  for (int group = groups.first; group <= groups.last; ++group) {
    std::vector<double>& values =
        reference_group(node, node.site.src, diff_src, group, "its source's gradient");
    const std::int64_t length = node.site.src.channels_of(group) * pixels;
    for (int n = 0; n < node.batch; ++n) {
      const double* from = features.data() + n * row + offset;
      std::transform(from, from + length, values.data() + n * length, values.data() + n * length,
                     std::plus<>());
    }
    offset += length;
  }
}

GroupRange reference_trainable(const ReferenceNode& node, GroupRange read) {
  if (node.site.src_is_input) return {read.last + 1, read.last};
  return {std::max(read.first, node.groups.first), read.last};
}

PoolWindow reference_pool_window(const Pool& pool, const MapShape& src, int dst_row,
                                 int dst_column) {
  const int top = dst_row * pool.stride().height - pool.padding().height;
  const int left = dst_column * pool.stride().width - pool.padding().width;
  return {std::max(top, 0), std::min(top + pool.kernel().height, src.height), std::max(left, 0),
          std::min(left + pool.kernel().width, src.width)};
}

void reference_forward(const ReferenceNode& node, const GroupedValues& src,
                       const GroupedValues* shortcut, GroupedValues& dst) {
  require_groups(node);
  dst.resize(std::max(dst.size(), static_cast<std::size_t>(node.groups.last)));
  for (int group = node.groups.first; group <= node.groups.last; ++group) {
    dst[static_cast<std::size_t>(group - 1)].assign(group_elements(node, node.site.dst, group),
                                                    0.0);
  }
  switch (node.layer->kind()) {
#define BELLOWS_LAYER(kind, Class) \
  case LayerKind::k##Class:        \
    return kind##_reference_forward(node, src, shortcut, dst);
#include "layers/layer_list.def"
#undef BELLOWS_LAYER
  }
}

void reference_backward(const ReferenceNode& node, const GroupedValues& src,
                        const GroupedValues& diff_dst, const ReferenceGradients& gradients) {
  require_groups(node);
  switch (node.layer->kind()) {
#define BELLOWS_LAYER(kind, Class) \
  case LayerKind::k##Class:        \
    return kind##_reference_backward(node, src, diff_dst, gradients);
#include "layers/layer_list.def"
#undef BELLOWS_LAYER
  }
}

}  // namespace bellows
