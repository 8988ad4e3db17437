#include "engine/weight_set.h"

#include <bellows/error.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <numeric>
#include <string>
#include <utility>
#include <vector>

#include "engine/json_value.h"
#include "tests/refusal.h"

namespace bellows {
namespace {

using ::testing::Each;
using ::testing::HasSubstr;

// Three unequal groups and a layer of every kind that has parameters.
Network network(const std::string& linear_features = "[3, 2, 1]") {
  return Network::read(read_json(R"({
    "input": [2, 4, 4], "classes": 3, "groups": 3,
    "layers": [
      {"kind": "conv", "name": "conv1", "channels": [2, 1, 3], "kernel": 3, "padding": 1},
      {"kind": "batch_norm", "name": "norm1"},
      {"kind": "residual", "name": "block", "shortcut": "projected", "body": [
        {"kind": "conv", "name": "conv2", "channels": [1, 2, 1], "kernel": 1, "bias": false}]},
      {"kind": "linear", "name": "fc", "features": )" +
                                     linear_features + R"(},
      {"kind": "relu", "name": "relu"},
      {"kind": "head", "name": "head"}]})",
                                 "test"));
}

std::string error_of(const std::function<void()>& act) { return bellows::refusal(act); }

std::vector<std::uint8_t> bytes(const WeightSet& weights, int group) {
  const auto span = weights.group_bytes(group);
  return {span.begin(), span.end()};
}

TEST(WeightSet, BeginsWithScalesAndVariancesOfOneAndZerosElsewhere) {
  const Network net = network();
  const WeightSet weights(net, 3);
  ASSERT_EQ(weights.groups(), 3);
  for (int group = 1; group <= 3; ++group) {
    for (const ParameterKey& key : net.parameters(group)) {
      const bool one =
          key.spec.role == ParameterRole::kScale || key.spec.role == ParameterRole::kVariance;
      EXPECT_THAT(weights.values(key), Each(one ? 1.0F : 0.0F)) << net.parameter_name(key);
    }
  }
}

TEST(WeightSet, LaysEachGroupDownInFileOrderWithoutGaps) {
  const Network net = network();
  WeightSet weights(net, 3);
  for (int group = 1; group <= 3; ++group) {
    const float* expected = weights.group_values(group).data();
    for (const ParameterKey& key : net.parameters(group)) {
      const std::span<float> values = weights.values(key);
      EXPECT_EQ(values.data(), expected) << net.parameter_name(key);
      EXPECT_EQ(static_cast<std::int64_t>(values.size()), key.spec.elements());
      expected += values.size();
    }
    EXPECT_EQ(expected, weights.group_values(group).data() + net.parameter_count(group));
    EXPECT_EQ(static_cast<std::int64_t>(weights.group_values(group).size()),
              net.parameter_count(group));
  }
}

TEST(WeightSet, FindsAParameterByGroupNodeAndRoleAsByKey) {
  const Network net = network();
  WeightSet weights(net, 3);
  for (int group = 1; group <= 3; ++group) {
    for (const ParameterKey& key : net.parameters(group)) {
      EXPECT_EQ(weights.values(group, key.node, key.spec.role).data(), weights.values(key).data());
      EXPECT_EQ(std::as_const(weights).values(group, key.node, key.spec.role).data(),
                weights.values(key).data());
    }
  }
}

TEST(WeightSet, ShowsAGroupAsLittleEndianBytes) {
  WeightSet weights(network(), 1);
  weights.group_values(1)[1] = 1.0F;  // 0x3f800000
  EXPECT_THAT(weights.group_bytes(1).subspan(4, 4), ::testing::ElementsAre(0, 0, 0x80, 0x3f));
  weights.group_bytes(1)[7] = 0xbf;
  EXPECT_EQ(weights.group_values(1)[1], -1.0F);
}

TEST(WeightSet, KeepsOlderGroupsInPlaceWhenOneIsAdded) {
  const Network net = network();
  WeightSet weights(net, 1);
  float value = 0;
  for (float& weight : weights.group_values(1)) weight = value++;
  const std::vector<std::uint8_t> before = bytes(weights, 1);
  const float* place = weights.group_values(1).data();
  weights.add_group(net);
  weights.add_group(net);
  EXPECT_EQ(weights.groups(), 3);
  EXPECT_EQ(weights.group_values(1).data(), place);
  EXPECT_EQ(bytes(weights, 1), before);
  const WeightSet moved = std::move(weights);
  EXPECT_EQ(moved.group_values(1).data(), place);
}

