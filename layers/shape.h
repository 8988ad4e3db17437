// Shapes of activations, group by group, and what a group may read.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace bellows {

/// The product of sizes, none of them negative; the largest std::int64_t where it is larger still.
[[nodiscard]] std::int64_t saturated_product(const std::vector<std::int64_t>& factors);

/// Which groups of the layer before a group reads (see docs/architecture.md).
enum class Connectivity {
  kTriangular,  ///< group g reads groups 1..g
  kGrouped,     ///< group g reads group g only
};

/// Largest height, width and number of channels of an image, and largest height and width of a map,
/// a kernel, a stride and a padding: products of three of them fit 64 bits.
inline constexpr int kMaxMapLength = 65536;

/// Inclusive range of groups, numbered from 1.
struct GroupRange {
  int first = 1;
  int last = 0;
  [[nodiscard]] int size() const { return last - first + 1; }
  bool operator==(const GroupRange&) const = default;
};

/// The activations between two layers: [N, C, height, width] with C split into groups.
/// `channels[g - 1]` is the number of channels of group g. The network's input has a single group
/// that every group of the first layer reads whole.
struct MapShape {
  std::vector<int> channels;
  int height = 1;
  int width = 1;

  [[nodiscard]] int groups() const { return static_cast<int>(channels.size()); }
  [[nodiscard]] int channels_of(int group) const {
    return channels[static_cast<std::size_t>(group - 1)];
  }
  /// Channels of the groups in `range` together.
  [[nodiscard]] int channels_in(GroupRange range) const;
  [[nodiscard]] std::int64_t pixels() const { return std::int64_t{height} * width; }
  /// "16+16+16+16 x 12 x 12"
  [[nodiscard]] std::string text() const;
  bool operator==(const MapShape&) const = default;
};

/// Where a layer stands: everything besides its own fields that its parameters and costs depend on.
struct LayerSite {
  MapShape src;
  MapShape dst;
  Connectivity connectivity = Connectivity::kTriangular;
  bool src_is_input = false;  ///< src is the network's input: every group reads all of it
  int classes = 0;            ///< of the network; used by the head

  /// Groups of src that group `group` of a mixing layer (conv, linear) reads.
  [[nodiscard]] GroupRange groups_read(int group) const {
    if (src_is_input) return {1, 1};
    return {connectivity == Connectivity::kTriangular ? 1 : group, group};
  }
  /// Channels of src that group `group` of a mixing layer reads.
  [[nodiscard]] int channels_read(int group) const { return src.channels_in(groups_read(group)); }
  /// The group of src that a channel-wise layer (pool, relu, ...) maps to group `group` of dst.
  [[nodiscard]] int channels_here(int group) const {
    return src.channels_of(src_is_input ? 1 : group);
  }
};

}  // namespace bellows
