#include "training/initialise.h"

#include <bellows/error.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <numbers>
#include <string_view>

#include "layers/conv.h"
#include "layers/counter_random.h"

namespace bellows {
namespace {

std::uint64_t key_of(std::string_view name, std::uint64_t seed) {
  std::uint64_t key = scatter(seed + 1);
  for (const char c : name) key = scatter(key ^ static_cast<unsigned char>(c));
  return key;
}

// Uniform in (0, 1], number `counter` of the sequence `key`.
double uniform(std::uint64_t key, std::uint64_t counter) {
  const std::uint64_t bits = scatter(key + (counter + 1) * kSplitMixIncrement);
  return static_cast<double>((bits >> 11) + 1) * 0x1p-53;
}

// Two uniform numbers make two normal ones (Box, Muller 1958).
void fill_normal(std::uint64_t key, double deviation, std::span<float> values) {
  for (std::size_t i = 0; i < values.size(); i += 2) {
    const double radius = deviation * std::sqrt(-2 * std::log(uniform(key, i)));
    const double angle = 2 * std::numbers::pi * uniform(key, i + 1);
    values[i] = static_cast<float>(radius * std::cos(angle));
    if (i + 1 < values.size()) values[i + 1] = static_cast<float>(radius * std::sin(angle));
  }
}

// How many columns of the weights of `group`, of the first ones, read narrower groups; and of how
// many. None: it is no layer that mixes channels, or reads the image.
struct Columns {
  std::size_t narrower = 0;
  std::size_t all = 1;
};

Columns columns_of(const Node& node, int group) {
  const bool dense = node.layer->kind() == LayerKind::kLinear ||
                     (node.layer->kind() == LayerKind::kConv &&
                      !static_cast<const Conv&>(*node.layer).depthwise());
  const GroupRange read = node.site.groups_read(group);
  if (!dense || node.site.src_is_input || read.first == group) return {};
  return {static_cast<std::size_t>(node.site.src.channels_in({read.first, group - 1})),
          static_cast<std::size_t>(node.site.channels_read(group))};
}

}  // namespace

void initialise_group(const Network& network, int group, std::uint64_t seed, double lateral,
                      WeightSet& weights) {
  for (const ParameterKey& key : network.parameters(group)) {
    const Node& node = network.nodes()[static_cast<std::size_t>(key.node)];
    const std::span<float> values = weights.values(key);
    initialise(key.spec, node.layer->kind(), network.parameter_name(key), seed, values);
    if (key.spec.role != ParameterRole::kWeight) continue;
    const Columns columns = columns_of(node, group);
    const std::size_t row = values.size() / static_cast<std::size_t>(key.spec.dims.front());
    const std::size_t lateral_part = row / columns.all * columns.narrower;
    for (std::size_t begin = 0; begin < values.size(); begin += row) {
      for (float& value : values.subspan(begin, lateral_part)) {
        value = static_cast<float>(lateral * static_cast<double>(value));
      }
    }
  }
}

void initialise(const ParameterSpec& spec, LayerKind kind, const std::string& name,
                std::uint64_t seed, std::span<float> values) {
  if (static_cast<std::int64_t>(values.size()) != spec.elements()) {
    throw Error(ErrorCode::kInvalidArgument,
                "tensor '" + name + "' has " + std::to_string(spec.elements()) +
                    " elements, room for " + std::to_string(values.size()) + " was given");
  }
  switch (spec.role) {
    case ParameterRole::kWeight: {
      const double gain = kind == LayerKind::kHead ? 1 : 2;
      const double variance = gain / static_cast<double>(std::max<std::int64_t>(1, spec.fan_in));
      fill_normal(key_of(name, seed), std::sqrt(variance), values);
      return;
    }
    case ParameterRole::kScale:
    case ParameterRole::kVariance:
      std::fill(values.begin(), values.end(), 1.0F);
      return;
    case ParameterRole::kBias:
    case ParameterRole::kShift:
    case ParameterRole::kMean:
      std::fill(values.begin(), values.end(), 0.0F);
      return;
  }
}

}  // namespace bellows
