#include "layers/layer.h"

#include <bellows/error.h>

#include <numeric>

#include "layers/avg_pool.h"
#include "layers/batch_norm.h"
#include "layers/conv.h"
#include "layers/dropout.h"
#include "layers/global_avg_pool.h"
#include "layers/head.h"
#include "layers/linear.h"
#include "layers/max_pool.h"
#include "layers/relu.h"
#include "layers/relu6.h"
#include "layers/residual.h"

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

std::int64_t ParameterSpec::elements() const {
  return std::accumulate(dims.begin(), dims.end(), std::int64_t{1}, std::multiplies<>());
}

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
  throw Error(ErrorCode::kInvalidArgument,
              "layer '" + name_ + "' (" + layer_kind_name(kind_) + "): " + problem);
}

int Layer::windowed(int length, int kernel, int stride, int padding, const char* axis) const {
  const std::int64_t room = std::int64_t{length} + 2 * std::int64_t{padding} - kernel;
  if (room < 0) {
    fail("the map vanishes: " + std::string(axis) + " " + std::to_string(length) +
         " with padding " + std::to_string(padding) + " is smaller than the kernel " +
         std::to_string(kernel));
  }
  const std::int64_t length_out = room / stride + 1;
  if (length_out > 65536) {
    fail("the map grows to a " + std::string(axis) + " of " + std::to_string(length_out) +
         ", more than 65536; reduce the padding");
  }
  return static_cast<int>(length_out);
}

void Layer::require_group_sizes(const std::vector<int>& sizes, const char* key, int groups) const {
  if (static_cast<int>(sizes.size()) != groups) {
    fail("key '" + std::string(key) + "' has " + std::to_string(sizes.size()) +
         " entries, the network has " + std::to_string(groups) + " groups");
  }
}

std::unique_ptr<Layer> read_layer(const ConfigValue& table) {
  const ConfigValue* kind = table.find("kind");
  const std::string* name = kind == nullptr ? nullptr : std::get_if<std::string>(&kind->data());
  std::string known;
  for (const LayerKind candidate : all_layer_kinds()) {
    if (name != nullptr && *name == layer_kind_name(candidate)) {
      std::unique_ptr<Layer> layer = make_layer(candidate);
      FieldReader reader(table, "layers");
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
  throw Error(ErrorCode::kInvalidArgument,
              kind->where() + ": key 'layers.kind' is \"" + *name + "\", it needs one of " + known);
}

ConfigValue write_layer(const Layer& layer) {
  FieldWriter writer;
  writer.add("kind", ConfigValue(std::string(layer_kind_name(layer.kind()))));
  // Visiting takes a mutable layer because readers assign; a writer only looks.
  const_cast<Layer&>(layer).visit_fields(writer);
  return writer.value();
}

}  // namespace bellows
