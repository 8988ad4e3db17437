#include "engine/network.h"

#include <bellows/error.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "tests/grouped_networks.h"
#include "tests/refusal.h"

namespace bellows {
namespace {

using config::conv;
using config::integer;
using config::integers;
using config::layer;
using config::linear;
using config::text;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::StartsWith;

const std::vector<int> kSmall{3, 5, 2};

ConfigValue table_of(ConfigValue::Array layers, const char* connectivity = "triangular",
                     const char* head = "per_width") {
  return config::network({2, 9, 8}, 5, 3, connectivity, head, std::move(layers));
}

// The table with `key` replaced.
ConfigValue with(ConfigValue table, const std::string& key, const ConfigValue& value) {
  for (auto& [name, member] : std::get<ConfigValue::Table>(table.data())) {
    if (name == key) member = value;
  }
  return table;
}

ConfigValue simple() { return table_of({conv("conv1", kSmall, 3, 1), layer("relu", "relu1")}); }

std::string refusal(const ConfigValue& table) {
  return bellows::refusal([&] { Network::read(table); });
}

TEST(Network, WritesWhatItReadsAndReadsWhatItWrites) {
  for (const NamedNetwork& named : property_networks()) {
    const ConfigValue written = named.network.write();
    EXPECT_EQ(Network::read(written).write().to_json(), written.to_json()) << named.name;
  }
}

TEST(Network, ChainsLayersAndTensors) {
  const Network network = Network::read(simple());
  ASSERT_EQ(network.nodes().size(), 3U);
  ASSERT_EQ(network.tensors().size(), 4U);
  EXPECT_EQ(network.tensors()[0].name, "input");
  EXPECT_EQ(network.tensors()[0].producer, -1);
  for (int i = 0; i < 3; ++i) {
    const Node& node = network.nodes()[static_cast<std::size_t>(i)];
    EXPECT_EQ(node.src, i);
    EXPECT_EQ(node.dst, i + 1);
    EXPECT_EQ(node.shortcut, -1);
    EXPECT_EQ(network.tensors()[static_cast<std::size_t>(i + 1)].producer, i);
    EXPECT_THAT(network.tensors()[static_cast<std::size_t>(i)].consumers, ElementsAre(i));
  }
  EXPECT_EQ(network.tensors()[1].shape.text(), "3+5+2 x 9 x 8");
  EXPECT_EQ(network.tensors()[3].shape.text(), "5+5+5 x 1 x 1");
  EXPECT_EQ(network.input_elements(), 2 * 9 * 8);
  EXPECT_EQ(network.groups(), 3);
  EXPECT_EQ(network.classes(), 5);
}

TEST(Network, LowersAProjectedResidualToItsShortcutItsBodyAndTheirSum) {
  const ConfigValue body = config::array({layer("conv", "body1",
                                                {{"channels", integers({4, 4, 4})},
                                                 {"kernel", integer(3)},
                                                 {"stride", integer(2)},
                                                 {"padding", integer(1)}})});
  const Network network = Network::read(
      table_of({conv("conv1", kSmall, 3, 1),
                layer("residual", "block1", {{"shortcut", text("projected")}, {"body", body}})}));
  std::vector<std::string> names;
  for (const Node& node : network.nodes()) names.push_back(node.layer->name());
  EXPECT_THAT(names, ElementsAre("conv1", "block1_projection", "block1_projection_norm", "body1",
                                 "block1", "head"));
  const Node& sum = network.nodes()[4];
  EXPECT_EQ(network.tensors()[static_cast<std::size_t>(sum.src)].name, "body1");
  EXPECT_EQ(network.tensors()[static_cast<std::size_t>(sum.shortcut)].name,
            "block1_projection_norm");
  EXPECT_EQ(network.tensors()[static_cast<std::size_t>(sum.dst)].shape.text(), "4+4+4 x 5 x 4");
  EXPECT_THAT(network.tensors()[1].consumers, ElementsAre(1, 3));
}

TEST(Network, AnIdentityShortcutReadsTheInputOfTheBlock) {
  const ConfigValue body = config::array({conv("body1", kSmall, 3, 1)});
  const Network network = Network::read(
      table_of({conv("conv1", kSmall, 3, 1), layer("residual", "block1", {{"body", body}})}));
  EXPECT_EQ(network.nodes()[2].shortcut, 1);
  EXPECT_THAT(network.tensors()[1].consumers, ElementsAre(1, 2));
}

TEST(Network, CountsParametersAndWorkOfEachGroup) {
  const Network triangular = Network::read(table_of(
      {conv("conv1", kSmall, 3, 1), layer("batch_norm", "norm1"), linear("linear2", {7, 3, 9})}));
  // By hand, group 2: 5 filters of 2x3x3 and 5 biases, 4 values a channel of the normalisation,
  // 3 features over 8 maps of 9x8, the head over 10 features and its 5 biases.
  EXPECT_EQ(triangular.parameter_count(2), 5 * 2 * 9 + 5 + 4 * 5 + 3 * 8 * 72 + 3 + 5 * 10 + 5);
  EXPECT_EQ(triangular.macs(2), 5 * 2 * 9 * 72 + 3 * 8 * 72 + 5 * 10);
  const Network grouped = Network::read(
      table_of({conv("conv1", kSmall, 3, 1), linear("linear2", {7, 3, 9})}, "grouped", "additive"));
  EXPECT_EQ(grouped.macs(2), 5 * 2 * 9 * 72 + 3 * 5 * 72 + 5 * 3);
}

TEST(Network, ParametersAreListedNodeByNodeWithTheirNames) {
  const Network network =
      Network::read(table_of({conv("conv1", kSmall, 3, 1), layer("batch_norm", "norm1")}));
  std::vector<std::string> names;
  for (const ParameterKey& key : network.parameters(2)) {
    names.push_back(network.parameter_name(key));
    EXPECT_EQ(key.group, 2);
  }
  EXPECT_THAT(names,
              ElementsAre("group.2.conv1.weight", "group.2.conv1.bias", "group.2.norm1.scale",
                          "group.2.norm1.shift", "group.2.norm1.mean", "group.2.norm1.variance",
                          "group.2.head.weight", "group.2.head.bias"));
}

TEST(Network, TheFirstGroupsAreANetworkWithTheSameParameters) {
  for (const NamedNetwork& named : property_networks()) {
    SCOPED_TRACE(named.name);
    const Network narrow = named.network.first_groups(2);
    EXPECT_EQ(narrow.groups(), 2);
    for (int group = 1; group <= 2; ++group) {
      const auto kept = narrow.parameters(group);
      const auto all = named.network.parameters(group);
      ASSERT_EQ(kept.size(), all.size());
      for (std::size_t i = 0; i < all.size(); ++i) {
        EXPECT_EQ(narrow.parameter_name(kept[i]), named.network.parameter_name(all[i]));
        EXPECT_EQ(kept[i].spec.dims, all[i].spec.dims);
      }
    }
  }
}

// By hand: 3 x 3 convolutions of 2 -> 10, 10 -> 10 and 10 -> 12 channels on 9 x 8 pixels, an
// average over the map and 5 classes.
TEST(Network, AsOneGroupHasTheChannelsOfAllGroupsAndReadsAllOfThem) {
  const ConfigValue body = config::array({conv("conv2", kSmall, 3, 1)});
  const Network network = Network::read(
      table_of({conv("conv1", kSmall, 3, 1), layer("residual", "sum", {{"body", body}}),
                conv("conv3", {4, 1, 7}, 3, 1), layer("global_avg_pool", "pool")}));
  const Network one = network.as_one_group();
  EXPECT_EQ(one.groups(), 1);
  EXPECT_EQ(one.parameter_count(1),
            (9 * 2 * 10 + 10) + (9 * 10 * 10 + 10) + (9 * 10 * 12 + 12) + (12 * 5 + 5));
  EXPECT_EQ(one.macs(1), 72 * 9 * (2 * 10 + 10 * 10 + 10 * 12) + 12 * 5);
  EXPECT_LT(network.macs(1) + network.macs(2) + network.macs(3), one.macs(1));
}

TEST(Network, OfOneGroupIsItselfAsOneGroup) {
  for (const NamedNetwork& named : property_networks()) {
    SCOPED_TRACE(named.name);
    const Network narrow = named.network.first_groups(1);
    EXPECT_EQ(narrow.as_one_group().write().to_json(), narrow.write().to_json());
  }
}

TEST(Network, RefusesAPrefixItDoesNotHave) {
  const Network network = Network::read(simple());
  for (const int groups : {0, -1, 4}) {
    try {
      (void)network.first_groups(groups);
      ADD_FAILURE() << groups;
    } catch (const Error& error) {
      EXPECT_THAT(error.what(), HasSubstr("groups 1 to 3"));
    }
  }
}

TEST(Network, IsMovableAndItsLayersStay) {
  Network network = Network::read(simple());
  const Layer* first = network.nodes()[0].layer;
  const Network moved = std::move(network);
  EXPECT_EQ(moved.nodes()[0].layer, first);
  EXPECT_EQ(first->name(), "conv1");
}

TEST(Network, RefusesSizesThatCannotBe) {
  EXPECT_THAT(refusal(with(simple(), "input", integers({2, 9}))),
              AllOf(HasSubstr("network.input"), HasSubstr("[channels, height, width]")));
  EXPECT_THAT(refusal(with(simple(), "input", integers({2, 0, 8}))), HasSubstr("network.input"));
  EXPECT_THAT(refusal(with(simple(), "input", integers({2, -9, 8}))), HasSubstr("network.input"));
  EXPECT_THAT(refusal(with(simple(), "input", integers({2000, 2000, 2000}))),
              AllOf(HasSubstr("network.input"), HasSubstr("2^31")));
  EXPECT_THAT(refusal(with(simple(), "classes", integer(1))), HasSubstr("network.classes"));
  EXPECT_THAT(refusal(with(simple(), "groups", integer(0))), HasSubstr("network.groups"));
  EXPECT_THAT(refusal(with(simple(), "groups", integer(65))), HasSubstr("network.groups"));
  EXPECT_THAT(refusal(with(simple(), "connectivity", text("full"))),
              AllOf(HasSubstr("network.connectivity"), HasSubstr("triangular, grouped")));
}

TEST(Network, RefusesMoreThanTwoToTheThirtyFirstElementsByLayer) {
  // Activations, then weights.
  EXPECT_THAT(refusal(with(table_of({conv("conv1", {100000, 1, 1}, 3, 1)}), "input",
                           integers({1, 200, 200}))),
              AllOf(HasSubstr("'conv1'"), HasSubstr("2^31")));
  EXPECT_THAT(refusal(with(table_of({linear("linear1", {1000000, 1, 1})}), "input",
                           integers({1, 200, 200}))),
              AllOf(HasSubstr("'linear1'"), HasSubstr("2^31")));
  // A group of one channel still takes a whole block of memory.
  EXPECT_THAT(refusal(with(table_of({conv("conv1", {1, 1, 1}, 3, 1)}), "input",
                           integers({1, 10000, 10000}))),
              AllOf(HasSubstr("'conv1'"), HasSubstr("2^31")));
}

TEST(Network, RefusesSizesWhoseProductWrapsIn64Bits) {
  // 2^64 + 32 elements and 2^64.
  EXPECT_THAT(refusal(with(simple(), "input", integers({96, 105305443, 1824726041}))),
              AllOf(HasSubstr("network.input"), HasSubstr("from 1 to 65536")));
  EXPECT_THAT(refusal(with(simple(), "input", integers({16, 1 << 30, 1 << 30}))),
              AllOf(HasSubstr("network.input"), HasSubstr("from 1 to 65536")));
  EXPECT_THAT(refusal(with(simple(), "input", integers({65536, 65536, 65536}))),
              AllOf(HasSubstr("network.input"), HasSubstr("2^31")));
  EXPECT_THAT(refusal(table_of({conv("conv1", kSmall, 1 << 24, 1 << 23)})),
              AllOf(HasSubstr("conv.kernel"), HasSubstr("from 1 to 65536")));
  // Weights: 2^20 filters of 2^16 channels and 2^32 pixels.
  EXPECT_THAT(refusal(with(table_of({conv("conv1", {1 << 20, 1, 1}, 65536, 32768)}), "input",
                           integers({65536, 1, 1}))),
              AllOf(HasSubstr("'conv1'"), HasSubstr("2^31")));
}

TEST(Network, CountsGroupsInWholeBlocksOfMemory) {
  // 17 + 1 + 1 channels are 32 + 16 + 16 in memory; 49 such maps would still pass.
  EXPECT_THAT(refusal(with(table_of({conv("conv1", {17, 1, 1}, 3, 1)}), "input",
                           integers({1, 6000, 6000}))),
              AllOf(HasSubstr("'conv1'"), HasSubstr("2^31")));
  // 17 channels of an image are 32.
  EXPECT_THAT(refusal(with(simple(), "input", integers({17, 8200, 8200}))),
              AllOf(HasSubstr("network.input"), HasSubstr("2^31")));
}

// A convolution, `relus` rectifiers and the head.
ConfigValue chain(int groups, int relus, const std::vector<int>& input = {1, 1, 1}) {
  ConfigValue::Array layers{
      conv("conv1", std::vector<int>(static_cast<std::size_t>(groups), 1), 1, 0)};
  for (int i = 0; i < relus; ++i) {
    layers.push_back(layer("relu", ("relu" + std::to_string(i)).c_str()));
  }
  return config::network(input, 2, groups, "triangular", "additive", std::move(layers));
}

TEST(Network, LimitsLayersTimesGroups) {
  EXPECT_EQ(Network::read(chain(64, 126)).nodes().size() * 64, kMaxNodeGroups);
  EXPECT_THAT(refusal(chain(64, 127)), AllOf(HasSubstr("'head'"), HasSubstr("at most 8192")));
  EXPECT_THAT(refusal(chain(64, 25000)), AllOf(HasSubstr("'relu127'"), HasSubstr("64 groups")));
}

TEST(Network, LimitsWhatAllLayersNeedTogether) {
  EXPECT_THAT(refusal(chain(1, 600, {1, 11000, 11000})), HasSubstr("2^40 elements"));
  const std::vector<int> sizes{128, 128, 128};
  EXPECT_THAT(refusal(with(table_of({conv("conv1", sizes, 101, 50), conv("conv2", sizes, 101, 50)}),
                           "input", integers({128, 1000, 1000}))),
              AllOf(HasSubstr("'conv2'"), HasSubstr("2^50 multiply-accumulates")));
}

TEST(Network, RefusesNumbersOfGroupsThatDiffer) {
  EXPECT_THAT(refusal(table_of({conv("conv1", {3, 5}, 3, 1)})),
              AllOf(HasSubstr("'conv1'"), HasSubstr("2 entries"), HasSubstr("3 groups")));
  EXPECT_THAT(refusal(with(simple(), "groups", integer(2))),
              AllOf(HasSubstr("'conv1'"), HasSubstr("3 entries"), HasSubstr("2 groups")));
}

TEST(Network, RefusesNamesThatAreEmptyOddOrTwice) {
  EXPECT_THAT(refusal(table_of({conv("", kSmall, 3, 1)})), HasSubstr("layer name \"\""));
  EXPECT_THAT(refusal(table_of({conv("a.b", kSmall, 3, 1)})), HasSubstr("\"a.b\""));
  EXPECT_THAT(refusal(table_of({conv("a/b", kSmall, 3, 1)})), HasSubstr("\"a/b\""));
  EXPECT_THAT(refusal(table_of({conv("a\nb", kSmall, 3, 1)})), HasSubstr("\"a\\u000ab\""));
  EXPECT_THAT(refusal(table_of({conv("one", kSmall, 3, 1), layer("relu", "one")})),
              HasSubstr("'one' (relu): another layer has this name"));
  // Also those that lowering makes.
  EXPECT_THAT(
      refusal(table_of({conv("block1_projection", kSmall, 3, 1),
                        layer("residual", "block1",
                              {{"shortcut", text("projected")},
                               {"body", config::array({conv("body1", {4, 4, 4}, 3, 1)})}})})),
      HasSubstr("'block1_projection'"));
}

TEST(Network, NeedsExactlyOneHeadAndAtTheEnd) {
  const auto with_layers = [](ConfigValue::Array layers) {
    return with(simple(), "layers", config::array(std::move(layers)));
  };
  EXPECT_THAT(refusal(with_layers({conv("conv1", kSmall, 3, 1)})),
              AllOf(HasSubstr("last layer"), HasSubstr("'conv1'")));
  EXPECT_THAT(refusal(with_layers(
                  {conv("conv1", kSmall, 3, 1), layer("head", "head1"), layer("head", "head2")})),
              HasSubstr("'head1'"));
  EXPECT_THAT(refusal(with_layers({layer("head", "head1")})), HasSubstr("at least one layer"));
  EXPECT_THAT(refusal(with_layers({})), HasSubstr("at least one layer"));
  EXPECT_THAT(refusal(table_of({conv("conv1", kSmall, 3, 1),
                                layer("residual", "block1",
                                      {{"body", config::array({layer("head", "inner")})}})})),
              HasSubstr("a head cannot stand inside a body"));
}

TEST(Network, NamesThePlaceOfWhatItRefuses) {
  const ConfigValue table = with(simple(), "input", integers({2, 9}));
  EXPECT_THAT(refusal(ConfigValue(table.data(), "run.toml:12")),
              StartsWith("run.toml:12: key 'network.input'"));
}

TEST(Network, NamesTheLineOfTheLayerThatDoesNotFit) {
  const auto at = [](const ConfigValue& table, const char* where) {
    return ConfigValue(table.data(), where);
  };
  const auto refusal_of = [&](ConfigValue::Array layers) {
    return refusal(at(table_of(std::move(layers)), "run.toml:12"));
  };
  EXPECT_THAT(refusal_of({conv("conv1", kSmall, 3, 1), at(conv("conv2", {3, 5}, 3, 1), "run:17")}),
              StartsWith("run:17: layer 'conv2' (conv): "));
  EXPECT_THAT(refusal_of({conv("one", kSmall, 3, 1), at(layer("relu", "one"), "run:17")}),
              StartsWith("run:17: layer 'one' (relu): "));
  // Inside a block, and what a block makes.
  const ConfigValue body = config::array({at(conv("body1", kSmall, 11, 0), "run:19")});
  const ConfigValue block = layer("residual", "block1", {{"body", body}});
  EXPECT_THAT(refusal_of({conv("conv1", kSmall, 3, 1), at(block, "run:18")}),
              StartsWith("run:19: layer 'body1' (conv): the map vanishes"));
  const ConfigValue projected = layer(
      "residual", "block1",
      {{"shortcut", text("projected")}, {"body", config::array({conv("body1", {4, 4, 4}, 3, 1)})}});
  EXPECT_THAT(refusal_of({conv("block1_projection", kSmall, 3, 1), at(projected, "run:18")}),
              StartsWith("run:18: layer 'block1_projection' (conv): "));
}

TEST(Network, DocumentsItsKeys) {
  std::vector<std::string> keys;
  for (const FieldDocumentation& entry : Network::documentation()) keys.push_back(entry.key);
  EXPECT_THAT(keys, ElementsAre("network.input", "network.classes", "network.groups",
                                "network.connectivity", "network.layers"));
}

}  // namespace
}  // namespace bellows
