#include "cli/layer_check_onednn.h"

#include <bellows/error.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <memory>

#include "engine/model_state.h"
#include "tests/grouped_networks.h"

namespace bellows::cli {
namespace {

constexpr int kImages = 3;

WeightSet random_weights(const Network& network) {
  return random_weights(network, network.groups(), 5);
}

Model model_of(const Network& network, const WeightSet& weights) {
  return internal::make_model(std::make_shared<internal::ModelState>(
      network.first_groups(network.groups()), ModelInfo{}, weights));
}

Dataset images_for(const Network& network) {
  DatasetContent content;
  content.name = "noise";
  content.shape = {network.input().channels_of(1), network.input().height, network.input().width};
  data::KeyedRandom random(9);
  content.pixels.resize(kImages * content.shape.elements());
  for (auto& pixel : content.pixels) pixel = static_cast<std::uint8_t>(random.below(256));
  content.labels.assign(kImages, 0);
  content.class_names.resize(static_cast<std::size_t>(network.classes()));
  for (std::size_t i = 0; i < content.class_names.size(); ++i) {
    content.class_names[i] = std::to_string(i);
  }
  return Dataset(std::move(content));
}

TEST(LayerCheck, FindsNoDifferenceInAnyLayerOfAnyKind) {
  for (const NamedNetwork& named : property_networks()) {
    SCOPED_TRACE(named.name);
    const WeightSet weights = random_weights(named.network);
    const auto layers =
        check_layers(model_of(named.network, weights), weights, images_for(named.network));
    EXPECT_FALSE(layers.empty());
    for (const LayerDifference& layer : layers) {
      ASSERT_EQ(layer.by_width.size(), static_cast<std::size_t>(named.network.groups()));
      for (const double worst : layer.by_width) EXPECT_LT(worst, 1e-5) << layer.layer;
    }
  }
}

TEST(LayerCheck, ShowsWhichLayerAndWidthDiffer) {
  const auto networks = property_networks();
  const auto named = std::ranges::find(networks, "conv_triangular_per_width", &NamedNetwork::name);
  ASSERT_NE(named, networks.end());
  const Network& network = named->network;
  const WeightSet weights = random_weights(network);
  WeightSet changed = random_weights(network);
  for (const ParameterKey& each : network.parameters(2)) {
    if (network.parameter_name(each) == "group.2.conv2.weight") changed.values(each)[0] += 1;
  }
  const auto layers = check_layers(model_of(network, weights), changed, images_for(network));
  for (const LayerDifference& layer : layers) {
    if (layer.layer == "conv1") {
      for (const double worst : layer.by_width) EXPECT_LT(worst, 1e-5);
    } else if (layer.layer == "conv2") {
      EXPECT_LT(layer.by_width[0], 1e-5);
      EXPECT_GT(layer.by_width[1], 1e-4);
      EXPECT_LT(layer.by_width[2], 1e-5);
    } else {
      EXPECT_EQ(layer.layer, "head");
      EXPECT_LT(layer.by_width[0], 1e-5);
      EXPECT_GT(layer.by_width[1], 1e-4);
    }
  }
}

TEST(LayerCheck, RefusesImagesOfAnotherSize) {
  const auto networks = property_networks();
  const Network& network = networks.front().network;
  const WeightSet weights = random_weights(network);
  DatasetContent content;
  content.name = "noise";
  content.shape = {1, 2, 2};
  content.pixels.resize(4);
  content.labels = {0};
  content.class_names = {"a"};
  EXPECT_THROW(static_cast<void>(
                   check_layers(model_of(network, weights), weights, Dataset(std::move(content)))),
               Error);
}

}  // namespace
}  // namespace bellows::cli
