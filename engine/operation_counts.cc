#include "engine/operation_counts.h"

#include <set>
#include <utility>

#include "engine/fusion.h"
#include "layers/conv.h"
#include "layers/head.h"

namespace bellows {
namespace {

constexpr std::int64_t kBytes = sizeof(float);

const Node& node_at(const Network& network, int node) {
  return network.nodes()[static_cast<std::size_t>(node)];
}

const MapShape& shape_of(const Network& network, int tensor) {
  return network.tensors()[static_cast<std::size_t>(tensor)].shape;
}

std::int64_t bytes_of(const MapShape& shape, GroupRange groups) {
  return kBytes * shape.channels_in(groups) * shape.pixels();
}

bool keeps_channels_apart(const Layer& layer) {
  switch (layer.kind()) {
    case LayerKind::kConv:
      return static_cast<const Conv&>(layer).depthwise();
    case LayerKind::kLinear:
    case LayerKind::kHead:
      return false;
    default:
      return true;
  }
}

// The groups of its source that one group of a layer reads.
GroupRange groups_read(const Node& node, int group) {
  if (node.layer->kind() == LayerKind::kHead) {
    return static_cast<const Head&>(*node.layer).groups_read(node.site, group);
  }
  return keeps_channels_apart(*node.layer) ? GroupRange{group, group}
                                           : node.site.groups_read(group);
}

// Logits of the width before, which an additive head adds its own to.
bool adds_to_logits(const Node& node, int group) {
  return group > 1 && node.layer->kind() == LayerKind::kHead &&
         static_cast<const Head&>(*node.layer).mode() == HeadMode::kAdditive;
}

std::int64_t weight_bytes(const Node& node, bool normalised, int group) {
  std::int64_t values = 0;
  bool biased = false;
  std::int64_t rows = 0;
  for (const ParameterSpec& spec : node.layer->parameters(node.site, group)) {
    values += spec.elements();
    biased = biased || spec.role == ParameterRole::kBias;
    if (spec.role == ParameterRole::kWeight) rows = spec.dims[0];
  }
  // What is left of a merged normalisation.
  if (normalised && !biased) values += rows;
  return kBytes * values;
}

OperationCounts count(const Network& network, const FusedNode& fused, int group) {
  const Node& node = node_at(network, fused.node);
  OperationCounts counts;
  if (node.layer->kind() == LayerKind::kDropout) return counts;
  const GroupRange here{group, group};
  counts.macs = node.layer->macs(node.site, group);
  counts.weight_bytes = weight_bytes(node, fused.norm >= 0, group);
  counts.read_bytes = bytes_of(node.site.src, groups_read(node, group));
  if (node.shortcut >= 0) counts.read_bytes += bytes_of(shape_of(network, node.shortcut), here);
  if (fused.sum >= 0) {
    counts.read_bytes += bytes_of(shape_of(network, node_at(network, fused.sum).shortcut), here);
  }
  counts.written_bytes = bytes_of(shape_of(network, fused.dst), here);
  if (adds_to_logits(node, group)) counts.read_bytes += counts.written_bytes;
  return counts;
}

// A body may begin with the tensor that its sum adds: it is held once.
std::int64_t held_bytes(const Network& network, const FusedNode& fused, int width) {
  const Node& node = node_at(network, fused.node);
  std::set<int> tensors = {node.src, fused.dst};
  if (node.shortcut >= 0) tensors.insert(node.shortcut);
  if (fused.sum >= 0) tensors.insert(node_at(network, fused.sum).shortcut);
  std::int64_t bytes = 0;
  for (const int tensor : tensors) {
    bytes += bytes_of(shape_of(network, tensor), {1, tensor == 0 ? 1 : width});
  }
  return bytes;
}

}  // namespace

OperationCounts& OperationCounts::operator+=(const OperationCounts& other) {
  macs += other.macs;
  weight_bytes += other.weight_bytes;
  read_bytes += other.read_bytes;
  written_bytes += other.written_bytes;
  return *this;
}

std::vector<StepCounts> count_operations(const Network& network) {
  std::vector<StepCounts> steps;
  for (const FusedNode& fused : fuse(network)) {
    StepCounts step;
    step.layer = node_at(network, fused.node).layer->name();
    for (const int merged : {fused.norm, fused.sum, fused.activation}) {
      if (merged >= 0) step.merged.push_back(node_at(network, merged).layer->name());
    }
    for (int group = 1; group <= network.groups(); ++group) {
      step.groups.push_back(count(network, fused, group));
      step.held_bytes.push_back(held_bytes(network, fused, group));
    }
    steps.push_back(std::move(step));
  }
  return steps;
}

OperationCounts up_to_width(const StepCounts& step, int width) {
  OperationCounts sum;
  for (int group = 1; group <= width; ++group) {
    sum += step.groups[static_cast<std::size_t>(group - 1)];
  }
  return sum;
}

OperationCounts up_to_width(const std::vector<StepCounts>& steps, int width) {
  OperationCounts sum;
  for (const StepCounts& step : steps) sum += up_to_width(step, width);
  return sum;
}

}  // namespace bellows
