// The evaluator counts what single-image sessions answer.
#include "training/evaluator.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <utility>

#include "engine/model_state.h"
#include "tests/data_fixtures.h"
#include "tests/grouped_networks.h"

namespace bellows {
namespace {

using ::testing::ElementsAre;
using ::testing::SizeIs;

constexpr int kClasses = 5;
constexpr int kGroups = 3;
constexpr std::size_t kImages = 23;

Model random_model() {
  const Network network = Network::read(
      config::network({2, 9, 8}, kClasses, kGroups, "triangular", "per_width",
                      {config::conv("conv1", {3, 5, 2}, 3, 0), config::layer("relu", "relu1")}));
  const WeightSet weights = random_weights(network, kGroups, 3);
  ModelInfo info;
  info.mean = {0.4, 0.6};
  info.stddev = {0.3, 0.2};
  return internal::make_model(
      std::make_shared<internal::ModelState>(network.first_groups(kGroups), info, weights));
}

Dataset random_dataset(int classes = kClasses, ImageShape shape = {2, 9, 8}) {
  DatasetContent content;
  content.name = "noise";
  content.shape = shape;
  content.pixels = noise(kImages * shape.elements());
  data::KeyedRandom random(8);
  for (std::size_t i = 0; i < kImages; ++i) {
    content.labels.push_back(
        static_cast<std::int32_t>(random.below(static_cast<std::uint32_t>(classes))));
  }
  for (int i = 0; i < classes; ++i) content.class_names.push_back("class " + std::to_string(i));
  return Dataset(content);
}

// Image after image, the loss by its definition: -log of the softmax of the true class.
std::vector<WidthScore> counted(const Model& model, const Dataset& images) {
  std::vector<WidthScore> scores;
  for (int width = 1; width <= model.groups(); ++width) {
    WidthScore score{.width = width, .accuracy = 0, .loss = 0, .confusion = {}};
    score.confusion.assign(kClasses * kClasses, 0);
    Session session(model);
    for (std::size_t i = 0; i < images.size(); ++i) {
      std::vector<float> image;
      for (const std::uint8_t pixel : images.image(i)) {
        image.push_back(static_cast<float>(pixel) / 255.0F);
      }
      session.run(image, width);
      double sum = 0;
      for (const float logit : session.logits()) sum += std::exp(double{logit});
      const auto label = static_cast<std::size_t>(images.label(i));
      const auto answer = static_cast<std::size_t>(session.best().label);
      score.loss -= std::log(std::exp(double{session.logits()[label]}) / sum) / kImages;
      score.accuracy += answer == label ? 1.0 / kImages : 0;
      ++score.confusion[label * kClasses + answer];
    }
    scores.push_back(score);
  }
  return scores;
}

TEST(Evaluator, CountsWhatSingleImagesAreAnswered) {
  const Model model = random_model();
  const Dataset images = random_dataset();
  const std::vector<WidthScore> expected = counted(model, images);
  // The answers are not all right, all wrong or all the same: there is something to count.
  EXPECT_GT(expected[0].accuracy, 0);
  EXPECT_LT(expected[0].accuracy, 1);
  EXPECT_NE(expected[0].confusion, expected[2].confusion);
  // One batch that is not full, full ones only, a last one of 7 images, one of 1.
  for (const int batch : {128, 23, 8, 11, 1}) {
    SCOPED_TRACE("batch " + std::to_string(batch));
    for (const int threads : {1, 2}) {
      const auto scores = evaluate(model, images, {.batch = batch, .threads = threads});
      ASSERT_THAT(scores, SizeIs(kGroups));
      for (std::size_t i = 0; i < scores.size(); ++i) {
        EXPECT_EQ(scores[i].width, expected[i].width);
        EXPECT_NEAR(scores[i].accuracy, expected[i].accuracy, 1e-12);
        EXPECT_NEAR(scores[i].loss, expected[i].loss, 1e-5);
        EXPECT_EQ(scores[i].confusion, expected[i].confusion);
      }
    }
  }
}

TEST(Evaluator, RunsTheWidthsAskedForOnly) {
  const Model model = random_model();
  const Dataset images = random_dataset();
  const auto all = evaluate(model, images);
  const std::vector<std::pair<int, int>> ranges{{1, 1}, {2, 2}, {2, 3}, {3, 0}};
  for (const auto& [first, last] : ranges) {
    const auto scores = evaluate(model, images, {.first_width = first, .last_width = last});
    const int end = last == 0 ? kGroups : last;
    ASSERT_EQ(scores.size(), static_cast<std::size_t>(end - first + 1));
    for (const WidthScore& score : scores) {
      const WidthScore& expected = all[static_cast<std::size_t>(score.width - 1)];
      EXPECT_EQ(score.accuracy, expected.accuracy);
      EXPECT_EQ(score.loss, expected.loss);
    }
    EXPECT_EQ(scores.front().width, first);
    EXPECT_EQ(scores.back().width, end);
  }
}

TEST(Evaluator, TellsItsProgressAfterEveryBatch) {
  std::vector<std::size_t> done;
  EvaluationOptions options{.batch = 10};
  options.progress = [&](std::size_t now, std::size_t of) {
    done.push_back(now);
    EXPECT_EQ(of, kImages);
  };
  static_cast<void>(evaluate(random_model(), random_dataset(), options));
  EXPECT_THAT(done, ElementsAre(10U, 20U, 23U));
}

TEST(Evaluator, TakesImagesOfFewerClassesThanTheModelKnows) {
  const auto scores = evaluate(random_model(), random_dataset(2));
  for (const WidthScore& score : scores) {
    ASSERT_THAT(score.confusion, SizeIs(kClasses * kClasses));
    for (std::size_t i = 2 * kClasses; i < score.confusion.size(); ++i) {
      EXPECT_EQ(score.confusion[i], 0);
    }
  }
}

TEST(Evaluator, FindsNothingWhereThereAreNoImages) {
  for (const WidthScore& score : evaluate(random_model(), random_dataset().first(0))) {
    EXPECT_EQ(score.accuracy, 0);
    EXPECT_EQ(score.loss, 0);
  }
}

TEST(Evaluator, NamesWhatDoesNotFitTheModel) {
  const Model model = random_model();
  const auto refused = [&](std::initializer_list<std::string> parts, const Dataset& images,
                           const EvaluationOptions& options = {}) {
    expect_error(ErrorCode::kInvalidArgument, parts,
                 [&] { static_cast<void>(evaluate(model, images, options)); });
  };
  refused({"noise", "2 x 8 x 9", "2 x 9 x 8"}, random_dataset(kClasses, {2, 8, 9}));
  refused({"noise", "6 classes", "knows 5"}, random_dataset(6));
  const Dataset images = random_dataset();
  refused({"0 to 3", "1 to 3"}, images, {.first_width = 0});
  refused({"1 to 4", "1 to 3"}, images, {.last_width = 4});
  refused({"3 to 2", "1 to 3"}, images, {.first_width = 3, .last_width = 2});
  refused({"4 to 3", "1 to 3"}, images, {.first_width = 4});
  refused({"batch"}, images, {.batch = 0});
  refused({"batch"}, images, {.batch = -1});
  refused({"threads"}, images, {.threads = 0});
}

}  // namespace
}  // namespace bellows
