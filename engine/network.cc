#include "engine/network.h"

#include <bellows/error.h>

#include <algorithm>
#include <functional>
#include <limits>
#include <unordered_set>
#include <utility>

#include "layers/residual.h"

namespace bellows {
namespace {

constexpr int kMaxGroups = 64;
// Channels in the largest block of any machine: what a description may ask for is the same on all.
constexpr int kLargestBlock = 16;
constexpr std::int64_t kMaxElements = std::numeric_limits<std::int32_t>::max();
// Of all tensors of a network, and of its multiply-accumulates. Far beyond what can be run, and far
// enough below 2^63 that nothing computed from them (bytes of a batch, sums) overflows.
constexpr std::int64_t kMaxTotalElements = std::int64_t{1} << 40;
constexpr std::int64_t kMaxTotalMacs = std::int64_t{1} << 50;

// The elements of one image's map, every group filled up to whole blocks.
std::int64_t padded_elements(const MapShape& shape) {
  std::int64_t channels = 0;
  for (const int count : shape.channels) {
    channels += (std::int64_t{count} + kLargestBlock - 1) / kLargestBlock * kLargestBlock;
  }
  return saturated_product({channels, shape.height, shape.width});
}

// The keys of a layer's table that hold one entry for each group; none when it is no layer.
std::unordered_set<std::string> keys_per_group(const ConfigValue& table) {
  std::unordered_set<std::string> keys;
  const ConfigValue* kind = table.find("kind");
  if (kind == nullptr) return keys;
  for (const LayerKind candidate : all_layer_kinds()) {
    if (std::get<std::string>(kind->data()) != layer_kind_name(candidate)) continue;
    FieldDocumenter documenter("");
    make_layer(candidate)->visit_fields(documenter);
    for (const FieldDocumentation& entry : documenter.entries()) {
      if (entry.per_group) keys.insert(entry.key);
    }
  }
  return keys;
}

// What becomes of an array that has one entry for each group.
using ChangeSizes = std::function<void(ConfigValue::Array&)>;

// A written network with those arrays of its layers changed.
ConfigValue with_sizes(const ConfigValue& value, const ChangeSizes& change) {
  if (const auto* array = std::get_if<ConfigValue::Array>(&value.data())) {
    ConfigValue::Array copy;
    for (const ConfigValue& element : *array) copy.push_back(with_sizes(element, change));
    return ConfigValue(std::move(copy), value.where());
  }
  const auto* table = std::get_if<ConfigValue::Table>(&value.data());
  if (table == nullptr) return value;
  const std::unordered_set<std::string> per_group = keys_per_group(value);
  ConfigValue::Table copy;
  for (const auto& [key, member] : *table) {
    ConfigValue changed = with_sizes(member, change);
    auto* sizes = std::get_if<ConfigValue::Array>(&changed.data());
    if (sizes != nullptr && per_group.contains(key)) change(*sizes);
    copy.emplace_back(key, std::move(changed));
  }
  return ConfigValue(std::move(copy), value.where());
}

// The table of a network of so many groups.
ConfigValue regrouped(const ConfigValue& written, int groups, const ChangeSizes& change) {
  ConfigValue table = with_sizes(written, change);
  for (auto& [key, value] : std::get<ConfigValue::Table>(table.data())) {
    if (key == "groups") value = ConfigValue(std::int64_t{groups});
  }
  return table;
}

}  // namespace

void Network::visit_fields(FieldVisitor& visitor) {
  visitor.field("input", input_,
                {.help = "shape of an image: [channels, height, width]",
                 .required = true,
                 .minimum = 1,
                 .maximum = kMaxMapLength});
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
  const std::string& where_input = table.find("input")->where();  // a required key: it is there
  network.build(table.where(), where_input.empty() ? table.where() : where_input);
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
  const auto kept = static_cast<std::size_t>(groups);
  return read(regrouped(write(), groups, [kept](ConfigValue::Array& sizes) {
    if (sizes.size() > kept) sizes.resize(kept);
  }));
}

Network Network::as_one_group() const {
  return read(regrouped(write(), 1, [](ConfigValue::Array& sizes) {
    std::int64_t sum = 0;
    for (const ConfigValue& size : sizes) sum += std::get<std::int64_t>(size.data());
    if (!sizes.empty()) sizes = {ConfigValue(sum)};
  }));
}

std::vector<FieldDocumentation> Network::documentation() {
  Network network;
  FieldDocumenter documenter("network");
  network.visit_fields(documenter);
  return documenter.entries();
}

void Network::check_name(const Layer& layer) {
  const std::string& name = layer.name();
  const bool plain = std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '-';
  });
  if (name.empty() || !plain) {
    // As JSON, since an odd name may have line breaks.
    throw Error(ErrorCode::kInvalidArgument, (layer.where().empty() ? "" : layer.where() + ": ") +
                                                 "layer name " + ConfigValue(name).to_json() +
                                                 " must be letters, digits, '_' or '-'");
  }
  if (!names_.insert(name).second) layer.fail("another layer has this name");
}

