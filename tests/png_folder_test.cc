#include "training/data/png_folder.h"

#include "tests/data_fixtures.h"
#include "training/data/png_image.h"

namespace bellows {
namespace {

void put(const std::filesystem::path& file, const ImageShape& shape, std::uint8_t value) {
  std::filesystem::create_directories(file.parent_path());
  write_png(file, shape, Bytes(shape.elements(), value));
}

constexpr ImageShape kGrey{1, 3, 4};

TEST(PngFolder, ReadsClassesAndFilesInByteOrder) {
  const auto root = fresh_folder();
  put(root / "dog" / "2.png", kGrey, 2);
  put(root / "dog" / "10.png", kGrey, 1);
  put(root / "Cat" / "x.png", kGrey, 3);
  write_file(root / "dog" / "notes.txt", {});
  write_file(root / ".hidden" / "a.png", {});
  const Dataset dataset = load_png_folder(root, Split::kTrain);
  EXPECT_EQ(dataset.class_names(), (std::vector<std::string>{"Cat", "dog"}));
  ASSERT_EQ(dataset.size(), 3U);
  EXPECT_EQ(dataset.shape(), kGrey);
  EXPECT_EQ(dataset.label(0), 0);
  EXPECT_EQ(dataset.label(1), 1);
  EXPECT_EQ(dataset.image(0)[0], 3);
  EXPECT_EQ(dataset.image(1)[0], 1);
  EXPECT_EQ(dataset.image(2)[0], 2);
}

TEST(PngFolder, WithoutSplitFoldersThereIsNoTestPart) {
  const auto root = fresh_folder();
  put(root / "dog" / "a.png", kGrey, 2);
  expect_error(ErrorCode::kNotFound, {root.string(), "no test part"},
               [&] { (void)load_png_folder(root, Split::kTest); });
}

TEST(PngFolder, ReadsBothPartsWithTheClassesOfTrain) {
  const auto root = fresh_folder();
  put(root / "train" / "a" / "1.png", kGrey, 1);
  put(root / "train" / "b" / "1.png", kGrey, 2);
  put(root / "test" / "b" / "1.png", kGrey, 9);
  const Dataset test = load_png_folder(root, Split::kTest);
  EXPECT_EQ(test.classes(), 2);
  ASSERT_EQ(test.size(), 1U);
  EXPECT_EQ(test.label(0), 1);
  put(root / "test" / "unknown" / "1.png", kGrey, 9);
  expect_error(ErrorCode::kCorruptData, {(root / "test" / "unknown").string()},
               [&] { (void)load_png_folder(root, Split::kTest); });
}

TEST(PngFolder, ConvertsToTheChannelsOfTheFirstImageOrThoseAskedFor) {
  const auto root = fresh_folder();
  put(root / "a" / "1.png", kGrey, 50);
  put(root / "a" / "2.png", {3, 3, 4}, 60);
  EXPECT_EQ(load_png_folder(root, Split::kTrain).shape().channels, 1);
  const Dataset colour = load_png_folder(root, Split::kTrain, 3);
  EXPECT_EQ(colour.shape().channels, 3);
  EXPECT_EQ(colour.image(0)[35], 50);
  EXPECT_EQ(colour.image(1)[0], 60);
}

TEST(PngFolder, TheTestPartHasTheChannelsOfTheTrainingPart) {
  const auto root = fresh_folder();
  put(root / "train" / "b" / "1.png", {3, 3, 4}, 60);
  put(root / "train" / "b" / "2.png", kGrey, 70);
  put(root / "test" / "b" / "1.png", kGrey, 50);
  put(root / "test" / "b" / "2.png", {3, 3, 4}, 80);
  EXPECT_EQ(load_png_folder(root, Split::kTrain).shape().channels, 3);
  const Dataset test = load_png_folder(root, Split::kTest);
  EXPECT_EQ(test.shape().channels, 3);
  EXPECT_EQ(test.image(0)[35], 50);
  EXPECT_EQ(load_png_folder(root, Split::kTest, 1).shape().channels, 1);
}

TEST(PngFolder, RefusesAClassWhoseNameIsNotUtf8) {
  const auto root = fresh_folder();
  put(root / "caf\xe9" / "1.png", kGrey, 1);
  expect_error(ErrorCode::kInvalidArgument, {root.string(), "'caf\uFFFD'", "rename"},
               [&] { (void)load_png_folder(root, Split::kTrain); });
}

TEST(PngFolder, NamesTheImageOfAnotherSize) {
  const auto root = fresh_folder();
  put(root / "a" / "1.png", kGrey, 1);
  put(root / "b" / "odd.png", {1, 4, 4}, 1);
  expect_error(ErrorCode::kCorruptData,
               {(root / "b" / "odd.png").string(), "1x4x4", "1x3x4", "1.png"},
               [&] { (void)load_png_folder(root, Split::kTrain); });
}

TEST(PngFolder, NamesADamagedImage) {
  const auto root = fresh_folder();
  const auto file = write_file(root / "a" / "bad.png", noise(100));
  expect_error(ErrorCode::kCorruptData, {file.string()},
               [&] { (void)load_png_folder(root, Split::kTrain); });
}

TEST(PngFolder, TakesEndingsInLettersOfAnyCase) {
  const auto root = fresh_folder();
  put(root / "a" / "1.png", kGrey, 1);
  put(root / "a" / "2.PNG", kGrey, 2);
  put(root / "b" / "3.Png", kGrey, 3);
  EXPECT_EQ(load_png_folder(root, Split::kTrain).count_per_class(),
            (std::vector<std::size_t>{2, 1}));
}

TEST(PngFolder, RefusesAClassWithoutTrainingImages) {
  const auto root = fresh_folder();
  put(root / "train" / "a" / "1.png", kGrey, 1);
  put(root / "test" / "a" / "1.png", kGrey, 1);
  write_file(root / "train" / "b" / "1.jpeg", noise(10));
  expect_error(ErrorCode::kNotFound, {(root / "train" / "b").string(), "*.png", "remove"},
               [&] { (void)load_png_folder(root, Split::kTrain); });
}

TEST(PngFolder, RefusesAFolderWithoutImages) {
  const auto root = fresh_folder();
  std::filesystem::create_directories(root / "a");
  EXPECT_FALSE(looks_like_png_folder(root));
  expect_error(ErrorCode::kNotFound, {root.string(), "*.png"},
               [&] { (void)load_png_folder(root, Split::kTrain); });
  expect_error(ErrorCode::kNotFound, {"nowhere"},
               [&] { (void)load_png_folder(root / "nowhere", Split::kTrain); });
}

}  // namespace
}  // namespace bellows
