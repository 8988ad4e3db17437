// The file of policies, and policies made of it.
#include "engine/policy_data.h"

#include <bellows/bellows.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <vector>

#include "engine/model_file.h"
#include "engine/model_state.h"
#include "engine/policy_rule.h"
#include "engine/profile_data.h"
#include "tests/data_fixtures.h"
#include "tests/refusal.h"

namespace bellows {
namespace {

using internal::PolicyData;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::StartsWith;

const char* const kTiny = BELLOWS_SOURCE_DIR "/tests/golden/tiny.safetensors";

class PolicyDataTest : public ::testing::Test {
 protected:
  std::filesystem::path folder_ = fresh_folder();
  std::string path_ = folder_ / "policies.json";
  Model model_ = Model::load(kTiny);

  // Two widths: both, a threshold, and a mixture of the first and that.
  [[nodiscard]] PolicyData data() const {
    PolicyData data{.model_file = "tiny.safetensors",
                    .model_name = "tiny",
                    .group_sha256 = internal::state_of(model_)->group_sha256,
                    .data_name = "dots",
                    .tuning_images = 100,
                    .test_images = 50,
                    .cost_source = "multiply-accumulates",
                    .width_costs = {10, 30},
                    .date = "2026-01-01T00:00:00Z",
                    .command = "bellows tune",
                    .bellows = version()};
    data.points = {
        {.kind = "width", .found_by = "width", .width = 1, .tuning = {0.7, 10, {1.0}}},
        {.kind = "width", .found_by = "width", .width = 2, .tuning = {0.9, 30, {0.0, 1.0}}},
        {.kind = "thresholds",
         .found_by = "sweep",
         .confidence = "margin",
         .thresholds = {0.4},
         .temperatures = {1.5},
         .tuning = {0.88, 18, {0.6, 0.4}},
         .test = internal::PolicyScore{0.87, 18.2, {0.59, 0.41}, {0.8, 0.9}, {17, 19}}},
        {.kind = "mixture",
         .found_by = "mixture of policies",
         .parts = {1, 3},
         .shares = {0.5, 0.5},
         .tuning = {0.79, 14, {0.8, 0.2}}}};
    data.calibration = {{.width = 1, .temperature = 1.5, .counts = {1, 2}}};
    data.searches = {{.method = "sweep", .confidence = "margin", .evaluations = 7}};
    data.selectors = {{.number = 1, .alpha = 0.1, .variance = 0.2}};
    return data;
  }

