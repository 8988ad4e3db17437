#include "engine/fusion.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <string>
#include <utility>
#include <vector>

#include "layers/batch_norm.h"
#include "tests/grouped_networks.h"

namespace bellows {
namespace {

using config::conv;
using config::layer;
using ::testing::AllOf;
using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

Network network_of(ConfigValue::Array layers) {
  return Network::read(
      config::network({2, 9, 8}, 5, 3, "triangular", "per_width", std::move(layers)));
}

const std::vector<int> kSmall{3, 5, 2};

// The fused nodes as text: the names of the layers merged, joined by '+'.
std::vector<std::string> fused_names(const Network& network) {
  std::vector<std::string> names;
  for (const FusedNode& fused : fuse(network)) {
    std::string name;
    for (const int node : {fused.node, fused.norm, fused.sum, fused.activation}) {
      if (node < 0) continue;
      name +=
          (name.empty() ? "" : "+") + network.nodes()[static_cast<std::size_t>(node)].layer->name();
    }
    names.push_back(name);
  }
  return names;
}

TEST(Fuse, TakesNormalisationAndActivationIntoTheConvolutionBeforeThem) {
  EXPECT_THAT(fused_names(network_of({conv("conv1", kSmall, 3, 1), layer("batch_norm", "norm1"),
                                      layer("relu", "relu1"), config::linear("linear2", kSmall),
                                      layer("relu6", "relu2")})),
              ElementsAre("conv1+norm1+relu1", "linear2+relu2", "head"));
}

TEST(Fuse, LeavesAloneWhatFollowsNoConvolution) {
  EXPECT_THAT(fused_names(network_of({conv("conv1", kSmall, 3, 1),
                                      layer("max_pool", "pool1", {{"kernel", config::integer(2)}}),
                                      layer("batch_norm", "norm1"), layer("relu", "relu1")})),
              ElementsAre("conv1", "pool1", "norm1", "relu1", "head"));
}

TEST(Fuse, DoesNotFoldANormalisationBehindAnActivation) {
  EXPECT_THAT(fused_names(network_of({conv("conv1", kSmall, 3, 1), layer("relu", "relu1"),
                                      layer("batch_norm", "norm1")})),
              ElementsAre("conv1+relu1", "norm1", "head"));
}

TEST(Fuse, TakesTheSumOfAResidualBlockAndTheActivationBehindIt) {
  const ConfigValue body =
      config::array({conv("body1", kSmall, 3, 1, false), layer("batch_norm", "body_norm1")});
  EXPECT_THAT(fused_names(network_of({conv("conv1", kSmall, 3, 1),
                                      layer("residual", "block1", {{"body", body}}),
                                      layer("relu", "relu2")})),
              ElementsAre("conv1", "body1+body_norm1+block1+relu2", "head"));
}

TEST(Fuse, KeepsATensorThatSomebodyElseReads) {
  // The shortcut reads conv1's output before the activation inside the body.
  const ConfigValue body = config::array({layer("relu", "relu1"), conv("body1", kSmall, 3, 1)});
  EXPECT_THAT(fused_names(network_of(
                  {conv("conv1", kSmall, 3, 1), layer("residual", "block1", {{"body", body}})})),
              ElementsAre("conv1", "relu1", "body1+block1", "head"));
}

TEST(Fuse, FoldsANormalisationIntoWeightsAndBiasOfTheConvolution) {
  const Network network = network_of({conv("conv1", kSmall, 3, 1), layer("batch_norm", "norm1")});
  const WeightSet weights = random_weights(network, 3, 11);
  const FusedNode fused = fuse(network).front();
  const double epsilon = static_cast<const BatchNorm&>(*network.nodes()[1].layer).epsilon();
  for (int group = 1; group <= 3; ++group) {
    const auto value = [&](int node, ParameterRole role, std::size_t i) {
      return double{weights.values(group, node, role)[i]};
    };
    const std::vector<float> scale = folded_scale(network, weights, fused, group);
    const std::vector<float> bias = folded_bias(network, weights, fused, group);
    ASSERT_THAT(scale, SizeIs(kSmall[static_cast<std::size_t>(group - 1)]));
    ASSERT_THAT(bias, SizeIs(scale.size()));
    for (std::size_t i = 0; i < scale.size(); ++i) {
      // The convolution gives 0.7 and its bias: what does the normalisation make of that?
      const double before = 0.7 + value(0, ParameterRole::kBias, i);
      const double after = (before - value(1, ParameterRole::kMean, i)) /
                               std::sqrt(value(1, ParameterRole::kVariance, i) + epsilon) *
                               value(1, ParameterRole::kScale, i) +
                           value(1, ParameterRole::kShift, i);
      EXPECT_NEAR(0.7 * scale[i] + bias[i], after, 1e-6);
    }
  }
}

TEST(Fuse, LeavesWeightsAsTheyAreWhereNothingIsFolded) {
  const Network network =
      network_of({conv("conv1", kSmall, 3, 1, /*bias=*/false), layer("relu", "relu1")});
  const WeightSet weights = random_weights(network, 3, 12);
  const FusedNode fused = fuse(network).front();
  EXPECT_THAT(folded_scale(network, weights, fused, 2), IsEmpty());
  EXPECT_THAT(folded_bias(network, weights, fused, 2), AllOf(SizeIs(5), Each(0.0F)));
}

}  // namespace
}  // namespace bellows
