// The golden model with every kind of layer, that embedded builds are checked with. The recipes of
// both its files are here; a recipe that has changed leaves the new file behind and says where.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <iomanip>
#include <set>
#include <string>
#include <vector>

#include "engine/json_value.h"
#include "engine/model_file.h"
#include "tests/golden_logits.h"
#include "tests/grouped_networks.h"
#include "training/reference_network.h"

namespace bellows {
namespace {

constexpr std::uint64_t kSeed = 5;

Network every_kind() {
  return Network::read(read_json(R"({
    "input": [3, 12, 12], "classes": 5, "groups": 3, "connectivity": "triangular",
    "layers": [
      {"kind": "conv", "name": "conv1", "channels": [16, 5, 8], "kernel": 3, "padding": 1},
      {"kind": "batch_norm", "name": "norm1"},
      {"kind": "relu", "name": "relu1"},
      {"kind": "max_pool", "name": "pool1", "kernel": 2},
      {"kind": "conv", "name": "conv2", "depthwise": true, "kernel": 3, "padding": 1},
      {"kind": "relu6", "name": "relu2"},
      {"kind": "residual", "name": "block3", "body": [
        {"kind": "conv", "name": "conv3", "channels": [16, 5, 8], "kernel": 3, "padding": 1},
        {"kind": "batch_norm", "name": "norm3"}]},
      {"kind": "relu", "name": "relu3"},
      {"kind": "residual", "name": "block4", "shortcut": "projected", "body": [
        {"kind": "conv", "name": "conv4", "channels": [8, 12, 4], "kernel": 3, "stride": 2,
         "padding": 1}]},
      {"kind": "avg_pool", "name": "pool4", "kernel": 2, "stride": 1},
      {"kind": "batch_norm", "name": "norm4"},
      {"kind": "relu6", "name": "relu4"},
      {"kind": "linear", "name": "linear5", "features": [16, 10, 6]},
      {"kind": "relu", "name": "relu5"},
      {"kind": "dropout", "name": "dropout5"},
      {"kind": "global_avg_pool", "name": "pool5"},
      {"kind": "head", "name": "head", "mode": "additive"}]})",
                                 "the golden model"));
}

ModelInfo every_kind_info() {
  ModelInfo info;
  info.mean = {0.5, 0.25, 0.75};
  info.stddev = {0.25, 0.5, 0.125};
  info.data_set = "none: random parameters";
  info.created_with = "tests/golden_model_test.cc";
  return info;
}

std::filesystem::path golden(const char* name) {
  return std::filesystem::path(BELLOWS_SOURCE_DIR) / "tests" / "golden" / name;
}

std::filesystem::path made(const char* name) {
  return std::filesystem::path(::testing::TempDir()) / name;
}

// [width - 1]: [images, classes]
GroupedValues reference_logits() {
  const Network network = every_kind();
  const ModelInfo info = every_kind_info();
  ReferenceNetwork reference(network);
  for (int group = 1; group <= network.groups(); ++group) {
    reference.set_group_parameters(group, random_parameters(network, group, kSeed));
  }
  const auto elements = static_cast<std::size_t>(network.input_elements());
  const std::size_t pixels = elements / info.mean.size();
  std::vector<double> normalised;
  for (const float value : golden::images(elements)) {
    const std::size_t channel = normalised.size() % elements / pixels;
    normalised.push_back((value - info.mean[channel]) / info.stddev[channel]);
  }
  return reference.forward(normalised, network.groups());
}

TEST(GoldenModel, HasEveryKindOfLayer) {
  std::set<LayerKind> kinds;
  const Network network = every_kind();
  for (const Node& node : network.nodes()) kinds.insert(node.layer->kind());
  EXPECT_EQ(kinds.size(), all_layer_kinds().size());
}

TEST(GoldenModel, IsWhatItsRecipeMakes) {
  const std::filesystem::path path = made("every_kind.safetensors");
  const Network network = every_kind();
  save_model(path, network, random_weights(network, network.groups(), kSeed), every_kind_info());
  SCOPED_TRACE("what the recipe makes is in " + path.string());
  const ModelFile expected = load_model(path);
  const ModelFile found = load_model(golden("every_kind.safetensors"));
  EXPECT_EQ(found.network.write().to_json(), expected.network.write().to_json());
  EXPECT_TRUE(found.info == expected.info);
  for (int group = 1; group <= network.groups(); ++group) {
    EXPECT_TRUE(
        std::ranges::equal(found.weights.group_values(group), expected.weights.group_values(group)))
        << "group " << group;
  }
}

TEST(GoldenModel, HasTheLogitsOfTheReferenceBesideIt) {
  const GroupedValues expected = reference_logits();
  const std::filesystem::path path = made("every_kind.logits");
  std::ofstream file(path);
  file << "# Logits of every_kind.safetensors, by the reference of tests/golden_model_test.cc:\n"
          "# for each width a block, in it a line for each image.\n"
       << std::setprecision(9);
  for (const std::vector<double>& of_width : expected) {
    const std::size_t classes = of_width.size() / golden::kImages;
    for (std::size_t i = 0; i < of_width.size(); ++i) {
      file << of_width[i] << ((i + 1) % classes == 0 ? '\n' : ' ');
    }
    file << '\n';
  }
  file.close();
  SCOPED_TRACE("what the recipe makes is in " + path.string());
  const auto found = golden::read_logits(golden("every_kind.logits").string(),
                                         every_kind().groups(), every_kind().classes());
  ASSERT_EQ(found.size(), expected.size());
  for (std::size_t width = 0; width < found.size(); ++width) {
    ASSERT_EQ(found[width].size(), expected[width].size());
    for (std::size_t i = 0; i < found[width].size(); ++i) {
      EXPECT_NEAR(found[width][i], expected[width][i], 1e-6) << "width " << width + 1;
    }
  }
}

}  // namespace
}  // namespace bellows