  std::string refusal_after(const std::string& from, const std::string& to,
                            ErrorCode code = ErrorCode::kCorruptData) {
    internal::write_policies(path_, data());
    const Bytes bytes = read_file(path_);
    std::string text(bytes.begin(), bytes.end());
    const std::size_t place = text.find(from);
    EXPECT_NE(place, std::string::npos) << from << " in " << text;
    write_file(path_, bytes_of(text.replace(place, from.size(), to)));
    std::string message = refusal(code, [&] { PolicySet::load(path_, model_); });
    EXPECT_THAT(message, StartsWith(path_));
    return message;
  }
};

TEST_F(PolicyDataTest, ComesBackFromItsFileAsItWas) {
  PolicyData expected = data();
  internal::write_policies(path_, expected);
  expected.source = path_;
  EXPECT_EQ(internal::read_policies(path_), expected);
}

TEST_F(PolicyDataTest, APolicySetHasThePoliciesOfTheFile) {
  internal::write_policies(path_, data());
  const PolicySet policies = PolicySet::load(path_, model_);
  ASSERT_EQ(policies.size(), 4U);
  EXPECT_EQ(policies[1].policy.text(), "width 2");
  EXPECT_EQ(policies[2].policy.text(), "margin >= 0.4");
  EXPECT_EQ(policies[3].policy.text(), "50 % width 1 + 50 % margin >= 0.4");
  EXPECT_EQ(policies[2].accuracy, 0.88);
  EXPECT_EQ(policies[2].stopped, (std::vector<double>{0.6, 0.4}));
}

TEST_F(PolicyDataTest, WhatIsWrongInAFileIsNamed) {
  EXPECT_THAT(refusal_after("bellows policies", "bellows profile"), HasSubstr("is no file of"));
  EXPECT_THAT(
      refusal_after("\"format_version\":1", "\"format_version\":2", ErrorCode::kUnsupported),
      HasSubstr("version 2"));
  EXPECT_THAT(refusal_after("\"thresholds\":[0.4]", "\"thresholds\":[2.5]"),
              HasSubstr("thresholds"));
  EXPECT_THAT(refusal_after("\"thresholds\":[0.4]", "\"thresholds\":[0.4,0.5]"),
              AllOf(HasSubstr("point 3"), HasSubstr("2 thresholds"), HasSubstr("2 widths")));
  EXPECT_THAT(refusal_after("\"width\":2,", "\"width\":3,"),
              AllOf(HasSubstr("point 2"), HasSubstr("width 3")));
  EXPECT_THAT(refusal_after("[0.6,0.4]", "[0.6,0.5]"), HasSubstr("sums up to 1.1"));
  EXPECT_THAT(refusal_after("\"margin\"", "\"mood\""), HasSubstr("max_probability"));
  EXPECT_THAT(refusal_after("\"widths\":[10.0,30.0]", "\"widths\":[10.0]"), HasSubstr("1 costs"));
  EXPECT_THAT(refusal_after("\"width\":2,", "\"width\":1,"),
              AllOf(HasSubstr("does not begin with the plain widths"), HasSubstr("width 2")));
  EXPECT_THAT(refusal_after("\"number\":1", "\"number\":300000000"), HasSubstr("number"));
  // As many as a model has room for are read.
  PolicyData many = data();
  many.selectors[0].number = 100000;
  internal::write_policies(path_, many);
  EXPECT_EQ(internal::read_policies(path_).selectors[0].number, 100000);
  EXPECT_THAT(refusal_after("\"cost\":18.0", "\"cost\":1e300"), HasSubstr("cost"));
  EXPECT_THAT(refusal_after("\"found_by\"", "\"lost_by\""), HasSubstr("lost_by"));
  EXPECT_THAT(refusal_after("\"shares\":[0.5,0.5]", "\"shares\":[0.5]"),
              AllOf(HasSubstr("2 parts"), HasSubstr("1 shares")));
  EXPECT_THAT(refusal_after("{\"format\"", "{\"format"), StartsWith(path_));
}

TEST_F(PolicyDataTest, APolicyThatCannotBeIsNamed) {
  EXPECT_THAT(refusal_after("\"thresholds\":[0.4]", "\"thresholds\":[1.5]"),
              AllOf(HasSubstr("point 3"), HasSubstr("threshold 1 is 1.5")));
  EXPECT_THAT(refusal_after("\"parts\":[1,3]", "\"parts\":[1,4]"),
              AllOf(HasSubstr("point 4"), HasSubstr("part 4")));
  EXPECT_THAT(refusal_after("\"kind\":\"thresholds\",\"found_by\":\"sweep\",\"confidence\":"
                            "\"margin\",\"thresholds\":[0.4],\"temperatures\":[1.5]",
                            "\"kind\":\"selector\",\"selector\":1", ErrorCode::kInvalidArgument),
              AllOf(HasSubstr("point 3"), HasSubstr("selector 1 is not in the model")));
}

TEST_F(PolicyDataTest, MixturesOfMixturesAndStopsBeyondAPolicyAreRefused) {
  PolicyData nested = data();
  nested.points.push_back(nested.points.back());
  nested.points.back().parts = {1, 4};
  internal::write_policies(path_, nested);
  EXPECT_THAT(refusal(ErrorCode::kCorruptData, [&] { PolicySet::load(path_, model_); }),
              AllOf(HasSubstr("point 5"), HasSubstr("part 4 is a mixture")));
  PolicyData beyond = data();
  beyond.points[0].tuning.stopped = {0.0, 1.0};
  internal::write_policies(path_, beyond);
  EXPECT_THAT(refusal(ErrorCode::kCorruptData, [&] { PolicySet::load(path_, model_); }),
              AllOf(HasSubstr("point 1"), HasSubstr("stops at width 2")));
}

TEST_F(PolicyDataTest, AnotherSelectorUnderTheSameNumberIsRefused) {
  ModelFile file = load_model(kTiny);
  const StopNetwork network{
      .hidden_weight = std::vector<float>(5), .hidden_bias = {0}, .weight = {1}};
  file.info.selectors = {{.alpha = 0.1, .widths = {network}}};
  const std::string with = folder_ / "with.safetensors";
  save_model(with, file.network, file.weights, file.info);
  PolicyData made = data();
  made.points[2] = {.kind = "selector", .selector = 1, .tuning = {0.88, 18, {0.6, 0.4}}};
  made.selectors = {
      {.number = 1, .sha256 = internal::selector_sha256(file.info.selectors[0]), .alpha = 0.1}};
  internal::write_policies(path_, made);
  EXPECT_EQ(PolicySet::load(path_, Model::load(with)).size(), 4U);
  file.info.selectors[0].widths[0].bias = 1;
  save_model(with, file.network, file.weights, file.info);
  EXPECT_THAT(
      refusal(ErrorCode::kInvalidArgument, [&] { PolicySet::load(path_, Model::load(with)); }),
      AllOf(HasSubstr("selector 1"), HasSubstr("another one")));
}

TEST_F(PolicyDataTest, ThePoliciesOfAnotherModelAreRefused) {
  const std::string hash = internal::state_of(model_)->group_sha256[1];
  EXPECT_THAT(refusal_after(hash, std::string(64, 'a'), ErrorCode::kInvalidArgument),
              AllOf(HasSubstr("another model"), HasSubstr(hash)));
  internal::write_policies(path_, data());
  const Model narrow = Model::load(kTiny, {.groups = 1});
  EXPECT_THAT(refusal(ErrorCode::kInvalidArgument, [&] { PolicySet::load(path_, narrow); }),
              AllOf(HasSubstr("2 widths"), HasSubstr("the model has 1")));
}

TEST_F(PolicyDataTest, PointsHaveTheCostsOfThisDevice) {
  internal::write_policies(path_, data());
  internal::ProfileData measured{.group_sha256 = internal::state_of(model_)->group_sha256,
                                 .device = this_device()};
  for (const int width : {1, 2}) {
    measured.points.push_back(
        {.width = width,
         .validation_accuracy = 0.5 + 0.2 * width,
         .latency_us = {.p50 = 10.0 * width, .p95 = 11.0 * width, .p99 = 12.0 * width},
         .energy_uj = 3.0 * width});
  }
  const auto points =
      PolicySet::load(path_, model_).points(internal::make_profile(measured), model_);
  ASSERT_EQ(points.size(), 4U);
  EXPECT_FALSE(points[0].policy);
  ASSERT_TRUE(points[2].policy);
  EXPECT_EQ(points[2].width, 2);
  EXPECT_NEAR(points[2].energy_uj, 0.6 * 3 + 0.4 * 6, 1e-12);
  EXPECT_EQ(points[2].accuracy, 0.88);
  // More than half stop at width 1, more than a twentieth goes on.
  EXPECT_LT(points[2].latency_p50_us, 12);
  EXPECT_GT(points[2].latency_p95_us, 20);
  EXPECT_LE(points[2].latency_p99_us, 24 + 1e-9);
}

}  // namespace
}  // namespace bellows
