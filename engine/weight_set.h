// All groups' parameters, stored once.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "engine/network.h"

namespace bellows {

/// The parameters of groups 1..groups() of one network.
///
/// Invariants:
/// - a group is one contiguous block of floats, its tensors in the order of
///   `Network::parameters(group)` without gaps: the very bytes of the model file;
/// - a block never moves and never changes its size: spans stay valid, also through `add_group` and
///   through moving the set, until the set is destroyed or assigned to;
/// - no operation on one group touches the bytes of another.
///
/// Values are little-endian f32, row-major over logical channels (no padding). Reading is safe from
/// any number of threads; writing needs the caller's lock unless groups differ.
class WeightSet {
 public:
  /// No groups.
  WeightSet() = default;
  /// Groups 1..`groups` of `network`, each as `add_group` makes it. Throws Error(kInvalidArgument)
  /// when the network has fewer.
  WeightSet(const Network& network, int groups);

  /// Appends group groups() + 1 of `network`: scales and variances 1, everything else 0. `network`
  /// may have more groups than the one the set was made for, but must have the same layers. Throws
  /// Error(kInvalidArgument) when it has no such group or when groups already here do not fit it.
  void add_group(const Network& network);

  /// Takes the groups beyond the first `groups` away. Throws Error(kInvalidArgument) when there are
  /// not so many.
  void keep_groups(int groups);

  [[nodiscard]] int groups() const { return static_cast<int>(blocks_.size()); }

  /// Whether every group of `network` is here with tensors of the same number of elements. The set
  /// may hold further groups.
  [[nodiscard]] bool fits(const Network& network) const;

  /// One tensor. Throws Error(kInvalidArgument) when there is no such group, node or role.
  [[nodiscard]] std::span<float> values(const ParameterKey& key);
  [[nodiscard]] std::span<const float> values(const ParameterKey& key) const;
  /// `node` is an index into `Network::nodes()`.
  [[nodiscard]] std::span<float> values(int group, int node, ParameterRole role);
  [[nodiscard]] std::span<const float> values(int group, int node, ParameterRole role) const;

  /// All of a group, as floats or as the bytes of the file. Throws Error(kInvalidArgument) when
  /// there is no such group.
  [[nodiscard]] std::span<float> group_values(int group);
  [[nodiscard]] std::span<const float> group_values(int group) const;
  [[nodiscard]] std::span<std::uint8_t> group_bytes(int group);
  [[nodiscard]] std::span<const std::uint8_t> group_bytes(int group) const;

 private:
  static constexpr std::size_t kRoles = 6;

  // A tensor's place in its block; no elements: the layer has no such role.
  struct Slot {
    std::size_t begin = 0;
    std::size_t elements = 0;
  };
  struct Block {
    std::vector<std::array<Slot, kRoles>> slots;  // by node, then role
    std::vector<float> values;
  };

  static bool fits(const Block& block, const Network& network, int group);
  [[nodiscard]] const Block& block(int group) const;
  [[nodiscard]] Slot slot(int group, int node, ParameterRole role) const;

  std::vector<Block> blocks_;
};

}  // namespace bellows
