#include "training/search/space.h"

#include <bellows/error.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "tests/refusal.h"
#include "tests/search_fixtures.h"

namespace bellows {
namespace {

using ::testing::HasSubstr;

std::vector<std::string> kinds_of(const ConfigValue& network) {
  std::vector<std::string> kinds;
  for (const ConfigValue& layer : std::get<ConfigValue::Array>(network.find("layers")->data())) {
    kinds.push_back(std::get<std::string>(layer.find("kind")->data()));
  }
  return kinds;
}

// TEA-DNN's eight operations, each as the only block.
TEST(ArchitectureSpace, ExpressesTheEightOperationsOfTeaDnn) {
  for (const std::string operation :
       {"max3", "identity", "sep3", "conv3", "sep5", "conv5", "sep7", "conv7"}) {
    SCOPED_TRACE(operation);
    SpaceConfig config;
    config.groups = {1, 2};
    config.stages.resize(1);
    config.stages[0].operations = {operation};
    const ArchitectureSpace space({.input = {3, 16, 16}, .classes = 10}, config);
    SearchPoint point(space.dimensions().size(), 1);
    space.settle(point);
    const Network network = Network::read(space.describe(point));
    EXPECT_EQ(network.groups(), 2);
    const auto kinds = kinds_of(space.describe(point));
    const auto count = [&](const char* kind) { return std::ranges::count(kinds, kind); };
    EXPECT_EQ(count("conv"), operation.starts_with("sep")    ? 3
                             : operation.starts_with("conv") ? 2
                                                             : 1);
    EXPECT_EQ(count("max_pool"), operation == "max3" ? 2 : 1);
  }
}

TEST(ArchitectureSpace, EveryPointIsANetworkAndPointsThatDifferAreDifferentNetworks) {
  const SearchConfig config = small_search();
  const ArchitectureSpace space(config.task, config.space);
  const SearchDomain domain = search_domain(config, space);
  data::KeyedRandom random(1);
  std::set<SearchPoint> points;
  for (int i = 0; i < 400; ++i) points.insert(domain.random(random));
  std::set<std::string> networks;
  std::set<std::string> texts;
  for (const SearchPoint& point : points) {
    const ConfigValue description = space.describe(point);
    EXPECT_NO_THROW(static_cast<void>(Network::read(description)));
    networks.insert(description.to_json());
    texts.insert(space.text(point));
  }
  EXPECT_GT(points.size(), 50U);
  EXPECT_EQ(networks.size(), points.size());
  EXPECT_EQ(texts.size(), points.size());
}

TEST(ArchitectureSpace, WhatMeansNothingIsSetToTheFirstChoice) {
  const SearchConfig config = small_search();
  const ArchitectureSpace space(config.task, config.space);
  const auto position = [&](const std::string& name) {
    const auto& all = space.dimensions();
    return static_cast<std::size_t>(std::ranges::find(all, name, &Dimension::name) - all.begin());
  };
  SearchPoint point(space.dimensions().size(), 1);
  point[position("groups")] = 0;
  space.settle(point);
  EXPECT_EQ(point[position("connectivity")], 0);
  EXPECT_EQ(point[position("share2")], 0);

  // Blocks that do nothing are none.
  point[position("stage1.blocks")] = 2;
  point[position("stage1.operation1")] = 2;
  point[position("stage1.operation2")] = 1;
  space.settle(point);
  EXPECT_EQ(point[position("stage1.blocks")], 1);
  EXPECT_EQ(point[position("stage1.operation1")], 1);
  point[position("stage1.operation1")] = 2;
  space.settle(point);
  EXPECT_EQ(point[position("stage1.blocks")], 0);
  EXPECT_EQ(point[position("stage1.channels")], 0);
}

TEST(ArchitectureSpace, ChannelsGrowByTheSharesAndAreRounded) {
  SpaceConfig config;
  config.groups = {1, 3};
  config.shares = {0.5, 1, 3};
  config.multiple = 8;
  config.stem.channels = {20};
  config.stages.resize(1);
  const ArchitectureSpace space({.input = {1, 8, 8}, .classes = 2}, config);
  SearchPoint point(space.dimensions().size(), 0);
  point[0] = 1;  // three groups
  for (std::size_t d = 0; d < point.size(); ++d) {
    if (space.dimensions()[d].name == "share3") point[d] = 2;
  }
  const ConfigValue stem =
      std::get<ConfigValue::Array>(space.describe(point).find("layers")->data()).front();
  EXPECT_EQ(stem.find("channels")->to_json(), "[20,8,64]");
}

TEST(ArchitectureSpace, BlocksThatChangeTheShapeGetAProjection) {
  SpaceConfig config;
  config.stem.channels = {8};
  config.stages.resize(1);
  config.stages[0].blocks = {2};
  config.stages[0].channels = {16};
  config.stages[0].shortcuts = {"none", "residual"};
  config.stages[0].pools = {"stride2"};
  const ArchitectureSpace space({.input = {1, 16, 16}, .classes = 2}, config);
  SearchPoint point(space.dimensions().size(), 1);
  const auto layers = std::get<ConfigValue::Array>(space.describe(point).find("layers")->data());
  std::vector<std::string> shortcuts;
  for (const ConfigValue& layer : layers) {
    if (const ConfigValue* shortcut = layer.find("shortcut")) {
      shortcuts.push_back(std::get<std::string>(shortcut->data()));
    }
  }
  EXPECT_EQ(shortcuts, (std::vector<std::string>{"projected", "identity"}));
  EXPECT_NO_THROW(static_cast<void>(Network::read(space.describe(point))));
}

TEST(SearchDomainOfASpace, LeavesOutWhatBreaksAConstraintOrVanishes) {
  SearchConfig config = small_search("[constraints]\nparameters = 900\nmacs = 60000\n");
  const ArchitectureSpace space(config.task, config.space);
  const SearchDomain domain = search_domain(config, space);
  data::KeyedRandom random(1);
  for (int i = 0; i < 50; ++i) {
    const Network network = Network::read(space.describe(domain.random(random)));
    std::int64_t parameters = 0;
    std::int64_t macs = 0;
    for (int group = 1; group <= network.groups(); ++group) {
      parameters += network.parameter_count(group);
      macs += network.macs(group);
    }
    EXPECT_LE(parameters, 900);
    EXPECT_LE(macs, 60000);
  }
  config.constraints.parameters = 1;
  const ArchitectureSpace same(config.task, config.space);
  const SearchDomain none = search_domain(config, same);
  EXPECT_THAT(refusal([&] { static_cast<void>(none.random(random)); }),
              HasSubstr("meets the constraints"));
}

TEST(ArchitectureSpace, ListsWithoutAnEntryOrWithOneTwiceAreRefused) {
  SpaceConfig config;
  config.stages.resize(1);
  config.groups = {};
  const TaskConfig task{.input = {1, 8, 8}, .classes = 2};
  EXPECT_THAT(refusal([&] { ArchitectureSpace(task, config); }), HasSubstr("space.groups"));
  config.groups = {2, 1};
  EXPECT_THAT(refusal([&] { ArchitectureSpace(task, config); }), HasSubstr("must rise"));
  config.groups = {1};
  config.stages[0].operations = {"conv3", "conv3"};
  EXPECT_THAT(refusal([&] { ArchitectureSpace(task, config); }),
              HasSubstr("space.stages[1].operations"));
  config.stages[0].operations = {"conv3"};
  EXPECT_THAT(refusal([&] { ArchitectureSpace(task, config); }), HasSubstr("no choice"));
}

}  // namespace
}  // namespace bellows
