#include "layers/layer.h"

#include <bellows/error.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "tests/grouped_networks.h"

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

template <typename Act>
std::string refusal(const Act& act) {
  try {
    act();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kInvalidArgument);
    EXPECT_EQ(std::string(error.what()).find('\n'), std::string::npos);
    return error.what();
  }
  ADD_FAILURE() << "nothing was thrown";
  return "";
}

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
              HasSubstr("'layers.kernel'"));
  EXPECT_THAT(refusal([] { read_layer(layer("max_pool", "a")); }),
              AllOf(HasSubstr("'layers.kernel'"), HasSubstr("missing")));
  EXPECT_THAT(refusal([] {
                read_layer(config::value_of(ConfigValue::Table{{"kind", text("relu")}}));
              }),
              AllOf(HasSubstr("'layers.name'"), HasSubstr("missing")));
  const std::vector<std::pair<ConfigValue, const char*>> bad = {
      {conv("a", {3, 0, 2}, 3, 1), "'layers.channels'"},
      {conv("a", {3, -5, 2}, 3, 1), "'layers.channels'"},
      {conv("a", {3, 1 << 21, 2}, 3, 1), "'layers.channels'"},
      {conv("a", kSmall, 0, 1), "'layers.kernel'"},
      {conv("a", kSmall, 3, -1), "'layers.padding'"},
      {layer("max_pool", "a", {{"kernel", integer(2)}, {"stride", integer(-1)}}),
       "'layers.stride'"},
      {linear("a", {3, 0, 2}), "'layers.features'"},
      {layer("dropout", "a", {{"rate", real(1.0)}}), "'layers.rate'"},
      {layer("dropout", "a", {{"rate", real(-0.1)}}), "'layers.rate'"},
      {layer("batch_norm", "a", {{"epsilon", real(0)}}), "'layers.epsilon'"},
      {layer("batch_norm", "a", {{"momentum", real(1.5)}}), "'layers.momentum'"},
      {layer("head", "a", {{"mode", text("both")}}), "'layers.mode'"},
      {layer("residual", "a", {{"shortcut", text("none")}}), "'layers.shortcut'"},
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
  EXPECT_THAT(refusal([] { shape_after(conv("a", kSmall, 3, 100000)); }), HasSubstr("65536"));
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
