#include "cli/evaluation_data.h"

#include <bellows/error.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "cli/arguments.h"
#include "engine/model_state.h"
#include "tests/data_fixtures.h"
#include "tests/grouped_networks.h"
#include "training/trainer.h"

namespace bellows::cli {
namespace {

// Takes images of the generator's size.
Model digits_model() {
  const Network network = Network::read(config::network(
      {1, 28, 28}, 10, 3, "triangular", "per_width", property_layers().front().layers));
  const WeightSet weights(network, 3);
  return internal::make_model(
      std::make_shared<internal::ModelState>(network.first_groups(3), ModelInfo{}, weights));
}

ModelInfo digits_info(const std::string& data) {
  ModelInfo info;
  info.data_set = make_digits({.train_images = 1, .test_images = 1}, 0).name();
  if (!data.empty()) info.extra.emplace_back("data", data);
  return info;
}

constexpr const char* kSmall =
    R"({"format":"digits","validation":0.25,"digits":{"train_images":40,"test_images":30}})";

TEST(EvaluationData, IsDrawnAsTheModelRecordsIt) {
  const Model model = digits_model();
  const ModelInfo info = digits_info(kSmall);
  const auto images = [&](const char* split) {
    return load_evaluation_data(info, model, {.data = {}, .format = {}, .split = split}).images;
  };
  EXPECT_EQ(images("test").size(), 30U);
  EXPECT_EQ(images("validation").size(), 10U);
  EXPECT_EQ(images("train").size(), 30U);
}

TEST(EvaluationData, HasTheGeneratorsDefaultsWhenTheModelRecordsNothing) {
  const auto data = load_evaluation_data(digits_info(""), digits_model(), {});
  EXPECT_EQ(data.images.size(), static_cast<std::size_t>(DigitsOptions{}.test_images));
}

TEST(EvaluationData, RefusesARecordThatIsDamagedOrHasNoHoldOut) {
  const Model model = digits_model();
  expect_error(ErrorCode::kCorruptData, {"'data'"},
               [&] { static_cast<void>(load_evaluation_data(digits_info("{"), model, {})); });
  expect_error(ErrorCode::kInvalidArgument, {"colour"}, [&] {
    static_cast<void>(load_evaluation_data(digits_info(R"({"colour":1})"), model, {}));
  });
  expect_error(ErrorCode::kInvalidArgument, {"held-out", "--split"}, [&] {
    static_cast<void>(load_evaluation_data(digits_info(R"({"validation":0})"), model,
                                           {.data = {}, .format = {}, .split = "validation"}));
  });
}

TEST(EvaluationData, OfOtherImagesNoneWereHeldOutAndAllAreTrainingImages) {
  const Model model = digits_model();
  ModelInfo info = digits_info(kSmall);
  const auto load = [&](const char* split) {
    return load_evaluation_data(info, model, {.data = {}, .format = {}, .split = split});
  };
  info.extra.emplace_back(kTrainingImagesSha256, load("train").images.sha256());
  EXPECT_EQ(load("train").images.size(), 30U);
  EXPECT_EQ(load("validation").images.size(), 10U);
  info.extra.back().second = std::string(64, '0');
  EXPECT_EQ(load("train").images.size(), 40U);
  EXPECT_EQ(load("train").part, "training images: the model was trained on others");
  EXPECT_EQ(load("test").images.size(), 30U);
  expect_error(ErrorCode::kInvalidArgument, {"none of these were held out", "--split"},
               [&] { static_cast<void>(load("validation")); });
}

TEST(EvaluationData, NeedsAFolderForAnythingElse) {
  ModelInfo info;
  info.data_set = "MNIST";
  const Model model = digits_model();
  EXPECT_THROW(static_cast<void>(load_evaluation_data(info, model, {})), UsageError);
  EXPECT_THROW(static_cast<void>(
                   load_evaluation_data(digits_info(""), model, {.data = "x", .format = "digits"})),
               UsageError);
}

}  // namespace
}  // namespace bellows::cli
