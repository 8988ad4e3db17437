#include "engine/weight_set.h"

#include <bellows/error.h>

#include <algorithm>
#include <bit>
#include <string>
#include <utility>

namespace bellows {

// The file holds little-endian f32 and a block is handed to it as it lies in memory.
static_assert(std::endian::native == std::endian::little && sizeof(float) == 4);

WeightSet::WeightSet(const Network& network, int groups) {
  if (groups < 0 || groups > network.groups()) {
    throw Error(ErrorCode::kInvalidArgument, "a weight set of " + std::to_string(groups) +
                                                 " groups was asked for, the network has " +
                                                 std::to_string(network.groups()));
  }
  for (int group = 1; group <= groups; ++group) add_group(network);
}

void WeightSet::add_group(const Network& network) {
  const int group = groups() + 1;
  if (group > network.groups()) {
    throw Error(ErrorCode::kInvalidArgument, "group " + std::to_string(group) +
                                                 " cannot be added: the network has " +
                                                 std::to_string(network.groups()));
  }
  for (int older = 1; older < group; ++older) {
    if (!fits(block(older), network, older)) {
      throw Error(ErrorCode::kInvalidArgument,
                  "group " + std::to_string(group) + " cannot be added: group " +
                      std::to_string(older) + " of the weight set is not that of this network");
    }
  }
  Block added;
  added.slots.resize(network.nodes().size());
  const std::vector<ParameterKey> keys = network.parameters(group);
  std::size_t end = 0;
  for (const ParameterKey& key : keys) {
    const auto elements = static_cast<std::size_t>(key.spec.elements());
    added.slots[static_cast<std::size_t>(key.node)][static_cast<std::size_t>(key.spec.role)] = {
        end, elements};
    end += elements;
  }
  added.values.assign(end, 0.0F);
  blocks_.push_back(std::move(added));
  for (const ParameterKey& key : keys) {
    if (key.spec.role == ParameterRole::kScale || key.spec.role == ParameterRole::kVariance) {
      std::ranges::fill(values(key), 1.0F);
    }
  }
}

void WeightSet::keep_groups(int groups) {
  if (groups < 0 || groups > this->groups()) {
    throw Error(ErrorCode::kInvalidArgument, "the weight set has " +
                                                 std::to_string(this->groups()) + " groups, " +
                                                 std::to_string(groups) + " were to stay");
  }
  blocks_.resize(static_cast<std::size_t>(groups));
}

bool WeightSet::fits(const Block& block, const Network& network, int group) {
  if (block.slots.size() != network.nodes().size()) return false;
  std::size_t end = 0;
  for (const ParameterKey& key : network.parameters(group)) {
    const Slot& slot =
        block.slots[static_cast<std::size_t>(key.node)][static_cast<std::size_t>(key.spec.role)];
    const auto elements = static_cast<std::size_t>(key.spec.elements());
    if (slot.begin != end || slot.elements != elements) return false;
    end += elements;
  }
  return end == block.values.size();
}

bool WeightSet::fits(const Network& network) const {
  if (groups() < network.groups()) return false;
  for (int group = 1; group <= network.groups(); ++group) {
    if (!fits(block(group), network, group)) return false;
  }
  return true;
}

const WeightSet::Block& WeightSet::block(int group) const {
  if (group < 1 || group > groups()) {
    throw Error(ErrorCode::kInvalidArgument, "the weight set has no group " +
                                                 std::to_string(group) + ", it has " +
                                                 std::to_string(groups()));
  }
  return blocks_[static_cast<std::size_t>(group - 1)];
}

WeightSet::Slot WeightSet::slot(int group, int node, ParameterRole role) const {
  const auto& slots = block(group).slots;
  if (node >= 0 && static_cast<std::size_t>(node) < slots.size()) {
    const Slot found = slots[static_cast<std::size_t>(node)][static_cast<std::size_t>(role)];
    if (found.elements > 0) return found;
  }
  throw Error(ErrorCode::kInvalidArgument, "group " + std::to_string(group) + ", node " +
                                               std::to_string(node) + " has no parameter '" +
                                               parameter_role_name(role) + "'");
}

std::span<float> WeightSet::values(int group, int node, ParameterRole role) {
  const Slot found = slot(group, node, role);
  return group_values(group).subspan(found.begin, found.elements);
}

std::span<const float> WeightSet::values(int group, int node, ParameterRole role) const {
  const Slot found = slot(group, node, role);
  return group_values(group).subspan(found.begin, found.elements);
}

std::span<float> WeightSet::values(const ParameterKey& key) {
  return values(key.group, key.node, key.spec.role);
}

std::span<const float> WeightSet::values(const ParameterKey& key) const {
  return values(key.group, key.node, key.spec.role);
}

std::span<float> WeightSet::group_values(int group) {
  return const_cast<Block&>(block(group)).values;
}

std::span<const float> WeightSet::group_values(int group) const { return block(group).values; }

std::span<std::uint8_t> WeightSet::group_bytes(int group) {
  const std::span<float> all = group_values(group);
  return {reinterpret_cast<std::uint8_t*>(all.data()), all.size_bytes()};
}

std::span<const std::uint8_t> WeightSet::group_bytes(int group) const {
  const std::span<const float> all = group_values(group);
  return {reinterpret_cast<const std::uint8_t*>(all.data()), all.size_bytes()};
}

}  // namespace bellows
