#include "layers/layer.h"

#include <bellows/error.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <limits>
#include <set>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "layers/conv.h"
#include "tests/grouped_networks.h"
#include "tests/refusal.h"

namespace bellows {
namespace {

using config::conv;
using config::flag;
using config::integer;
using config::integers;
using config::layer;
using config::linear;
using config::real;
using config::text;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::StartsWith;

const std::vector<int> kSmall{3, 5, 2};

// The shape after a layer on three groups of maps 9 x 8.
MapShape shape_after(const ConfigValue& table, bool src_is_input = false) {
  return read_layer(table)->output_shape({kSmall, 9, 8}, src_is_input, 3);
}

TEST(Layer, EveryKindHasItsOwnNameAndIsMadeAsItself) {
  std::set<std::string> names;
  for (const LayerKind kind : all_layer_kinds()) {
    EXPECT_EQ(make_layer(kind)->kind(), kind);
    EXPECT_TRUE(names.insert(layer_kind_name(kind)).second) << layer_kind_name(kind);
  }
}

TEST(Layer, EveryKindWritesWhatItReadsAndReadsWhatItWrites) {
  std::set<LayerKind> seen;
  for (const PropertyLayers& property : property_layers()) {
    for (const ConfigValue& table : property.layers) {
      const auto made = read_layer(table);
      const ConfigValue written = write_layer(*made);
      EXPECT_EQ(write_layer(*read_layer(written)).to_json(), written.to_json());
      EXPECT_THAT(written.to_json(), StartsWith(std::string("{\"kind\":\"") +
                                                layer_kind_name(made->kind()) + "\",\"name\":"));
      seen.insert(made->kind());
    }
  }
  EXPECT_EQ(seen.size() + 1, all_layer_kinds().size());  // the head is added to every network
}

TEST(Layer, RefusesUnknownOrMissingKindsAndListsThoseThereAre) {
  EXPECT_THAT(refusal([] { read_layer(layer("konv", "a")); }),
              AllOf(HasSubstr("\"konv\""), HasSubstr("conv, batch_norm"), HasSubstr("head")));
  EXPECT_THAT(refusal([] { read_layer(ConfigValue(ConfigValue::Table{}, "run:3")); }),
              AllOf(HasSubstr("run:3"), HasSubstr("'kind'"), HasSubstr("conv, batch_norm")));
  EXPECT_THAT(refusal([] {
                read_layer(ConfigValue(ConfigValue::Table{{"kind", integer(3)}}, "run:3"));
              }),
              HasSubstr("'kind'"));
}

TEST(Layer, RefusesKeysOfOtherKindsMissingKeysAndValuesOutOfRange) {
  EXPECT_THAT(refusal([] {
                read_layer(layer("relu", "a", {{"kernel", integer(3)}}));
              }),
              HasSubstr("'relu.kernel'"));
  EXPECT_THAT(refusal([] { read_layer(layer("max_pool", "a")); }),
              AllOf(HasSubstr("'max_pool.kernel'"), HasSubstr("missing")));
  EXPECT_THAT(refusal([] {
                read_layer(config::value_of(ConfigValue::Table{{"kind", text("relu")}}));
              }),
              AllOf(HasSubstr("'relu.name'"), HasSubstr("missing")));
  const std::vector<std::pair<ConfigValue, const char*>> bad = {
      {conv("a", {3, 0, 2}, 3, 1), "'conv.channels'"},
      {conv("a", {3, -5, 2}, 3, 1), "'conv.channels'"},
      {conv("a", {3, 1 << 21, 2}, 3, 1), "'conv.channels'"},
      {conv("a", kSmall, 65537, 0), "'conv.kernel' is 65537, it needs an integer from 1 to 65536"},
      {conv("a", kSmall, 3, 65537), "'conv.padding'"},
      {layer("conv", "a",
             {{"channels", integers(kSmall)}, {"kernel", integer(3)}, {"stride", integer(65537)}}),
       "'conv.stride'"},
      {layer("avg_pool", "a", {{"kernel", integer(65537)}}), "'avg_pool.kernel'"},
      {layer("max_pool", "a", {{"kernel", integer(2)}, {"stride", integer(65537)}}),
       "'max_pool.stride'"},
      {layer("max_pool", "a", {{"kernel", integer(2)}, {"padding", integer(65537)}}),
       "'max_pool.padding'"},
      {conv("a", kSmall, 0, 1), "'conv.kernel'"},
      {conv("a", kSmall, 3, -1), "'conv.padding'"},
      {layer("max_pool", "a", {{"kernel", integer(2)}, {"stride", integer(-1)}}),
       "'max_pool.stride'"},
      {linear("a", {3, 0, 2}), "'linear.features'"},
      {layer("dropout", "a", {{"rate", real(1.0)}}), "'dropout.rate'"},
      {layer("dropout", "a", {{"rate", real(-0.1)}}), "'dropout.rate'"},
      {layer("batch_norm", "a", {{"epsilon", real(0)}}), "'batch_norm.epsilon'"},
      {layer("batch_norm", "a", {{"momentum", real(1.5)}}), "'batch_norm.momentum'"},
      {layer("head", "a", {{"mode", text("both")}}), "'head.mode'"},
      {layer("residual", "a", {{"shortcut", text("none")}}), "'residual.shortcut'"},
  };
  for (const auto& [table, key] : bad) {
    EXPECT_THAT(refusal([&table = table] { read_layer(table); }), HasSubstr(key));
  }
}

TEST(Layer, WindowsMakeTheShapesThatCountingGives) {
  // Positions of a window of `kernel` in steps of `stride` over the padded length, counted.
  const auto counted = [](int length, int kernel, int stride, int padding) {
    int count = 0;
    for (int begin = -padding; begin + kernel <= length + padding; begin += stride) ++count;
    return count;
  };
  for (const int kernel : {1, 2, 3, 5}) {
    for (const int stride : {1, 2, 3}) {
      for (const int padding : {0, 1, 2}) {
        const MapShape shape = shape_after(layer("conv", "a",
                                                 {{"channels", integers({4, 4, 4})},
                                                  {"kernel", integer(kernel)},
                                                  {"stride", integer(stride)},
                                                  {"padding", integer(padding)}}));
        EXPECT_EQ(shape, (MapShape{{4, 4, 4},
                                   counted(9, kernel, stride, padding),
                                   counted(8, kernel, stride, padding)}));
      }
    }
  }
}

TEST(Layer, PoolsStepByTheirWindowUnlessTold) {
  EXPECT_EQ(shape_after(layer("max_pool", "a", {{"kernel", integers({3, 2})}})),
            (MapShape{kSmall, 3, 4}));
  EXPECT_EQ(shape_after(layer("global_avg_pool", "a")), (MapShape{kSmall, 1, 1}));
}

TEST(Layer, RefusesMapsThatVanishByLayerAndAxis) {
  EXPECT_THAT(refusal([] { shape_after(conv("big", kSmall, 11, 0)); }),
              AllOf(HasSubstr("'big' (conv)"), HasSubstr("vanishes"), HasSubstr("height 9")));
  EXPECT_THAT(refusal([] {
                shape_after(layer("avg_pool", "wide", {{"kernel", integers({1, 9})}}));
              }),
              AllOf(HasSubstr("'wide' (avg_pool)"), HasSubstr("width 8")));
}

TEST(Layer, RefusesPaddingThatIsTooMuch) {
  EXPECT_THAT(refusal([] { shape_after(conv("a", kSmall, 3, 65536)); }),
              AllOf(HasSubstr("grows"), HasSubstr("65536")));
  EXPECT_THAT(
      refusal([] {
        shape_after(layer("max_pool", "a", {{"kernel", integer(2)}, {"padding", integer(2)}}));
      }),
      HasSubstr("padding must be smaller than the kernel"));
  EXPECT_THAT(
      refusal([] {
        shape_after(layer("max_pool", "a", {{"kernel", integer(2)}, {"stride", integers({0, 1})}}));
      }),
      HasSubstr("stride is 0 in one direction only"));
}

TEST(Layer, RefusesToStandFirstWhereThatHasNoMeaning) {
  for (const char* kind : {"batch_norm", "relu", "relu6", "dropout", "global_avg_pool", "head"}) {
    EXPECT_THAT(refusal([kind] { shape_after(layer(kind, "a"), true); }), HasSubstr("first"))
        << kind;
  }
  EXPECT_THAT(
      refusal([] {
        shape_after(layer("conv", "a", {{"depthwise", flag(true)}, {"kernel", integer(3)}}), true);
      }),
      HasSubstr("first"));
}

TEST(Layer, ADepthwiseConvolutionKeepsItsChannels) {
  EXPECT_EQ(shape_after(
                layer("conv", "a",
                      {{"depthwise", flag(true)}, {"kernel", integer(3)}, {"padding", integer(1)}}))
                .channels,
            kSmall);
  EXPECT_THAT(
      refusal([] {
        shape_after(layer(
            "conv", "a",
            {{"depthwise", flag(true)}, {"kernel", integer(3)}, {"channels", integers(kSmall)}}));
      }),
      HasSubstr("remove 'channels'"));
}

TEST(Layer, RefusesAResidualBlockWhoseWaysDoNotMeet) {
  const auto block = [](const char* shortcut, ConfigValue::Array body) {
    return layer("residual", "block",
                 {{"shortcut", text(shortcut)}, {"body", config::array(std::move(body))}});
  };
  EXPECT_THAT(refusal([&] {
                shape_after(block("identity", {conv("a", {4, 4, 4}, 3, 1)}));
              }),
              AllOf(HasSubstr("'block' (residual)"), HasSubstr("3+5+2 x 9 x 8"),
                    HasSubstr("4+4+4 x 9 x 8"), HasSubstr("projected")));
  EXPECT_THAT(refusal([&] { shape_after(block("identity", {})); }), HasSubstr("no layers"));
  // 9 x 8 becomes 7 x 6: a stride of 2 makes 5 x 4 of it.
  EXPECT_THAT(refusal([&] {
                shape_after(block("projected", {conv("a", {4, 4, 4}, 3, 0)}));
              }),
              HasSubstr("no stride"));
}

TEST(Layer, RefusesTheWrongNumberOfGroups) {
  EXPECT_THAT(refusal([] {
                shape_after(conv("a", {3, 5}, 3, 1));
              }),
              AllOf(HasSubstr("'channels' has 2 entries"), HasSubstr("3 groups")));
  EXPECT_THAT(refusal([] {
                shape_after(linear("a", {3, 5, 2, 1}));
              }),
              AllOf(HasSubstr("'features' has 4 entries"), HasSubstr("3 groups")));
}

TEST(Layer, RefusesGroupsOfNoChannelsHoweverItWasMade) {
  EXPECT_THAT(
      refusal([] {
        (void)Conv("a", {3, 0, 2}, {1, 1}, {1, 1}, false).output_shape({kSmall, 9, 8}, false, 3);
      }),
      AllOf(HasSubstr("'a' (conv)"), HasSubstr("'channels' has the entry 0")));
}

TEST(Layer, NamesThePlaceWhereItWasWritten) {
  const ConfigValue table(conv("a", {3, 5}, 3, 1).data(), "run.toml:17");
  EXPECT_THAT(refusal([&] { shape_after(table); }), StartsWith("run.toml:17: layer 'a' (conv): "));
}

TEST(Layer, CountsThatWouldWrapStayAtTheLargestNumber) {
  constexpr std::int64_t kLargest = std::numeric_limits<std::int64_t>::max();
  // 2^68 and 2^64 + 32: as 64 bits, 0 and 32.
  EXPECT_EQ((ParameterSpec{ParameterRole::kWeight, {1 << 20, 65536, 65536, 65536}}.elements()),
            kLargest);
  EXPECT_EQ(saturated_product({96, 105305443, 1824726041}), kLargest);
  EXPECT_EQ(saturated_product({kLargest, 1}), kLargest);
  EXPECT_EQ(saturated_product({kLargest, kLargest, 0}), 0);
  EXPECT_EQ(saturated_product({3, 5, 7}), 105);

  const Conv conv("a", {1 << 20}, {65536, 65536}, {1, 1}, false);
  const LayerSite site{.src = {{65536}, 1, 1}, .dst = {{1 << 20}, 2, 2}};
  EXPECT_EQ(conv.macs(site, 1), kLargest);
}

TEST(Layer, OnlyWeightsDecayAndStatisticsAreNotLearned) {
  for (const auto& [role, learned, decays] : {std::tuple{ParameterRole::kWeight, true, true},
                                              {ParameterRole::kBias, true, false},
                                              {ParameterRole::kScale, true, false},
                                              {ParameterRole::kShift, true, false},
                                              {ParameterRole::kMean, false, false},
                                              {ParameterRole::kVariance, false, false}}) {
    const ParameterSpec spec{role, {2, 3}};
    EXPECT_EQ(spec.learned(), learned) << parameter_role_name(role);
    EXPECT_EQ(spec.decays(), decays) << parameter_role_name(role);
    EXPECT_EQ(spec.elements(), 6);
  }
}

}  // namespace
}  // namespace bellows
