// What a layer is: a name, fields, the shape it makes, the parameters each group owns, the work
// each group costs. Its mathematics stands in other files, one a flavour: <kind>_onednn.cc (run),
// <kind>_learning_onednn.cc (learn), <kind>_reference.cc (slow and obvious).
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "layers/fields.h"
#include "layers/shape.h"

namespace bellows {

enum class LayerKind {
#define BELLOWS_LAYER(kind, Class) k##Class,
#include "layers/layer_list.def"
#undef BELLOWS_LAYER
};

/// The kind as written in configurations: "conv", "batch_norm", ...
const char* layer_kind_name(LayerKind kind);

/// What a parameter is to its layer; the last part of a tensor's name in the model file.
enum class ParameterRole { kWeight, kBias, kScale, kShift, kMean, kVariance };

/// "weight", "bias", "scale", "shift", "mean" or "variance".
const char* parameter_role_name(ParameterRole role);

/// One tensor that one group of a layer owns.
struct ParameterSpec {
  ParameterRole role = ParameterRole::kWeight;
  std::vector<std::int64_t> dims;  ///< row-major, over logical channels (no padding)
  std::int64_t fan_in = 1;         ///< inputs that one output sums over; scales initial weights

  /// Product of `dims`, see saturated_product.
  [[nodiscard]] std::int64_t elements() const;
  /// Moved by the optimiser; running statistics are not.
  [[nodiscard]] bool learned() const {
    return role != ParameterRole::kMean && role != ParameterRole::kVariance;
  }
  /// Subject to weight decay: weights are, biases and normalisation are not.
  [[nodiscard]] bool decays() const { return role == ParameterRole::kWeight; }
};

/// A layer's description. Immutable once its network is built; safe to share between threads.
class Layer {
 public:
  Layer(const Layer&) = delete;
  Layer& operator=(const Layer&) = delete;
  virtual ~Layer() = default;

  [[nodiscard]] LayerKind kind() const { return kind_; }
  /// Unique in its network; part of the names of its tensors.
  [[nodiscard]] const std::string& name() const { return name_; }
  /// Where it was written (see ConfigValue::where); of a layer made by another one, that one's
  /// place. Empty when not known.
  [[nodiscard]] const std::string& where() const { return where_; }
  void set_where(std::string where) { where_ = std::move(where); }

  /// Throws Error(kInvalidArgument) "<where>: layer 'name' (kind): <problem>".
  [[noreturn]] void fail(const std::string& problem) const;

  /// Visits the fields, name included, kind not.
  void visit_fields(FieldVisitor& visitor);

  /// The shape after this layer. Throws Error(kInvalidArgument) naming the layer when it does not
  /// fit `src` (wrong number of groups, a map that vanishes, ...).
  [[nodiscard]] virtual MapShape output_shape(const MapShape& src, bool src_is_input,
                                              int groups) const = 0;

  /// What group `group` owns, in file order.
  [[nodiscard]] virtual std::vector<ParameterSpec> parameters(const LayerSite& /*site*/,
                                                              int /*group*/) const {
    return {};
  }

  /// Multiply-accumulates of group `group` for one input.
  [[nodiscard]] virtual std::int64_t macs(const LayerSite& /*site*/, int /*group*/) const {
    return 0;
  }

 protected:
  explicit Layer(LayerKind kind) : kind_(kind) {}
  Layer(LayerKind kind, std::string name) : kind_(kind), name_(std::move(name)) {}
  virtual void visit_own_fields(FieldVisitor& visitor) = 0;

  /// Output length of a window of `kernel` moved by `stride` over `length` padded on both sides;
  /// fails when nothing is left. `axis` names it in the message.
  [[nodiscard]] int windowed(int length, int kernel, int stride, int padding,
                             const char* axis) const;
  /// Fails unless there is one positive number for each group.
  void require_group_sizes(const std::vector<int>& sizes, const char* key, int groups) const;

 private:
  LayerKind kind_;
  std::string name_;
  std::string where_;
};

using LayerList = std::vector<std::unique_ptr<Layer>>;

/// A layer of the kind `kind` with its fields at their defaults.
std::unique_ptr<Layer> make_layer(LayerKind kind);

/// Every kind there is, in the order of the list.
std::vector<LayerKind> all_layer_kinds();

/// Reads one table ("kind" and that kind's fields). Throws Error(kInvalidArgument) naming the
/// place.
std::unique_ptr<Layer> read_layer(const ConfigValue& table);

/// The inverse of `read_layer`.
ConfigValue write_layer(const Layer& layer);

}  // namespace bellows
