#include "engine/selector.h"

#include <bellows/error.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "engine/confidence.h"
#include "engine/model_file.h"
#include "engine/model_state.h"
#include "tests/data_fixtures.h"

namespace bellows {
namespace {

const char* const kTiny = BELLOWS_SOURCE_DIR "/tests/golden/tiny.safetensors";

// For two classes: five inputs.
StopNetwork network() {
  return {.hidden_weight = {1, -2, 0.5F, 0, 1, 0.25F, 1, 1, -1, 2},
          .hidden_bias = {0.1F, -0.2F},
          .weight = {2, -1},
          .bias = 0.3F};
}

TEST(Selector, ReadsProbabilitiesMarginEntropyAndTheLogitsMargin) {
  const std::vector<float> logits = {2, -1};
  std::vector<float> probabilities(2);
  softmax(logits.data(), 2, probabilities.data());
  std::vector<float> inputs(selector_inputs(2));
  write_selector_inputs(logits.data(), probabilities.data(), 2, inputs.data());
  EXPECT_EQ(inputs[0], probabilities[0]);
  EXPECT_EQ(inputs[1], probabilities[1]);
  EXPECT_EQ(inputs[2], probabilities[0] - probabilities[1]);
  EXPECT_EQ(inputs[3], confidence_of(Confidence::kEntropy, probabilities.data(), 2));
  EXPECT_NEAR(inputs[4], 0.3, 1e-6);
}

TEST(Selector, ANetworkIsAHiddenLayerWithRectifiersAndASum) {
  const std::vector<float> x = {0.9F, 0.1F, 0.8F, 0.5F, 0.3F};
  const StopNetwork n = network();
  double expected = n.bias;
  for (std::size_t unit = 0; unit < 2; ++unit) {
    double sum = n.hidden_bias[unit];
    for (std::size_t i = 0; i < 5; ++i) sum += double{n.hidden_weight[unit * 5 + i]} * x[i];
    expected += n.weight[unit] * std::max(0.0, sum);
  }
  EXPECT_NEAR(n.output(x.data(), 5), expected, 1e-6);
}

TEST(Selector, ComesBackFromAModelFileToTheBit) {
  const auto path = fresh_folder() / "model.safetensors";
  ModelFile file = load_model(kTiny);
  StopNetwork odd = network();
  odd.weight[0] = 0.1F;  // no short decimal number
  file.info.selectors = {{.alpha = 0.1, .widths = {network()}}, {.alpha = 1, .widths = {odd}}};
  save_model(path, file.network, file.weights, file.info);
  const ModelFile loaded = load_model(path);
  EXPECT_EQ(loaded.info.selectors, file.info.selectors);
  EXPECT_EQ(loaded.facts.groups[1].sha256, file.facts.groups[1].sha256);
  const Policy policy = Policy::with_selector(Model::load(path), 2);
  EXPECT_EQ(policy.text(), "selector 2 (alpha 1)");
  EXPECT_THROW(Policy::with_selector(Model::load(path), 3), Error);
  EXPECT_THROW(Policy::with_selector(Model::load(path), 0), Error);
  EXPECT_THROW(Policy::with_selector(Model::load(kTiny), 1), Error);
}

TEST(Selector, OneThatDoesNotFitTheModelIsNotWritten) {
  const auto path = fresh_folder() / "model.safetensors";
  ModelFile file = load_model(kTiny);
  file.info.selectors = {{.alpha = 0.1, .widths = {network(), network()}}};
  EXPECT_THROW(save_model(path, file.network, file.weights, file.info), Error);
  file.info.selectors = {{.alpha = 0.1, .widths = {network()}}};
  file.info.selectors[0].widths[0].hidden_weight.pop_back();
  EXPECT_THROW(save_model(path, file.network, file.weights, file.info), Error);
  EXPECT_FALSE(std::filesystem::exists(path));
}

TEST(Selector, AModelTrimmedToOneWidthHasNothingToSelect) {
  const auto folder = fresh_folder();
  ModelFile file = load_model(kTiny);
  file.info.selectors = {{.alpha = 0.1, .widths = {network()}}};
  save_model(folder / "model.safetensors", file.network, file.weights, file.info);
  trim_model(folder / "model.safetensors", 1, folder / "trimmed.safetensors");
  EXPECT_TRUE(load_model(folder / "trimmed.safetensors").info.selectors.empty());
}

}  // namespace
}  // namespace bellows
