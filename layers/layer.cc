#include "layers/layer.h"

#include <bellows/error.h>

#include <algorithm>
#include <limits>

#include "layers/all_layers.h"

namespace bellows {

const char* layer_kind_name(LayerKind kind) {
  static constexpr const char* kNames[] = {
#define BELLOWS_LAYER(kind, Class) #kind,
#include "layers/layer_list.def"
#undef BELLOWS_LAYER
  };
  return kNames[static_cast<std::size_t>(kind)];
}

std::vector<LayerKind> all_layer_kinds() {
  return {
#define BELLOWS_LAYER(kind, Class) LayerKind::k##Class,
#include "layers/layer_list.def"
#undef BELLOWS_LAYER
  };
}

std::unique_ptr<Layer> make_layer(LayerKind kind) {
  switch (kind) {
#define BELLOWS_LAYER(name, Class) \
  case LayerKind::k##Class:        \
    return std::make_unique<Class>();
#include "layers/layer_list.def"
#undef BELLOWS_LAYER
  }
  throw Error(ErrorCode::kInvalidArgument, "there is no such kind of layer");
}

const char* parameter_role_name(ParameterRole role) {
  static constexpr const char* kNames[] = {"weight", "bias", "scale", "shift", "mean", "variance"};
  return kNames[static_cast<std::size_t>(role)];
}

std::int64_t saturated_product(const std::vector<std::int64_t>& factors) {
  constexpr std::int64_t kLargest = std::numeric_limits<std::int64_t>::max();
  // A zero wins, wherever it stands.
  if (std::ranges::find(factors, 0) != factors.end()) return 0;
  std::int64_t product = 1;
  for (const std::int64_t factor : factors) {
    if (product > kLargest / factor) return kLargest;
    product *= factor;
  }
  return product;
}

std::int64_t ParameterSpec::elements() const { return saturated_product(dims); }

int MapShape::channels_in(GroupRange range) const {
  int sum = 0;
  for (int group = range.first; group <= range.last; ++group) sum += channels_of(group);
  return sum;
}

std::string MapShape::text() const {
  std::string text;
  for (const int count : channels) {
    if (!text.empty()) text += '+';
    text += std::to_string(count);
  }
  return text + " x " + std::to_string(height) + " x " + std::to_string(width);
}

void Layer::visit_fields(FieldVisitor& visitor) {
  visitor.field("name", name_, {.help = "unique; part of the names of tensors", .required = true});
  visit_own_fields(visitor);
}

void Layer::fail(const std::string& problem) const {
  throw Error(ErrorCode::kInvalidArgument, (where_.empty() ? "" : where_ + ": ") + "layer '" +
                                               name_ + "' (" + layer_kind_name(kind_) +
                                               "): " + problem);
}

int Layer::windowed(int length, int kernel, int stride, int padding, const char* axis) const {
  const std::int64_t room = std::int64_t{length} + 2 * std::int64_t{padding} - kernel;
  if (room < 0) {
    fail("the map vanishes: " + std::string(axis) + " " + std::to_string(length) +
         " with padding " + std::to_string(padding) + " is smaller than the kernel " +
         std::to_string(kernel));
  }
  const std::int64_t length_out = room / stride + 1;
  if (length_out > kMaxMapLength) {
    fail("the map grows to a " + std::string(axis) + " of " + std::to_string(length_out) +
         ", more than " + std::to_string(kMaxMapLength) + "; reduce the padding");
  }
  return static_cast<int>(length_out);
}

void Layer::require_group_sizes(const std::vector<int>& sizes, const char* key, int groups) const {
  if (static_cast<int>(sizes.size()) != groups) {
    fail("key '" + std::string(key) + "' has " + std::to_string(sizes.size()) +
         " entries, the network has " + std::to_string(groups) + " groups");
  }
  for (const int size : sizes) {
    if (size < 1) fail("key '" + std::string(key) + "' has the entry " + std::to_string(size));
  }
}

std::unique_ptr<Layer> read_layer(const ConfigValue& table) {
  const ConfigValue* kind = table.find("kind");
  const std::string* name = kind == nullptr ? nullptr : std::get_if<std::string>(&kind->data());
  std::string known;
  for (const LayerKind candidate : all_layer_kinds()) {
    if (name != nullptr && *name == layer_kind_name(candidate)) {
      std::unique_ptr<Layer> layer = make_layer(candidate);
      layer->set_where(table.where());
      // Keys are named as the page of keys names them: "conv.kernel".
      FieldReader reader(table, layer_kind_name(candidate));
      std::string read_kind;
      reader.field("kind", read_kind, {.required = true});
      layer->visit_fields(reader);
      reader.finish();
      return layer;
    }
    if (!known.empty()) known += ", ";
    known += layer_kind_name(candidate);
  }
  if (name == nullptr) {
    throw Error(ErrorCode::kInvalidArgument, (kind == nullptr ? table : *kind).where() +
                                                 ": a layer needs key 'kind', a string; one of " +
                                                 known);
  }
  throw Error(ErrorCode::kInvalidArgument, kind->where() + ": key 'network.layers.kind' is " +
                                               kind->to_json() + ", it needs one of " + known);
}

ConfigValue write_layer(const Layer& layer) {
  FieldWriter writer;
  writer.add("kind", ConfigValue(std::string(layer_kind_name(layer.kind()))));
  // Visiting takes a mutable layer because readers assign; a writer only looks.
  const_cast<Layer&>(layer).visit_fields(writer);
  return writer.value();
}

}  // namespace bellows
