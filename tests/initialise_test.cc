#include "training/initialise.h"

#include <bellows/error.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "tests/grouped_networks.h"

namespace bellows {
namespace {

ParameterSpec spec_of(ParameterRole role, std::vector<std::int64_t> dims, std::int64_t fan_in) {
  ParameterSpec spec;
  spec.role = role;
  spec.dims = std::move(dims);
  spec.fan_in = fan_in;
  return spec;
}

std::vector<float> initial(const ParameterSpec& spec, LayerKind kind, const std::string& name,
                           std::uint64_t seed) {
  std::vector<float> values(static_cast<std::size_t>(spec.elements()), -77.0F);
  initialise(spec, kind, name, seed, values);
  return values;
}

double moment(const std::vector<float>& values, int power) {
  double sum = 0;
  for (const float value : values) sum += std::pow(static_cast<double>(value), power);
  return sum / static_cast<double>(values.size());
}

const ParameterSpec kWeights = spec_of(ParameterRole::kWeight, {64, 32, 5, 5}, 32 * 25);
constexpr double kCount = 64 * 32 * 25;

// Bounds are five standard errors of what is estimated.
void expect_normal(const std::vector<float>& values, double variance) {
  const double root = std::sqrt(kCount);
  EXPECT_NEAR(moment(values, 1), 0, 5 * std::sqrt(variance) / root);
  EXPECT_NEAR(moment(values, 2) / variance, 1, 5 * std::sqrt(2.0) / root);
  EXPECT_NEAR(moment(values, 3) / std::pow(variance, 1.5), 0, 5 * std::sqrt(15.0) / root);
  EXPECT_NEAR(moment(values, 4) / (variance * variance), 3, 5 * std::sqrt(96.0) / root);
}

TEST(Initialise, WeightsBeforeRectifiersAreNormalWithVarianceTwoOverFanIn) {
  expect_normal(initial(kWeights, LayerKind::kConv, "group.1.conv1.weight", 1), 2.0 / (32 * 25));
  expect_normal(initial(kWeights, LayerKind::kLinear, "group.1.linear.weight", 1), 2.0 / (32 * 25));
}

TEST(Initialise, WeightsOfAHeadAreNormalWithVarianceOneOverFanIn) {
  expect_normal(initial(kWeights, LayerKind::kHead, "group.1.head.weight", 1), 1.0 / (32 * 25));
}

TEST(Initialise, NeighboursAreIndependent) {
  const auto values = initial(kWeights, LayerKind::kConv, "group.1.conv1.weight", 3);
  const double variance = 2.0 / (32 * 25);
  for (const std::size_t distance : {1U, 2U, 25U, 800U}) {
    double sum = 0;
    for (std::size_t i = 0; i + distance < values.size(); ++i) {
      sum += static_cast<double>(values[i]) * static_cast<double>(values[i + distance]);
    }
    EXPECT_NEAR(sum / kCount / variance, 0, 5 / std::sqrt(kCount)) << distance;
  }
}

TEST(Initialise, OffsetsStartAtZeroAndFactorsAtOne) {
  for (const ParameterRole role :
       {ParameterRole::kBias, ParameterRole::kShift, ParameterRole::kMean}) {
    EXPECT_EQ(initial(spec_of(role, {5}, 1), LayerKind::kBatchNorm, "x", 1),
              std::vector<float>(5, 0.0F))
        << parameter_role_name(role);
  }
  for (const ParameterRole role : {ParameterRole::kScale, ParameterRole::kVariance}) {
    EXPECT_EQ(initial(spec_of(role, {5}, 1), LayerKind::kBatchNorm, "x", 1),
              std::vector<float>(5, 1.0F))
        << parameter_role_name(role);
  }
}

TEST(Initialise, DependsOnSeedAndNameAlone) {
  const std::string name = "group.1.conv1.weight";
  const auto values = initial(kWeights, LayerKind::kConv, name, 1);
  (void)initial(kWeights, LayerKind::kConv, "group.2.conv1.weight", 1);
  EXPECT_EQ(initial(kWeights, LayerKind::kConv, name, 1), values);
  std::vector<std::vector<float>> others = {
      initial(kWeights, LayerKind::kConv, name, 2),
      initial(kWeights, LayerKind::kConv, "group.2.conv1.weight", 1),
      initial(kWeights, LayerKind::kConv, "group.1.conv2.weight", 1),
      initial(kWeights, LayerKind::kConv, "group.2.conv1.weight", 2)};
  others.push_back(values);
  for (std::size_t a = 0; a < others.size(); ++a) {
    for (std::size_t b = 0; b < a; ++b) {
      double product = 0;
      for (std::size_t i = 0; i < values.size(); ++i) {
        product += static_cast<double>(others[a][i]) * static_cast<double>(others[b][i]);
      }
      EXPECT_NEAR(product / kCount / (2.0 / (32 * 25)), 0, 5 / std::sqrt(kCount)) << a << " " << b;
    }
  }
}

TEST(Initialise, FillsAnOddNumberOfWeights) {
  const auto values =
      initial(spec_of(ParameterRole::kWeight, {7}, 7), LayerKind::kLinear, "group.1.a.weight", 1);
  const auto more =
      initial(spec_of(ParameterRole::kWeight, {8}, 7), LayerKind::kLinear, "group.1.a.weight", 1);
  EXPECT_TRUE(std::equal(values.begin(), values.end(), more.begin()));
  for (const float value : values) EXPECT_LT(std::abs(value), 10.0F);
}

TEST(Initialise, RefusesRoomOfAnotherSize) {
  std::vector<float> values(3);
  try {
    initialise(spec_of(ParameterRole::kBias, {4}, 1), LayerKind::kConv, "group.1.a.bias", 1,
               values);
    FAIL() << "3 values were accepted for 4";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kInvalidArgument);
    EXPECT_NE(std::string(error.what()).find("group.1.a.bias"), std::string::npos);
  }
}

TEST(Initialise, LateralWeightsOfConvolutionsAndLinearLayersAreScaledAndNoOthers) {
  using namespace config;  // NOLINT(google-build-using-namespace): a page of tables
  const Network network = Network::read(
      config::network({2, 8, 8}, 3, 3, "triangular", "per_width",
                      {conv("conv1", {4, 5, 6}, 3, 1), conv("conv2", {3, 2, 4}, 3, 1),
                       layer("linear", "linear1", {{"features", integers({5, 6, 7})}})}));
  WeightSet plain(network, 3);
  WeightSet scaled(network, 3);
  initialise_group(network, 3, 1, 1, plain);
  initialise_group(network, 3, 1, 0.25, scaled);
  for (const ParameterKey& key : network.parameters(3)) {
    const std::string name = network.parameter_name(key);
    const auto one = std::as_const(plain).values(key);
    const auto other = std::as_const(scaled).values(key);
    // Columns of a row that read groups 1 and 2.
    std::size_t narrower = 0;
    if (name == "group.3.conv2.weight") narrower = std::size_t{4 + 5} * 9;
    if (name == "group.3.linear1.weight") narrower = std::size_t{3 + 2} * 64;
    const auto row = one.size() / static_cast<std::size_t>(key.spec.dims.front());
    for (std::size_t i = 0; i < one.size(); ++i) {
      ASSERT_EQ(other[i], i % row < narrower ? one[i] / 4 : one[i]) << name << ' ' << i;
    }
  }
}

}  // namespace
}  // namespace bellows