TEST(WeightSet, GrownGroupByGroupEqualsOneMadeWhole) {
  const Network net = network();
  WeightSet grown;
  // As training does: each step knows a network of one group more.
  for (int group = 1; group <= 3; ++group) grown.add_group(net.first_groups(group));
  const WeightSet whole(net, 3);
  for (int group = 1; group <= 3; ++group) EXPECT_EQ(bytes(grown, group), bytes(whole, group));
  EXPECT_TRUE(grown.fits(net));
}

TEST(WeightSet, WritesToOneGroupTouchNoOther) {
  WeightSet weights(network(), 3);
  const std::vector<std::uint8_t> first = bytes(weights, 1);
  const std::vector<std::uint8_t> third = bytes(weights, 3);
  for (float& weight : weights.group_values(2)) weight = 7;
  EXPECT_EQ(bytes(weights, 1), first);
  EXPECT_EQ(bytes(weights, 3), third);
}

TEST(WeightSet, CopiesShareNothing) {
  WeightSet weights(network(), 1);
  const WeightSet copy = weights;
  weights.group_values(1)[0] = 5;
  EXPECT_EQ(copy.group_values(1)[0], 0.0F);
}

TEST(WeightSet, FitsItsNetworkAndNarrowerOnesOnly) {
  const Network net = network();
  const WeightSet weights(net, 2);
  EXPECT_TRUE(weights.fits(net.first_groups(1)));
  EXPECT_TRUE(weights.fits(net.first_groups(2)));
  EXPECT_FALSE(weights.fits(net));
  EXPECT_FALSE(weights.fits(network("[4, 2, 1]").first_groups(2)));
  EXPECT_TRUE(weights.fits(network("[3, 2, 9]").first_groups(2)));
}

TEST(WeightSet, RefusesWhatIsNotThere) {
  const Network net = network();
  WeightSet weights(net, 2);
  EXPECT_THAT(error_of([&] { static_cast<void>(weights.group_values(0)); }),
              HasSubstr("no group 0, it has 2"));
  EXPECT_THAT(error_of([&] { static_cast<void>(weights.group_bytes(3)); }),
              HasSubstr("no group 3, it has 2"));
  EXPECT_THAT(error_of([&] { static_cast<void>(weights.values(1, 0, ParameterRole::kScale)); }),
              HasSubstr("group 1, node 0 has no parameter 'scale'"));
  for (const int node : {-1, 1000}) {
    EXPECT_THAT(
        error_of([&] { static_cast<void>(weights.values(1, node, ParameterRole::kWeight)); }),
        HasSubstr("node " + std::to_string(node) + " has no parameter 'weight'"));
  }
  EXPECT_THAT(error_of([&] { WeightSet(net, 4); }), HasSubstr("the network has 3"));
  EXPECT_THAT(error_of([&] { WeightSet(net, -1); }), HasSubstr("-1 groups"));
}

TEST(WeightSet, RefusesAGroupOfAnotherNetworkAndStaysAsItWas) {
  const Network net = network();
  WeightSet weights(net, 2);
  EXPECT_THAT(error_of([&] { weights.add_group(network("[3, 4, 1]")); }),
              HasSubstr("group 2 of the weight set is not that of this network"));
  EXPECT_EQ(weights.groups(), 2);
  weights.add_group(net);
  EXPECT_THAT(error_of([&] { weights.add_group(net); }), HasSubstr("the network has 3"));
  EXPECT_EQ(weights.groups(), 3);
}

TEST(WeightSet, KeepsItsFirstGroupsAsTheyAre) {
  WeightSet weights(network(), 3);
  for (int group = 1; group <= 3; ++group) {
    std::iota(weights.group_values(group).begin(), weights.group_values(group).end(), 1.0F);
  }
  const WeightSet before = weights;
  weights.keep_groups(2);
  EXPECT_EQ(weights.groups(), 2);
  for (int group = 1; group <= 2; ++group) {
    EXPECT_TRUE(std::ranges::equal(weights.group_values(group), before.group_values(group)));
  }
  EXPECT_THAT(error_of([&] { weights.keep_groups(3); }), ::testing::HasSubstr("has 2 groups"));
}

}  // namespace
}  // namespace bellows
