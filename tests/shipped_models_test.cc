// The trained models in models/ are what their page says they are.
#include <bellows/bellows.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "engine/model_file.h"
#include "engine/sha256.h"
#include "tests/data_fixtures.h"
#include "training/data/dataset.h"
#include "training/evaluator.h"

namespace bellows {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

std::filesystem::path folder() { return std::filesystem::path(BELLOWS_SOURCE_DIR) / "models"; }

std::vector<std::filesystem::path> shipped_models() {
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator(folder())) {
    if (entry.path().extension() == ".safetensors") files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  return files;
}

// The line of the page that begins with `start`; empty if there is none.
std::string line_of_page(const std::string& start) {
  const Bytes page = read_file(folder() / "README.md");
  const std::string text(page.begin(), page.end());
  const auto begin = text.find("\n" + start);
  if (begin == std::string::npos) return {};
  return text.substr(begin + 1, text.find('\n', begin + 1) - begin - 1);
}

std::string percent(double share) {
  char text[16];
  std::snprintf(text, sizeof text, "%.2f", 100 * share);
  return text;
}

// Each width's share of right answers is what the file claims, within four standard deviations of
// so many images: what a sample of them may differ by.
std::vector<WidthScore> expect_as_claimed(const std::filesystem::path& file,
                                          const Dataset& images) {
  const auto claimed = load_model(file).info.test_accuracy;
  std::vector<WidthScore> scores = evaluate(Model::load(file.string()), images);
  for (const WidthScore& score : scores) {
    const double share = claimed.at(static_cast<std::size_t>(score.width) - 1);
    const double deviation = std::sqrt(share * (1 - share) / static_cast<double>(images.size()));
    EXPECT_NEAR(score.accuracy, share, 4 * deviation) << file << ", width " << score.width;
  }
  return scores;
}

TEST(ShippedModels, AreSmallAndSayWhatTheyWereTrainedOn) {
  const auto files = shipped_models();
  ASSERT_THAT(files, Not(IsEmpty()));
  for (const auto& file : files) {
    SCOPED_TRACE(file);
    EXPECT_LT(std::filesystem::file_size(file), 2'000'000U);
    const ModelFile model = load_model(file);
    const ModelInfo& info = model.info;
    EXPECT_THAT(info.data_set, Not(IsEmpty()));
    EXPECT_THAT(info.created_with, Not(IsEmpty()));
    EXPECT_EQ(info.classes.size(), 10U);
    EXPECT_EQ(info.test_accuracy.size(), static_cast<std::size_t>(model.network.groups()));
  }
}

TEST(ShippedModels, HaveTheBytesAndTheAccuraciesOfTheirPage) {
  for (const auto& file : shipped_models()) {
    SCOPED_TRACE(file);
    const std::string name = file.filename().string();
    for (const double share : load_model(file).info.test_accuracy) {
      EXPECT_THAT(line_of_page("| `" + name + "`"), HasSubstr(percent(share)));
    }
    EXPECT_THAT(line_of_page("    " + sha256_hex(read_file(file))), HasSubstr(name));
  }
}

TEST(ShippedModels, ClassifyDrawnDigitsAsWellAsTheySay) {
  DigitsOptions options;
  options.train_images = 10;
  options.test_images = 1000;
  LoadOptions load;
  load.digits = options;
  expect_as_claimed(folder() / "digits-lenet.safetensors",
                    load_dataset(DatasetFormat::kDigits, {}, Split::kTest, load));
}

TEST(ShippedModels, ClassifyRealImagesAsWellAsTheySay) {
  const auto root = real_data();
  if (!root) BELLOWS_SKIP_WITHOUT_DATA();
  // Right of the first 1,000 test images, as this program found on AVX-512 when the files were the
  // page's: another processor may round one or two to another class, another model would differ by
  // dozens.
  constexpr int kImages = 1000;
  constexpr double kFew = 2;
  const std::map<std::string, std::vector<int>> right = {
      {"cifar10-vgg-growing-narrow.safetensors", {882, 899}},
      {"cifar10-vgg.safetensors", {794, 851, 852, 894}},
      {"fashion-mnist-lenet-growing.safetensors", {908, 909, 909, 918}},
      {"mnist-vgg-growing.safetensors", {994, 995, 996, 997}},
  };
  const struct {
    const char* prefix;
    DatasetFormat format;
    const char* folder;
  } sets[] = {{"mnist-", DatasetFormat::kMnist, "mnist"},
              {"fashion-mnist-", DatasetFormat::kFashionMnist, "fashion-mnist"},
              {"cifar10-", DatasetFormat::kCifar10, "cifar-10"}};
  for (const auto& set : sets) {
    const Dataset images =
        load_dataset(set.format, *root / set.folder, Split::kTest).first(kImages);
    for (const auto& file : shipped_models()) {
      const std::string name = file.filename().string();
      if (!name.starts_with(set.prefix)) continue;
      const std::vector<WidthScore> scores = expect_as_claimed(file, images);
      ASSERT_EQ(scores.size(), right.at(name).size()) << name;
      for (std::size_t i = 0; i < scores.size(); ++i) {
        EXPECT_NEAR(scores[i].accuracy * kImages, right.at(name)[i], kFew)
            << name << ", width " << i + 1;
      }
    }
  }
}

// What no file tells, as its network never saw them.
TEST(ShippedModels, ClassifyPhotographsOfHouseNumbersAsWellAsTheirPageSays) {
  const auto root = real_data();
  if (!root) BELLOWS_SKIP_WITHOUT_DATA();
  const Dataset images = load_dataset(DatasetFormat::kSvhn, *root / "svhn", Split::kTrain);
  if (images.size() != 1083) GTEST_SKIP() << "the page tells of the first 1,083 images alone";
  const auto model = Model::load((folder() / "svhn-street-digits.safetensors").string());
  std::string shares;
  for (const WidthScore& score : evaluate(model, images)) {
    const char* before = score.width == 1 ? "" : score.width == model.groups() ? " and " : ", ";
    shares += before + percent(score.accuracy);
  }
  EXPECT_THAT(line_of_page("model is right in"), HasSubstr("right in " + shares + " %"));
}

}  // namespace
}  // namespace bellows
