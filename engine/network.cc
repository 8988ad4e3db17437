#include "engine/network.h"

#include <bellows/error.h>

#include <algorithm>
#include <limits>
#include <utility>

#include "layers/residual.h"

namespace bellows {
namespace {

constexpr int kMaxGroups = 64;

// Arrays that have one entry for each group, wherever they stand in the tree, are cut to `groups`.
ConfigValue with_first_groups(const ConfigValue& value, std::size_t groups) {
  if (const auto* array = std::get_if<ConfigValue::Array>(&value.data())) {
    ConfigValue::Array copy;
    for (const ConfigValue& element : *array) copy.push_back(with_first_groups(element, groups));
    return ConfigValue(std::move(copy), value.where());
  }
  const auto* table = std::get_if<ConfigValue::Table>(&value.data());
  if (table == nullptr) return value;
  ConfigValue::Table copy;
  for (const auto& [key, member] : *table) {
    ConfigValue cut = with_first_groups(member, groups);
    auto* sizes = std::get_if<ConfigValue::Array>(&cut.data());
    if (sizes != nullptr && (key == "channels" || key == "features") && sizes->size() > groups) {
      sizes->resize(groups);
    }
    copy.emplace_back(key, std::move(cut));
  }
  return ConfigValue(std::move(copy), value.where());
}

}  // namespace

void Network::visit_fields(FieldVisitor& visitor) {
  visitor.field(
      "input", input_,
      {.help = "shape of an image: [channels, height, width]", .required = true, .minimum = 1});
  visitor.field("classes", classes_,
                {.help = "number of classes", .required = true, .minimum = 2, .maximum = 65536});
  visitor.field("groups", groups_,
                {.help = "number of groups, and so of widths",
                 .required = true,
                 .minimum = 1,
                 .maximum = kMaxGroups});
  visitor.field(
      "connectivity", connectivity_,
      {.help = "what a group reads of the layer before", .choices = {"triangular", "grouped"}});
  visitor.tables(
      "layers", {.help = "the layers, in order; the last is the head", .required = true},
      [this](const ConfigValue& table) { layers_.push_back(read_layer(table)); },
      [this] {
        ConfigValue::Array array;
        for (const auto& layer : layers_) array.push_back(write_layer(*layer));
        return array;
      });
}

Network Network::read(const ConfigValue& table) {
  Network network;
  FieldReader reader(table, "network");
  network.visit_fields(reader);
  reader.finish();
  try {
    network.build();
  } catch (const Error& error) {
    if (table.where().empty()) throw;
    throw Error(error.code(), table.where() + ": " + error.what());
  }
  return network;
}

ConfigValue Network::write() const {
  FieldWriter writer;
  // Visiting takes a mutable network because readers assign; a writer only looks.
  const_cast<Network*>(this)->visit_fields(writer);
  return writer.value();
}

Network Network::first_groups(int groups) const {
  if (groups < 1 || groups > groups_) {
    throw Error(ErrorCode::kInvalidArgument, "the network has groups 1 to " +
                                                 std::to_string(groups_) + ", the first " +
                                                 std::to_string(groups) + " were asked for");
  }
  ConfigValue table = with_first_groups(write(), static_cast<std::size_t>(groups));
  for (auto& [key, value] : std::get<ConfigValue::Table>(table.data())) {
    if (key == "groups") value = ConfigValue(std::int64_t{groups});
  }
  return read(table);
}

std::vector<FieldDocumentation> Network::documentation() {
  Network network;
  FieldDocumenter documenter("network");
  network.visit_fields(documenter);
  return documenter.entries();
}

void Network::check_name(const std::string& name) {
  const bool plain = std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '-';
  });
  if (name.empty() || !plain) {
    throw Error(ErrorCode::kInvalidArgument,
                "layer name '" + name + "' must be letters, digits, '_' or '-'");
  }
  if (std::find(names_.begin(), names_.end(), name) != names_.end()) {
    throw Error(ErrorCode::kInvalidArgument, "two layers have the name '" + name + "'");
  }
  names_.push_back(name);
}

