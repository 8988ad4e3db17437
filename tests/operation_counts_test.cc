#include "engine/operation_counts.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/grouped_networks.h"

namespace bellows {
namespace {

using config::conv;
using config::layer;
using config::text;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

// Groups of 3, 5 and 2 channels on a 2 x 9 x 8 image, 72 pixels in every map.
const std::vector<int> kChannels{3, 5, 2};

Network network_of(ConfigValue::Array layers, const char* connectivity = "triangular",
                   const char* head = "per_width") {
  return Network::read(config::network({2, 9, 8}, 5, 3, connectivity, head, std::move(layers)));
}

const StepCounts& step_of(const std::vector<StepCounts>& steps, const std::string& layer) {
  for (const StepCounts& step : steps) {
    if (step.layer == layer) return step;
  }
  throw std::runtime_error("no step " + layer);
}

TEST(OperationCounts, OfAConvolutionAreItsWindowsWeightsAndMaps) {
  const Network network =
      network_of({conv("conv1", kChannels, 3, 1), conv("conv2", {4, 6, 8}, 3, 1)});
  const auto steps = count_operations(network);
  // Every group of the first layer reads the whole image.
  EXPECT_EQ(steps[0].groups[1], (OperationCounts{.macs = 5 * 2 * 9 * 72,
                                                 .weight_bytes = 4 * (5 * 2 * 9 + 5),
                                                 .read_bytes = 4 * 2 * 72,
                                                 .written_bytes = 4 * 5 * 72}));
  // Group 2 of the second reads groups 1 and 2 of the first.
  EXPECT_EQ(steps[1].groups[1], (OperationCounts{.macs = 6 * 8 * 9 * 72,
                                                 .weight_bytes = 4 * (6 * 8 * 9 + 6),
                                                 .read_bytes = 4 * 8 * 72,
                                                 .written_bytes = 4 * 6 * 72}));
  EXPECT_THAT(steps[1].held_bytes,
              ElementsAre(4 * 72 * (3 + 4), 4 * 72 * (8 + 10), 4 * 72 * (10 + 18)));
  EXPECT_EQ(steps[0].held_bytes[2], 4 * 72 * (2 + 10));
}

TEST(OperationCounts, OfGroupsThatStandApartReadTheirOwnGroupOnly) {
  const auto steps = count_operations(
      network_of({conv("conv1", kChannels, 3, 1), conv("conv2", {4, 6, 8}, 3, 1)}, "grouped"));
  EXPECT_EQ(steps[1].groups[2].macs, 8 * 2 * 9 * 72);
  EXPECT_EQ(steps[1].groups[2].read_bytes, 4 * 2 * 72);
}

TEST(OperationCounts, WhatIsMergedMovesNothingAndLeavesABias) {
  const auto steps = count_operations(network_of(
      {conv("conv1", kChannels, 3, 1, false), layer("batch_norm", "norm1"), layer("relu", "relu1"),
       layer("max_pool", "pool1", {{"kernel", config::integer(2)}})}));
  ASSERT_EQ(steps.size(), 3U);  // the convolution, the pool, the head
  EXPECT_THAT(steps[0].merged, ElementsAre("norm1", "relu1"));
  EXPECT_EQ(steps[0].groups[0], (OperationCounts{.macs = 3 * 2 * 9 * 72,
                                                 .weight_bytes = 4 * (3 * 2 * 9 + 3),
                                                 .read_bytes = 4 * 2 * 72,
                                                 .written_bytes = 4 * 3 * 72}));
  EXPECT_THAT(steps[1].merged, IsEmpty());
  EXPECT_EQ(
      steps[1].groups[0],
      (OperationCounts{
          .macs = 0, .weight_bytes = 0, .read_bytes = 4 * 3 * 72, .written_bytes = 4 * 3 * 4 * 4}));
}

TEST(OperationCounts, ADepthwiseConvolutionReadsEachChannelOnce) {
  const auto steps = count_operations(
      network_of({conv("conv1", kChannels, 3, 1), layer("conv", "conv2",
                                                        {{"depthwise", config::flag(true)},
                                                         {"kernel", config::integer(3)},
                                                         {"padding", config::integer(1)}})}));
  EXPECT_EQ(step_of(steps, "conv2").groups[1], (OperationCounts{.macs = 5 * 9 * 72,
                                                                .weight_bytes = 4 * (5 * 9 + 5),
                                                                .read_bytes = 4 * 5 * 72,
                                                                .written_bytes = 4 * 5 * 72}));
}

TEST(OperationCounts, ASumThatIsTakenInReadsItsShortcut) {
  const Network network = network_of(
      {conv("conv1", kChannels, 3, 1), layer("relu", "relu1"),
       layer("residual", "block",
             {{"shortcut", text("identity")},
              {"body", config::array({conv("body1", kChannels, 3, 1), layer("relu", "body1_relu"),
                                      conv("body2", kChannels, 3, 1)})}})});
  const auto steps = count_operations(network);
  const StepCounts& sum = step_of(steps, "body2");
  EXPECT_THAT(sum.merged, ElementsAre("block"));
  EXPECT_EQ(sum.groups[1].read_bytes, 4 * 72 * (8 + 5));
  EXPECT_EQ(sum.groups[1].written_bytes, 4 * 72 * 5);
  EXPECT_EQ(sum.held_bytes[1], 4 * 72 * (8 + 8 + 8));
}

TEST(OperationCounts, AHeadReadsWhatItsModeSays) {
  const ConfigValue first = conv("conv1", kChannels, 3, 1);
  const auto apart = count_operations(network_of({first}, "triangular", "per_width"));
  EXPECT_EQ(apart[1].groups[1], (OperationCounts{.macs = 5 * 8 * 72,
                                                 .weight_bytes = 4 * (5 * 8 * 72 + 5),
                                                 .read_bytes = 4 * 8 * 72,
                                                 .written_bytes = 4 * 5}));
  const auto added = count_operations(network_of({first}, "triangular", "additive"));
  EXPECT_EQ(added[1].groups[0].read_bytes, 4 * 3 * 72);
  // It adds to the logits of the width before.
  EXPECT_EQ(added[1].groups[1], (OperationCounts{.macs = 5 * 5 * 72,
                                                 .weight_bytes = 4 * (5 * 5 * 72 + 5),
                                                 .read_bytes = 4 * (5 * 72 + 5),
                                                 .written_bytes = 4 * 5}));
}

TEST(OperationCounts, DropoutDoesNothing) {
  const auto steps =
      count_operations(network_of({conv("conv1", kChannels, 3, 1), layer("dropout", "drop1")}));
  EXPECT_EQ(up_to_width(step_of(steps, "drop1"), 3), OperationCounts{});
}

TEST(OperationCounts, OfAWidthAreTheSumOfItsGroupsAndHaveTheNetworksMacs) {
  for (const NamedNetwork& named : property_networks()) {
    SCOPED_TRACE(named.name);
    const auto steps = count_operations(named.network);
    std::int64_t macs = 0;
    OperationCounts before;
    for (int width = 1; width <= named.network.groups(); ++width) {
      macs += named.network.macs(width);
      const OperationCounts counts = up_to_width(steps, width);
      EXPECT_EQ(counts.macs, macs);
      EXPECT_GT(counts.weight_bytes, before.weight_bytes);
      EXPECT_GT(counts.read_bytes, before.read_bytes);
      EXPECT_GT(counts.written_bytes, before.written_bytes);
      before = counts;
    }
  }
}

}  // namespace
}  // namespace bellows
