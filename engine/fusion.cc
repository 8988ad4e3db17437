#include "engine/fusion.h"

#include <cmath>
#include <cstddef>
#include <span>

#include "layers/batch_norm.h"

namespace bellows {
namespace {

const Node& node_of(const Network& network, int node) {
  return network.nodes()[static_cast<std::size_t>(node)];
}

bool takes_in_others(LayerKind kind) {
  return kind == LayerKind::kConv || kind == LayerKind::kLinear;
}

}  // namespace

std::vector<FusedNode> fuse(const Network& network) {
  std::vector<FusedNode> fused;
  std::vector<bool> merged(network.nodes().size(), false);
  for (std::size_t i = 0; i < network.nodes().size(); ++i) {
    if (merged[i]) continue;
    const int index = static_cast<int>(i);
    FusedNode made{.node = index, .dst = network.nodes()[i].dst};
    while (takes_in_others(network.nodes()[i].layer->kind()) && made.activation < 0) {
      const std::vector<int>& consumers =
          network.tensors()[static_cast<std::size_t>(made.dst)].consumers;
      if (consumers.size() != 1) break;
      const int next = consumers.front();
      const Node& node = node_of(network, next);
      const LayerKind kind = node.layer->kind();
      if (kind == LayerKind::kBatchNorm && made.norm < 0 && made.sum < 0) {
        made.norm = next;
      } else if (kind == LayerKind::kResidual && made.sum < 0 && node.src == made.dst &&
                 node.shortcut != made.dst) {
        made.sum = next;
      } else if (kind == LayerKind::kRelu || kind == LayerKind::kRelu6) {
        made.activation = next;
      } else {
        break;
      }
      merged[static_cast<std::size_t>(next)] = true;
      made.dst = node.dst;
    }
    fused.push_back(made);
  }
  return fused;
}

std::vector<float> folded_scale(const Network& network, const WeightSet& weights,
                                const FusedNode& fused, int group) {
  std::vector<float> factors;
  if (fused.norm < 0) return factors;
  const auto& norm = static_cast<const BatchNorm&>(*node_of(network, fused.norm).layer);
  const auto scale = weights.values(group, fused.norm, ParameterRole::kScale);
  const auto variance = weights.values(group, fused.norm, ParameterRole::kVariance);
  for (std::size_t i = 0; i < scale.size(); ++i) {
    factors.push_back(
        static_cast<float>(scale[i] / std::sqrt(double{variance[i]} + norm.epsilon())));
  }
  return factors;
}

std::vector<float> folded_bias(const Network& network, const WeightSet& weights,
                               const FusedNode& fused, int group) {
  const Node& node = node_of(network, fused.node);
  std::vector<float> bias;
  for (const ParameterSpec& spec : node.layer->parameters(node.site, group)) {
    if (spec.role == ParameterRole::kWeight) {
      bias.resize(static_cast<std::size_t>(spec.dims[0]));
    } else if (spec.role == ParameterRole::kBias) {
      const auto own = weights.values(group, fused.node, ParameterRole::kBias);
      bias.assign(own.begin(), own.end());
    }
  }
  const std::vector<float> factors = folded_scale(network, weights, fused, group);
  for (std::size_t i = 0; i < factors.size(); ++i) {
    const auto shift = weights.values(group, fused.norm, ParameterRole::kShift);
    const auto mean = weights.values(group, fused.norm, ParameterRole::kMean);
    bias[i] = (bias[i] - mean[i]) * factors[i] + shift[i];
  }
  return bias;
}

std::vector<float> folded_norm(const Network& network, const WeightSet& weights, int norm,
                               int group) {
  std::vector<float> values =
      folded_scale(network, weights, {.node = norm, .norm = norm, .dst = 0}, group);
  const std::size_t channels = values.size();
  const auto shift = weights.values(group, norm, ParameterRole::kShift);
  const auto mean = weights.values(group, norm, ParameterRole::kMean);
  for (std::size_t i = 0; i < channels; ++i) values.push_back(shift[i] - mean[i] * values[i]);
  return values;
}

}  // namespace bellows
