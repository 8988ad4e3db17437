#include "engine/plan.h"

#include <bellows/error.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "tests/grouped_networks.h"

namespace bellows {
namespace {

using config::conv;
using config::layer;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

Network network_of(ConfigValue::Array layers, const std::vector<int>& input = {2, 9, 8}) {
  return Network::read(config::network(input, 5, 3, "triangular", "per_width", std::move(layers)));
}

const std::vector<int> kSmall{3, 5, 2};

TEST(Plan, HasOneProgramAGroupAndPlacesForAllGroupsThatWillCome) {
  const Network network = network_of({conv("conv1", kSmall, 3, 1), layer("relu", "relu1")});
  const WeightSet weights(network, 3);
  PackedWeights packed;
  const Plan whole = build_plan(network, &weights, packed, {.batch = 2, .groups = 3});
  EXPECT_EQ(whole.programs.size(), 3U);
  EXPECT_THAT(whole.reference_steps(), IsEmpty());
  PackedWeights packed_part;
  const Plan part =
      build_plan(network, &weights, packed_part, {.batch = 2, .groups = 1, .allocated_groups = 3});
  EXPECT_EQ(part.programs.size(), 1U);
  EXPECT_LT(packed_part.bytes(), packed.bytes());
  const auto bytes_of = [](const Plan& plan) {
    return plan.table.buffers()[static_cast<std::size_t>(plan.logits.buffer)].bytes;
  };
  EXPECT_EQ(bytes_of(part), bytes_of(whole));
}

TEST(Plan, GroupsOfATensorAreAContiguousPrefixForEveryBatch) {
  const Network network = network_of({conv("conv1", {18, 3, 21}, 3, 1)});
  const WeightSet weights(network, 3);
  for (const int batch : {1, 5}) {
    PackedWeights packed;
    const Plan plan = build_plan(network, &weights, packed, {.batch = batch, .groups = 3});
    const TensorPlace& place = plan.places[1];
    std::size_t expected = 0;
    for (int group = 1; group <= 3; ++group) {
      EXPECT_EQ(place.offset_of(group), expected);
      const int padded = (place.layout.shape().channels_of(group) + place.layout.block() - 1) /
                         place.layout.block() * place.layout.block();
      expected += sizeof(float) * 9 * 8 * static_cast<std::size_t>(padded) *
                  static_cast<std::size_t>(batch);
    }
    EXPECT_EQ(place.layout.bytes({1, 3}), expected);
  }
}

TEST(Plan, WorksOnlyOnWhatItsGroupMayTouch) {
  // No step of group g writes or reads channels of a later group: what lies there may be rubbish.
  const Network network =
      network_of({conv("conv1", kSmall, 3, 1), conv("conv2", kSmall, 3, 1),
                  layer("max_pool", "pool2", {{"kernel", config::integer(2)}})});
  const WeightSet weights(network, 3);
  PackedWeights packed;
  const Plan plan = build_plan(network, &weights, packed, {.batch = 3, .groups = 3});
  for (int group = 1; group < 3; ++group) {
    for (const Step& step : plan.programs[static_cast<std::size_t>(group - 1)]) {
      for (const Argument& argument : step.arguments) {
        for (const TensorPlace& place : plan.places) {
          if (!place.exists() || place.buffer != argument.view.buffer ||
              place.buffer == plan.input.buffer) {
            continue;
          }
          EXPECT_LE(argument.view.offset + argument.view.desc.get_size(),
                    place.offset_of(group + 1))
              << step.label;
        }
      }
    }
  }
}

TEST(Plan, OtherBatchSizesNeedNoWeightsOnceTheyArePacked) {
  const Network network = network_of({conv("conv1", kSmall, 3, 1), layer("batch_norm", "norm1")});
  const WeightSet weights(network, 3);
  PackedWeights packed;
  const auto build = [&](const WeightSet* from, PackedWeights& into) {
    return build_plan(network, from, into, {.batch = 4, .groups = 3});
  };
  build_plan(network, &weights, packed, {.batch = 1, .groups = 3});
  EXPECT_NO_THROW(build(nullptr, packed));
  PackedWeights empty;
  try {
    build(nullptr, empty);
    ADD_FAILURE() << "nothing was thrown";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kUnsupported);
    EXPECT_THAT(error.what(), HasSubstr("conv1 group 1"));
  }
}

TEST(Plan, ImagesAreNormalisedByChannelIntoTheInput) {
  const Network network = network_of({conv("conv1", kSmall, 3, 1)});
  const WeightSet weights(network, 3);
  for (const int batch : {1, 3}) {
    PackedWeights packed;
    const Plan plan =
        build_plan(network, &weights, packed, {.batch = batch, .groups = 1, .allocated_groups = 3});
    const std::vector<float> images = random_images(network, batch, 1);
    std::vector<float> memory(plan.input.layout.bytes({1, 1}) / sizeof(float), 0.0F);
    load_images(plan, images.data(), batch, {0.5F, -1.0F}, {2.0F, 0.25F}, memory.data());
    std::size_t next = 0;
    for (int sample = 0; sample < batch; ++sample) {
      for (int channel = 0; channel < 2; ++channel) {
        for (int pixel = 0; pixel < 72; ++pixel) {
          const float value = images[next++];
          const float expected = channel == 0 ? (value - 0.5F) / 2.0F : (value + 1.0F) / 0.25F;
          EXPECT_NEAR(memory[plan.input.layout.index(sample, channel, pixel)], expected, 1e-4F);
        }
      }
    }
    // What pads the channels stays zero.
    const auto zeros = std::count(memory.begin(), memory.end(), 0.0F);
    EXPECT_EQ(static_cast<std::size_t>(zeros), memory.size() - images.size());
  }
}

}  // namespace
}  // namespace bellows
