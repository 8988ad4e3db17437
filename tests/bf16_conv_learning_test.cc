// Learning with products of bfloat16 numbers goes where learning in f32 goes, up to the 8 bits of
// its mantissa.
#include "layers/bf16_conv_learning_onednn.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <string>
#include <vector>

#include "tests/grouped_networks.h"
#include "training/learning_plan_onednn.h"

namespace bellows {
namespace {

constexpr int kBatch = 16;

struct Learned {
  std::vector<double> losses;
  std::vector<float> logits;
  std::vector<float> gradient;  // of all trainable groups
  bool fast = false;            // whether anything multiplied in bfloat16
};

Learned learned(const Network& network, GroupRange range, bool bf16) {
  WeightSet weights = random_weights(network, network.groups(), 2);
  WeightSet gradients(network, range.last);
  LearningPlan plan(network, weights, gradients,
                    {.trainable = range, .batch = kBatch, .threads = 1, .bf16 = bf16, .seed = 3});
  const std::vector<float> images = random_images(network, kBatch, 4);
  const std::vector<int> labels = random_labels(network, kBatch, 4);
  Learned result;
  for (const WidthLoss& width : plan.forward(images.data(), labels.data(), 1)) {
    result.losses.push_back(width.loss);
  }
  result.logits = plan.logits(range.last);
  plan.backward();
  for (int group = range.first; group <= range.last; ++group) {
    for (const ParameterKey& key : network.parameters(group)) {
      if (!key.spec.learned()) continue;
      const std::span<const float> values = gradients.values(key);
      result.gradient.insert(result.gradient.end(), values.begin(), values.end());
    }
  }
  EXPECT_THAT(plan.reference_steps(), ::testing::IsEmpty());
  for (const LearningPlan::StepTime& step : plan.time_steps()) {
    result.fast = result.fast || multiplies_fast_bf16(step.implementation);
  }
  return result;
}

double norm(std::span<const float> values) {
  double squares = 0;
  for (const float value : values) squares += double{value} * double{value};
  return std::sqrt(squares);
}

double distance(std::span<const float> one, std::span<const float> other) {
  std::vector<float> differences(one.size());
  std::ranges::transform(one, other, differences.begin(), std::minus<>());
  return norm(differences);
}

bool has_convolution_over_channels(const Network& network) {
  return std::ranges::any_of(network.nodes(), [](const Node& node) {
    return node.layer->kind() == LayerKind::kConv && !node.site.src_is_input;
  });
}

// A deviation of 2^-9 in every product, averaged over many. Gradients gain from it where it carries
// a value over the kink of a rectifier, and where normalisation over a small batch takes most of
// them away. (Without these it is below 0.01: the next test.)
constexpr double kTolerance = 0.04;
constexpr double kGradientTolerance = 0.1;

TEST(Bf16ConvLearning, LogitsLossesAndGradientsAreThoseOfF32UpToRounding) {
  int with_bf16 = 0;
  for (const NamedNetwork& named : property_networks()) {
    if (!has_convolution_over_channels(named.network)) continue;
    const int groups = named.network.groups();
    for (const GroupRange range : {GroupRange{1, 1}, GroupRange{groups, groups},
                                   GroupRange{1, groups}, GroupRange{2, groups}}) {
      SCOPED_TRACE(named.name + ", groups " + std::to_string(range.first) + " to " +
                   std::to_string(range.last));
      const Learned exact = learned(named.network, range, false);
      const Learned rounded = learned(named.network, range, true);
      EXPECT_FALSE(exact.fast);
      with_bf16 += rounded.fast ? 1 : 0;
      for (std::size_t i = 0; i < exact.losses.size(); ++i) {
        EXPECT_NEAR(rounded.losses[i], exact.losses[i], kTolerance);
      }
      EXPECT_LT(distance(rounded.logits, exact.logits), kTolerance * norm(exact.logits));
      EXPECT_LT(distance(rounded.gradient, exact.gradient),
                kGradientTolerance * norm(exact.gradient));
      // Where no convolution of this shape has them, every bit is that of f32.
      if (!rounded.fast) {
        EXPECT_EQ(rounded.gradient, exact.gradient);
        EXPECT_EQ(rounded.logits, exact.logits);
      }
    }
  }
  if (has_fast_bf16()) {
    EXPECT_GT(with_bf16, 10);
  } else {
    EXPECT_EQ(with_bf16, 0);
  }
}

// Strides, kernels, a bias, a single image; groups of 16 channels and others.
TEST(Bf16ConvLearning, EveryShapeOfConvolutionIsRight) {
  for (const int kernel : {1, 2, 3, 5}) {
    for (const int stride : {1, 2}) {
      SCOPED_TRACE("kernel " + std::to_string(kernel) + ", stride " + std::to_string(stride));
      const Network network = Network::read(
          config::network({3, 12, 12}, 4, 2, "triangular", "per_width",
                          {config::conv("conv1", {16, 20}, 3, 1), config::layer("relu", "relu1"),
                           config::layer("conv", "conv2",
                                         {{"channels", config::integers({32, 7})},
                                          {"kernel", config::integer(kernel)},
                                          {"stride", config::integer(stride)},
                                          {"padding", config::integer(kernel / 2)}})}));
      for (const GroupRange range : {GroupRange{1, 1}, GroupRange{2, 2}, GroupRange{1, 2}}) {
        const Learned exact = learned(network, range, false);
        const Learned rounded = learned(network, range, true);
        EXPECT_EQ(rounded.fast, has_fast_bf16());
        EXPECT_LT(distance(rounded.logits, exact.logits), 0.01 * norm(exact.logits));
        EXPECT_LT(distance(rounded.gradient, exact.gradient), 0.01 * norm(exact.gradient));
      }
    }
  }
}

TEST(Bf16ConvLearning, FrozenGroupsMultiplyInBfloat16Too) {
  const Network network = Network::read(
      config::network({3, 12, 12}, 4, 2, "triangular", "per_width",
                      {config::conv("conv1", {16, 20}, 3, 1), config::layer("relu", "relu1"),
                       config::conv("conv2", {32, 7}, 3, 1)}));
  WeightSet weights = random_weights(network, 2, 2);
  WeightSet gradients(network, 2);
  LearningPlan plan(network, weights, gradients,
                    {.trainable = {2, 2}, .batch = kBatch, .threads = 1, .bf16 = true, .seed = 3});
  bool frozen = false;
  for (const LearningPlan::StepTime& step : plan.time_steps()) {
    frozen |= step.label == "conv2 group 1" && multiplies_fast_bf16(step.implementation);
  }
  EXPECT_EQ(frozen, has_fast_bf16());
}

TEST(Bf16ConvLearning, TheSameStepGivesTheSameBits) {
  const Network network = Network::read(
      config::network({3, 12, 12}, 4, 2, "triangular", "per_width",
                      {config::conv("conv1", {16, 20}, 3, 1), config::layer("relu", "relu1"),
                       config::conv("conv2", {32, 7}, 3, 1)}));
  const Learned one = learned(network, {1, network.groups()}, true);
  EXPECT_EQ(one.fast, has_fast_bf16());
  const Learned again = learned(network, {1, network.groups()}, true);
  EXPECT_EQ(one.gradient, again.gradient);
  EXPECT_EQ(one.logits, again.logits);
}

}  // namespace
}  // namespace bellows
