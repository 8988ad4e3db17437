#include "training/policies/prediction_table.h"

#include <bellows/error.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <limits>
#include <string>
#include <vector>

#include "engine/model_file.h"
#include "engine/model_state.h"
#include "tests/data_fixtures.h"
#include "tests/grouped_networks.h"
#include "tests/refusal.h"

namespace bellows {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

// Two groups, three classes, images [1, 3, 4].
Network network() {
  using namespace config;  // NOLINT(google-build-using-namespace): a page of tables
  return Network::read(config::network({1, 3, 4}, 3, 2, "triangular", "per_width",
                                       {conv("conv1", {3, 5}, 3, 1), layer("relu", "relu1")}));
}

std::string saved_model(std::uint64_t seed = 1) {
  const auto path = fresh_folder() / "model.safetensors";
  const Network made = network();
  save_model(path, made, random_weights(made, 2, seed), ModelInfo{});
  return path;
}

Dataset tiny_images(std::size_t count, std::uint32_t seed = 1) {
  DatasetContent content{.name = "dots",
                         .provenance = "drawn here",
                         .shape = {1, 3, 4},
                         .pixels = noise(12 * count, seed),
                         .labels = {},
                         .class_names = {"left", "middle", "right"}};
  for (std::size_t i = 0; i < count; ++i) content.labels.push_back(static_cast<int>(i % 3));
  return Dataset(std::move(content));
}

TEST(PredictionTable, HasTheAnswersThatASessionGives) {
  const Model model = Model::load(saved_model());
  const Dataset images = tiny_images(300);
  const PredictionTable table = predict(model, images, "all of them");
  ASSERT_EQ(table.size(), 300U);
  ASSERT_EQ(table.widths(), model.groups());
  EXPECT_EQ(table.classes, 3);
  Session session(model);
  for (const std::size_t i : {0U, 150U, 299U}) {
    std::vector<float> image;
    for (const std::uint8_t pixel : images.image(i)) {
      image.push_back(static_cast<float>(pixel) / 255.0F);
    }
    session.run(image, 2);
    for (const int width : {1, 2}) {
      for (std::size_t c = 0; c < 3; ++c) {
        EXPECT_NEAR(table.answer(width, i)[c], session.logits(width)[c], 1e-5);
      }
    }
    EXPECT_EQ(table.labels[i], images.label(i));
  }
}

TEST(PredictionTable, ComesBackFromItsFileAsItWas) {
  const Model model = Model::load(saved_model());
  const auto path = fresh_folder() / "table.safetensors";
  const PredictionTable table = predict(model, tiny_images(20), "all of them");
  save_table(path, table);
  const PredictionTable loaded = load_table(path);
  EXPECT_EQ(loaded.group_sha256, table.group_sha256);
  EXPECT_EQ(loaded.images_sha256, table.images_sha256);
  EXPECT_EQ(loaded.data_name, "dots");
  EXPECT_EQ(loaded.part, "all of them");
  EXPECT_EQ(loaded.labels, table.labels);
  EXPECT_EQ(loaded.logits, table.logits);
}

TEST(PredictionTable, ThatOfAnotherModelIsRefused) {
  const Model model = Model::load(saved_model());
  PredictionTable table = predict(model, tiny_images(5), "all of them");
  check_table(table, model, "table");
  table.group_sha256[1][0] = table.group_sha256[1][0] == '0' ? '1' : '0';
  EXPECT_THAT(
      refusal(ErrorCode::kInvalidArgument, [&] { check_table(table, model, "the.table"); }),
      AllOf(HasSubstr("the.table"), HasSubstr("another model"), HasSubstr(table.group_sha256[1])));
}

TEST(PredictionTable, AModelMadeInMemoryHasNoHashAndNoTable) {
  const Network made = network();
  const Model model = internal::make_model(
      std::make_shared<internal::ModelState>(network(), ModelInfo{}, random_weights(made, 2, 1)));
  EXPECT_THAT(refusal(ErrorCode::kInvalidArgument,
                      [&] { static_cast<void>(predict(model, tiny_images(2), "")); }),
              HasSubstr("not loaded from a file"));
}

TEST(PredictionTable, EveryByteOfItsFileIsChecked) {
  const Model model = Model::load(saved_model());
  const auto path = fresh_folder() / "table.safetensors";
  save_table(path, predict(model, tiny_images(3), "all of them"));
  const Bytes good = read_file(path);
  for (std::size_t i = 0; i < good.size(); ++i) {
    Bytes bad = good;
    bad[i] ^= 0x20U;
    write_file(path, bad);
    EXPECT_THROW(static_cast<void>(load_table(path)), Error) << "byte " << i;
  }
  Bytes shorter = good;
  for (const std::size_t length :
       {std::size_t{0}, std::size_t{7}, good.size() / 2, good.size() - 1}) {
    shorter.resize(length);
    write_file(path, shorter);
    EXPECT_THAT(refusal(ErrorCode::kCorruptData, [&] { static_cast<void>(load_table(path)); }),
                HasSubstr("remove it"));
    shorter = good;
  }
  EXPECT_THAT(
      refusal(ErrorCode::kNotFound, [&] { static_cast<void>(load_table(path.string() + "x")); }),
      HasSubstr("no prediction table"));
}

TEST(PredictionTable, AnswersThatAreNoNumbersAreRefused) {
  const auto path = fresh_folder() / "model.safetensors";
  const Network made = network();
  WeightSet weights = random_weights(made, 2, 1);
  for (const ParameterKey& key : made.parameters(2)) {
    std::ranges::fill(weights.values(key), std::numeric_limits<float>::max());
  }
  save_model(path, made, weights, ModelInfo{});
  const Model model = Model::load(path);
  EXPECT_THAT(refusal(ErrorCode::kInvalidArgument,
                      [&] { static_cast<void>(predict(model, tiny_images(2), "")); }),
              HasSubstr("infinite or no number"));
}

TEST(PredictionTable, SharedImagesAreFoundByTheirPixels) {
  const Dataset images = tiny_images(50, 1);
  const Dataset others = tiny_images(50, 2);
  EXPECT_TRUE(shared_images(images, others).empty());
  const std::vector<std::uint32_t> some = {3, 17, 42};
  EXPECT_EQ(shared_images(images, images.subset(some)), some);
}

}  // namespace
}  // namespace bellows