int Network::add_node(const Layer* layer, int src, int shortcut, MapShape dst_shape) {
  if ((nodes_.size() + 1) * static_cast<std::size_t>(groups_) > kMaxNodeGroups) {
    layer->fail("the network has too many layers for its " + std::to_string(groups_) +
                " groups: layers times groups must be at most " + std::to_string(kMaxNodeGroups));
  }
  const int node = static_cast<int>(nodes_.size());
  const int dst = static_cast<int>(tensors_.size());
  LayerSite site;
  site.src = tensors_[static_cast<std::size_t>(src)].shape;
  site.dst = dst_shape;
  site.connectivity = connectivity();
  site.src_is_input = src == 0;
  site.classes = classes_;
  const auto check = [&](std::int64_t elements) {
    if (elements < 1 || elements > kMaxElements) {
      layer->fail("needs a tensor of more than 2^31 elements (" + dst_shape.text() +
                  "); make it smaller");
    }
  };
  const std::int64_t elements = padded_elements(dst_shape);
  check(elements);
  for (int group = 1; group <= groups_; ++group) {
    for (const ParameterSpec& spec : layer->parameters(site, group)) check(spec.elements());
    // After the parameters: the work of a layer whose weights are too large would overflow.
    total_macs_ += std::min(layer->macs(site, group), kMaxTotalMacs);
    if (total_macs_ > kMaxTotalMacs) {
      layer->fail("the network needs more than 2^50 multiply-accumulates; make it smaller");
    }
  }
  total_elements_ += elements;
  if (total_elements_ > kMaxTotalElements) {
    layer->fail("the network's activations have more than 2^40 elements; make it smaller");
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
    check_name(*layer);
    const MapShape shape = tensors_[static_cast<std::size_t>(tensor)].shape;
    MapShape dst_shape = layer->output_shape(shape, tensor == 0, groups_);
    if (layer->kind() == LayerKind::kResidual) {
      const auto& residual = static_cast<const Residual&>(*layer);
      int shortcut = tensor;
      if (residual.projected()) {
        const std::size_t begin = projections_.size();
        for (auto& made : residual.make_projection(shape, dst_shape)) {
          made->set_where(layer->where());
          projections_.push_back(std::move(made));
        }
        for (std::size_t i = begin; i < projections_.size(); ++i) {
          const Layer* made = projections_[i].get();
          check_name(*made);
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

void Network::build(const std::string& where, const std::string& where_input) {
  const auto fail = [](const std::string& place, const std::string& problem) {
    throw Error(ErrorCode::kInvalidArgument, (place.empty() ? "" : place + ": ") + problem);
  };
  if (input_.size() != 3) {
    fail(where_input, "key 'network.input' has " + std::to_string(input_.size()) +
                          " entries, it needs [channels, height, width]");
  }
  tensors_.push_back({"input", MapShape{{input_[0]}, input_[1], input_[2]}, -1, {}});
  if (padded_elements(input()) > kMaxElements) {
    fail(where_input, "key 'network.input': more than 2^31 elements (" + input().text() +
                          "); make the image smaller");
  }
  for (std::size_t i = 0; i < layers_.size(); ++i) {
    const bool last = i + 1 == layers_.size();
    if ((layers_[i]->kind() == LayerKind::kHead) != last) {
      layers_[i]->fail(last ? "is the last layer, which must be of kind 'head'"
                            : "only the last layer is of this kind");
    }
  }
  if (layers_.size() < 2) fail(where, "a network needs at least one layer before its head");
  lower(layers_, 0);
}

// Every run of a session asks, so nothing may be allocated here; `build` has seen to the limits.
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
