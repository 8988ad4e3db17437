// Small networks of three unequal groups for tests of properties, made without text: every kind of
// layer, both connectivities, both heads; with parameters, images, labels and dropout factors that
// depend on a seed only.
//
//   for (const NamedNetwork& named : property_networks()) {
//     SCOPED_TRACE(named.name);
//     const auto parameters = random_parameters(named.network, /*group=*/1, /*seed=*/7);
//     ...
//   }
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <functional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "engine/network.h"
#include "engine/weight_set.h"
#include "layers/config_value.h"
#include "layers/dropout.h"
#include "layers/reference.h"
#include "training/data/random.h"

namespace bellows {

/// Tables as a configuration reader would make them.
namespace config {

// Set in place: g++ 12 with sanitizers takes the move of a fresh variant for one of rubbish.
template <typename Value>
ConfigValue value_of(Value value) {
  ConfigValue result;
  result.data().emplace<Value>(std::move(value));
  return result;
}

inline ConfigValue text(const char* value) { return value_of(std::string(value)); }
inline ConfigValue integer(int value) { return value_of(std::int64_t{value}); }
inline ConfigValue real(double value) { return value_of(value); }
inline ConfigValue flag(bool value) { return value_of(value); }
inline ConfigValue integers(const std::vector<int>& values) {
  ConfigValue::Array array;
  for (const int value : values) array.push_back(integer(value));
  return value_of(std::move(array));
}
inline ConfigValue array(ConfigValue::Array values) { return value_of(std::move(values)); }

/// A layer's table: kind, name and the fields in `more`.
inline ConfigValue layer(const char* kind, const char* name, ConfigValue::Table more = {}) {
  ConfigValue::Table table{{"kind", text(kind)}, {"name", text(name)}};
  for (auto& member : more) table.push_back(std::move(member));
  return value_of(std::move(table));
}
inline ConfigValue conv(const char* name, const std::vector<int>& channels, int kernel, int padding,
                        bool bias = true) {
  return layer("conv", name,
               {{"channels", integers(channels)},
                {"kernel", integer(kernel)},
                {"padding", integer(padding)},
                {"bias", flag(bias)}});
}
inline ConfigValue linear(const char* name, const std::vector<int>& features, bool bias = true) {
  return layer("linear", name, {{"features", integers(features)}, {"bias", flag(bias)}});
}

/// A network's table; the head is added behind `layers`.
inline ConfigValue network(const std::vector<int>& input, int classes, int groups,
                           const char* connectivity, const char* head, ConfigValue::Array layers) {
  layers.push_back(layer("head", "head", {{"mode", text(head)}}));
  return value_of(ConfigValue::Table{{"input", integers(input)},
                                     {"classes", integer(classes)},
                                     {"groups", integer(groups)},
                                     {"connectivity", text(connectivity)},
                                     {"layers", array(std::move(layers))}});
}

}  // namespace config

struct NamedNetwork {
  std::string name;  ///< letters, digits and '_', unique
  Network network;
};

/// Layers, head left out, that show one kind in one of its forms; the input is [C, 9, 8].
struct PropertyLayers {
  const char* name;
  LayerKind kind;
  ConfigValue::Array layers;
};

inline std::vector<PropertyLayers> property_layers() {
  using namespace config;  // NOLINT(google-build-using-namespace): a page of tables
  // Unequal, narrower than a block of 8 or 16, and wider without being a multiple.
  const std::vector<int> small{3, 5, 2};
  const std::vector<int> other{7, 3, 9};
  const std::vector<int> wide{18, 3, 21};
  const auto body = [&](const std::vector<int>& channels, int stride) {
    return array({layer("conv", "body1",
                        {{"channels", integers(other)},
                         {"kernel", integer(3)},
                         {"stride", integer(stride)},
                         {"padding", integer(1)},
                         {"bias", flag(false)}}),
                  layer("batch_norm", "body1_norm"), layer("relu", "body1_relu"),
                  conv("body2", channels, 3, 1, false), layer("batch_norm", "body2_norm")});
  };
  const auto pool = [](const char* kind, const char* name) {
    return layer(
        kind, name,
        {{"kernel", integers({3, 2})}, {"stride", integer(2)}, {"padding", integers({1, 0})}});
  };
  std::vector<PropertyLayers> all;
  all.push_back({"conv",
                 LayerKind::kConv,
                 {conv("conv1", small, 3, 1), layer("conv", "conv2",
                                                    {{"channels", integers(other)},
                                                     {"kernel", integers({3, 2})},
                                                     {"stride", integers({2, 1})},
                                                     {"padding", integers({1, 0})},
                                                     {"bias", flag(false)}})}});
  all.push_back({"conv_wide",
                 LayerKind::kConv,
                 {conv("conv1", wide, 3, 0), conv("conv2", {5, 33, 4}, 1, 0)}});
  all.push_back({"conv_depthwise",
                 LayerKind::kConv,
                 {conv("conv1", wide, 3, 1),
                  layer("conv", "conv2",
                        {{"depthwise", flag(true)},
                         {"kernel", integer(3)},
                         {"stride", integer(2)},
                         {"padding", integer(1)}}),
                  layer("relu6", "relu2"), conv("conv3", other, 1, 0)}});
  all.push_back(
      {"conv_depthwise_wide",
       LayerKind::kConv,
       {conv("conv1", wide, 3, 1),
        layer("conv", "conv2",
              {{"depthwise", flag(true)}, {"kernel", integer(5)}, {"padding", integer(2)}}),
        layer("relu", "relu2"), conv("conv3", other, 1, 0)}});
  all.push_back(
      {"batch_norm",
       LayerKind::kBatchNorm,
       {conv("conv1", small, 3, 1, false),
        layer("batch_norm", "norm1", {{"epsilon", real(1e-3)}, {"momentum", real(0.3)}}),
        layer("relu", "relu1"), conv("conv2", other, 3, 0), layer("batch_norm", "norm2")}});
  all.push_back(
      {"batch_norm_alone",
       LayerKind::kBatchNorm,
       {conv("conv1", small, 3, 1), pool("max_pool", "pool1"), layer("batch_norm", "norm1"),
        linear("linear1", other), layer("batch_norm", "norm2"), layer("relu", "relu2")}});
  all.push_back({"relu",
                 LayerKind::kRelu,
                 {conv("conv1", small, 3, 1), layer("relu", "relu1"), conv("conv2", other, 3, 0),
                  layer("relu", "relu2")}});
  all.push_back({"relu_alone",
                 LayerKind::kRelu,
                 {conv("conv1", small, 3, 1), pool("avg_pool", "pool1"), layer("relu", "relu1")}});
  all.push_back({"relu6",
                 LayerKind::kRelu6,
                 {conv("conv1", small, 3, 1), layer("relu6", "relu1"), conv("conv2", other, 3, 0),
                  layer("batch_norm", "norm2"), layer("relu6", "relu2")}});
  all.push_back({"max_pool",
                 LayerKind::kMaxPool,
                 {conv("conv1", small, 3, 1), layer("max_pool", "pool1", {{"kernel", integer(2)}}),
                  conv("conv2", other, 3, 1), layer("relu", "relu2")}});
  all.push_back(
      {"max_pool_padded",
       LayerKind::kMaxPool,
       {conv("conv1", small, 3, 1), pool("max_pool", "pool1"), conv("conv2", other, 1, 0)}});
  all.push_back({"avg_pool",
                 LayerKind::kAvgPool,
                 {conv("conv1", small, 3, 1), layer("avg_pool", "pool1", {{"kernel", integer(2)}}),
                  conv("conv2", other, 3, 1), layer("relu", "relu2")}});
  all.push_back(
      {"avg_pool_padded",
       LayerKind::kAvgPool,
       {conv("conv1", small, 3, 1), pool("avg_pool", "pool1"), conv("conv2", other, 1, 0)}});
  all.push_back(
      {"global_avg_pool",
       LayerKind::kGlobalAvgPool,
       {conv("conv1", wide, 3, 1), layer("relu", "relu1"), layer("global_avg_pool", "pool1")}});
  all.push_back({"dropout",
                 LayerKind::kDropout,
                 {conv("conv1", small, 3, 1), layer("relu", "relu1"), layer("dropout", "dropout1"),
                  linear("linear2", other), layer("dropout", "dropout2", {{"rate", real(0.25)}})}});
  all.push_back({"linear",
                 LayerKind::kLinear,
                 {conv("conv1", small, 3, 0), linear("linear2", wide), layer("relu", "relu2"),
                  linear("linear3", other, false)}});
  all.push_back({"linear_first",
                 LayerKind::kLinear,
                 {linear("linear1", other), layer("relu", "relu1"), linear("linear2", small)}});
  all.push_back(
      {"residual",
       LayerKind::kResidual,
       {conv("conv1", small, 3, 1), layer("relu", "relu1"),
        layer("residual", "block1", {{"body", body(small, 1)}}), layer("relu", "relu2")}});
  all.push_back(
      {"residual_projected",
       LayerKind::kResidual,
       {conv("conv1", small, 3, 1),
        layer("residual", "block1", {{"shortcut", text("projected")}, {"body", body(wide, 2)}}),
        layer("relu", "relu2"), layer("global_avg_pool", "pool2")}});
  all.push_back({"residual_nested",
                 LayerKind::kResidual,
                 {conv("conv1", small, 3, 1),
                  layer("residual", "block1",
                        {{"body", array({layer("relu", "relu1"),
                                         layer("residual", "block2", {{"body", body(small, 1)}}),
                                         conv("conv3", small, 1, 0)})}})}});
  all.push_back({"head", LayerKind::kHead, {conv("conv1", wide, 3, 0)}});
  all.push_back({"head_on_vector", LayerKind::kHead, {linear("linear1", small)}});
  return all;
}

/// Every network of `property_layers` in both connectivities with both heads: three groups, five
/// classes, and in turn 1, 2 and 3 input channels, since grey and RGB images are laid out otherwise
/// than the rest. Throws std::logic_error when a kind of layer is in none of them.
inline std::vector<NamedNetwork> property_networks() {
  std::vector<NamedNetwork> networks;
  for (const PropertyLayers& layers : property_layers()) {
    for (const char* connectivity : {"triangular", "grouped"}) {
      for (const char* head : {"additive", "per_width"}) {
        const int channels = 1 + static_cast<int>(networks.size() % 3);
        networks.push_back({std::string(layers.name) + "_" + connectivity + "_" + head,
                            Network::read(config::network({channels, 9, 8}, 5, 3, connectivity,
                                                          head, layers.layers))});
      }
    }
  }
  for (const LayerKind kind : all_layer_kinds()) {
    bool found = false;
    for (const NamedNetwork& named : networks) {
      for (const Node& node : named.network.nodes()) found = found || node.layer->kind() == kind;
    }
    if (!found) {
      throw std::logic_error(std::string("no property network has a layer of kind '") +
                             layer_kind_name(kind) +
                             "': add one to property_layers() in tests/grouped_networks.h");
    }
  }
  return networks;
}

/// One array for each key of `network.parameters(group)`, in that order. The values of a group do
/// not depend on how many groups there are, as long as their shapes do not.
inline std::vector<std::vector<float>> random_parameters(const Network& network, int group,
                                                         std::uint64_t seed) {
  std::vector<std::vector<float>> parameters;
  for (const ParameterKey& key : network.parameters(group)) {
    data::KeyedRandom random(seed, static_cast<std::uint64_t>(group), parameters.size());
    std::vector<float>& values = parameters.emplace_back();
    values.resize(static_cast<std::size_t>(key.spec.elements()));
    for (float& value : values) {
      switch (key.spec.role) {
        case ParameterRole::kWeight:
          value = random.bell() * std::sqrt(2.0F / static_cast<float>(key.spec.fan_in));
          break;
        case ParameterRole::kBias:
        case ParameterRole::kShift:
        case ParameterRole::kMean:
          value = random.uniform(-0.3F, 0.3F);
          break;
        case ParameterRole::kScale:
          value = random.uniform(0.8F, 1.2F);
          break;
        case ParameterRole::kVariance:
          value = random.uniform(0.5F, 1.5F);
          break;
      }
    }
  }
  return parameters;
}

/// The first `groups` groups with random_parameters.
inline WeightSet random_weights(const Network& network, int groups, std::uint64_t seed) {
  WeightSet weights(network, groups);
  for (int group = 1; group <= groups; ++group) {
    const auto parameters = random_parameters(network, group, seed);
    std::size_t i = 0;
    for (const ParameterKey& key : network.parameters(group)) {
      std::ranges::copy(parameters[i++], weights.values(key).begin());
    }
  }
  return weights;
}

/// [batch, C, H, W], mean 0 and variance 1.
inline std::vector<float> random_images(const Network& network, int batch, std::uint64_t seed) {
  data::KeyedRandom random(seed, 1000);
  std::vector<float> images(static_cast<std::size_t>(batch * network.input_elements()));
  for (float& value : images) value = random.bell();
  return images;
}

inline std::vector<int> random_labels(const Network& network, int batch, std::uint64_t seed) {
  data::KeyedRandom random(seed, 2000);
  std::vector<int> labels(static_cast<std::size_t>(batch));
  for (int& label : labels) {
    label = static_cast<int>(random.below(static_cast<std::uint32_t>(network.classes())));
  }
  return labels;
}

/// Factors for the dropout at `node`, for the groups `groups`: 0 with the layer's rate, else
/// 1 / (1 - rate), rounded to float.
inline GroupedValues random_dropout_factors(const Network& network, int node, GroupRange groups,
                                            int batch, std::uint64_t seed) {
  const Node& place = network.nodes()[static_cast<std::size_t>(node)];
  const auto rate = static_cast<float>(static_cast<const Dropout&>(*place.layer).rate());
  GroupedValues factors(static_cast<std::size_t>(groups.last));
  for (int group = groups.first; group <= groups.last; ++group) {
    data::KeyedRandom random(seed, 3000, static_cast<std::uint64_t>(node),
                             static_cast<std::uint64_t>(group));
    auto& values = factors[static_cast<std::size_t>(group - 1)];
    values.resize(static_cast<std::size_t>(std::int64_t{batch} * place.site.src.channels_of(group) *
                                           place.site.src.pixels()));
    for (double& value : values) value = random.chance(rate) ? 0.0F : 1.0F / (1.0F - rate);
  }
  return factors;
}

}  // namespace bellows
