// The description of a network: its fields, its layers, and the chain they lower to.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <unordered_set>
#include <vector>

#include "layers/config_value.h"
#include "layers/layer.h"
#include "layers/shape.h"

namespace bellows {

/// Nodes times groups of the largest network accepted: each is work for a plan, and a hostile
/// description asks for many with few bytes. A network of 512 layers can have 16 groups.
inline constexpr std::size_t kMaxNodeGroups = 8192;

/// What a plan's operations are reckoned to take for each node of each group, oneDNN's code
/// included: 8 to 37 kB were measured.
inline constexpr std::size_t kOperationBytes = 32768;

/// Activations between nodes. Tensor 0 is the network's input.
struct Tensor {
  std::string name;  ///< of the layer that makes it; "input" for tensor 0
  MapShape shape;
  int producer = -1;           ///< node; -1 for the input
  std::vector<int> consumers;  ///< nodes, in order
};

/// One layer at its place. A residual layer becomes the nodes of its shortcut, those of its body
/// and a last one, its own, that sums the two.
struct Node {
  const Layer* layer = nullptr;
  int src = 0;        ///< tensor
  int shortcut = -1;  ///< second tensor of a sum; -1 for every other kind
  int dst = 0;        ///< tensor
  LayerSite site;
};

/// Which parameter of which group: a position in the weight set.
struct ParameterKey {
  int group = 1;
  int node = 0;
  ParameterSpec spec;
};

/// A network of `groups()` groups. Immutable; movable, the layers keep their addresses.
class Network {
 public:
  /// Reads the table `network` of a configuration or of a model file. Throws
  /// Error(kInvalidArgument) naming place, key or layer, also for a network that no machine could
  /// run: a tensor of more than 2^31 - 1 elements (its groups filled up to blocks of 16 channels),
  /// more than kMaxNodeGroups nodes times groups.
  static Network read(const ConfigValue& table);
  /// The inverse of `read`; equal networks give equal JSON.
  [[nodiscard]] ConfigValue write() const;

  /// Of a plan's operations, kOperationBytes for each.
  [[nodiscard]] std::size_t operation_bytes() const {
    return nodes_.size() * static_cast<std::size_t>(groups_) * kOperationBytes;
  }

  /// The same network with its first `groups` groups only.
  [[nodiscard]] Network first_groups(int groups) const;
  /// The same channels as one group, in which all read all: what one would train by itself at the
  /// widest width. Throws Error(kInvalidArgument) where that is too large, see `read`.
  [[nodiscard]] Network as_one_group() const;

  [[nodiscard]] int groups() const { return groups_; }
  [[nodiscard]] int classes() const { return classes_; }
  [[nodiscard]] Connectivity connectivity() const {
    return connectivity_ == "triangular" ? Connectivity::kTriangular : Connectivity::kGrouped;
  }
  /// One "group" with the image's channels.
  [[nodiscard]] const MapShape& input() const { return tensors_.front().shape; }
  [[nodiscard]] std::int64_t input_elements() const;

  [[nodiscard]] const std::vector<Tensor>& tensors() const { return tensors_; }
  /// In an order of execution; the last one is the head.
  [[nodiscard]] const std::vector<Node>& nodes() const { return nodes_; }

  /// Everything group `group` owns, in file order: node by node, role by role.
  [[nodiscard]] std::vector<ParameterKey> parameters(int group) const;
  /// "group.2.conv1.weight"
  [[nodiscard]] std::string parameter_name(const ParameterKey& key) const;
  /// Learned values and statistics of group `group` alone.
  [[nodiscard]] std::int64_t parameter_count(int group) const;
  /// Multiply-accumulates of group `group` alone, for one input.
  [[nodiscard]] std::int64_t macs(int group) const;

  /// The keys of the table `network`, for the documentation.
  static std::vector<FieldDocumentation> documentation();

 private:
  Network() = default;
  void visit_fields(FieldVisitor& visitor);
  /// Where the table and its key `input` were written, for messages.
  void build(const std::string& where, const std::string& where_input);
  int add_node(const Layer* layer, int src, int shortcut, MapShape dst_shape);
  int lower(const LayerList& layers, int src);
  void check_name(const Layer& layer);

  std::vector<int> input_;
  int classes_ = 0;
  int groups_ = 0;
  std::string connectivity_ = "triangular";
  LayerList layers_;

  LayerList projections_;  // made by lowering, owned here
  std::unordered_set<std::string> names_;
  std::vector<Tensor> tensors_;
  std::vector<Node> nodes_;
  std::int64_t total_elements_ = 0;  // of all tensors, padding included
  std::int64_t total_macs_ = 0;      // of all groups
};

}  // namespace bellows