int Network::add_node(const Layer* layer, int src, int shortcut, MapShape dst_shape) {
  // Counted with groups rounded up to the largest block, since that is what will be allocated.
  std::int64_t elements = 0;
  for (const int channels : dst_shape.channels) {
    elements += dst_shape.pixels() * std::max<std::int64_t>(16, channels);
  }
  const int node = static_cast<int>(nodes_.size());
  const int dst = static_cast<int>(tensors_.size());
  LayerSite site;
  site.src = tensors_[static_cast<std::size_t>(src)].shape;
  site.dst = dst_shape;
  site.connectivity = connectivity();
  site.src_is_input = src == 0;
  site.classes = classes_;
  for (int group = 1; group <= groups_; ++group) {
    for (const ParameterSpec& spec : layer->parameters(site, group)) {
      elements = std::max(elements, spec.elements());
    }
  }
  if (elements > std::numeric_limits<std::int32_t>::max()) {
    throw Error(ErrorCode::kInvalidArgument, "layer '" + layer->name() +
                                                 "' needs a tensor of more than 2^31 elements (" +
                                                 dst_shape.text() + "); make it smaller");
  }
  tensors_.push_back({layer->name(), std::move(dst_shape), node, {}});
  nodes_.push_back({layer, src, shortcut, dst, std::move(site)});
  tensors_[static_cast<std::size_t>(src)].consumers.push_back(node);
  if (shortcut >= 0) tensors_[static_cast<std::size_t>(shortcut)].consumers.push_back(node);
  return dst;
}

int Network::lower(const LayerList& layers, int src) {
  int tensor = src;
  for (const auto& layer : layers) {
    check_name(layer->name());
    const MapShape shape = tensors_[static_cast<std::size_t>(tensor)].shape;
    MapShape dst_shape = layer->output_shape(shape, tensor == 0, groups_);
    if (layer->kind() == LayerKind::kResidual) {
      const auto& residual = static_cast<const Residual&>(*layer);
      int shortcut = tensor;
      if (residual.projected()) {
        const std::size_t begin = projections_.size();
        for (auto& made : residual.make_projection(shape, dst_shape)) {
          projections_.push_back(std::move(made));
        }
        for (std::size_t i = begin; i < projections_.size(); ++i) {
          const Layer* made = projections_[i].get();
          check_name(made->name());
          shortcut = add_node(made, shortcut, -1, dst_shape);
        }
      }
      const int body = lower(residual.body(), tensor);
      tensor = add_node(layer.get(), body, shortcut, std::move(dst_shape));
    } else {
      if (layer->kind() == LayerKind::kHead) {
        dst_shape.channels.assign(static_cast<std::size_t>(groups_), classes_);
      }
      tensor = add_node(layer.get(), tensor, -1, std::move(dst_shape));
    }
  }
  return tensor;
}

void Network::build() {
  if (input_.size() != 3) {
    throw Error(ErrorCode::kInvalidArgument, "key 'network.input' has " +
                                                 std::to_string(input_.size()) +
                                                 " entries, it needs [channels, height, width]");
  }
  tensors_.push_back({"input", MapShape{{input_[0]}, input_[1], input_[2]}, -1, {}});
  if (input_elements() > std::numeric_limits<std::int32_t>::max()) {
    throw Error(ErrorCode::kInvalidArgument, "key 'network.input': more than 2^31 elements");
  }
  for (std::size_t i = 0; i < layers_.size(); ++i) {
    const bool last = i + 1 == layers_.size();
    if ((layers_[i]->kind() == LayerKind::kHead) != last) {
      throw Error(ErrorCode::kInvalidArgument,
                  last ? "the last layer must be of kind 'head', '" + layers_[i]->name() +
                             "' is of kind '" + layer_kind_name(layers_[i]->kind()) + "'"
                       : "layer '" + layers_[i]->name() + "' (head) is not the last one");
    }
  }
  if (layers_.size() < 2) {
    throw Error(ErrorCode::kInvalidArgument, "a network needs at least one layer before its head");
  }
  lower(layers_, 0);
}

std::int64_t Network::input_elements() const { return input().channels_of(1) * input().pixels(); }

std::vector<ParameterKey> Network::parameters(int group) const {
  std::vector<ParameterKey> keys;
  for (std::size_t node = 0; node < nodes_.size(); ++node) {
    for (ParameterSpec& spec : nodes_[node].layer->parameters(nodes_[node].site, group)) {
      keys.push_back({group, static_cast<int>(node), std::move(spec)});
    }
  }
  return keys;
}

std::string Network::parameter_name(const ParameterKey& key) const {
  return "group." + std::to_string(key.group) + "." +
         nodes_[static_cast<std::size_t>(key.node)].layer->name() + "." +
         parameter_role_name(key.spec.role);
}

std::int64_t Network::parameter_count(int group) const {
  std::int64_t count = 0;
  for (const ParameterKey& key : parameters(group)) count += key.spec.elements();
  return count;
}

std::int64_t Network::macs(int group) const {
  std::int64_t count = 0;
  for (const Node& node : nodes_) count += node.layer->macs(node.site, group);
  return count;
}

}  // namespace bellows
