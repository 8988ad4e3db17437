#include "training/data/dataset.h"

#include "tests/data_fixtures.h"
#include "training/data/idx.h"
#include "training/data/png_image.h"

namespace bellows {
namespace {

DatasetContent content_of_three() {
  return {.name = "three",
          .provenance = "here",
          .shape = {1, 1, 2},
          .pixels = {1, 2, 3, 4, 5, 6},
          .labels = {0, 1, 1},
          .class_names = {"a", "b"},
          .neighbours_related = true};
}

TEST(Dataset, GivesImagesLabelsAndCounts) {
  const Dataset dataset(content_of_three());
  EXPECT_EQ(dataset.size(), 3U);
  EXPECT_EQ(dataset.classes(), 2);
  EXPECT_EQ(dataset.image(2)[0], 5);
  EXPECT_EQ(dataset.image(2).size(), 2U);
  EXPECT_EQ(dataset.count_per_class(), (std::vector<std::size_t>{1, 2}));
}

TEST(Dataset, SubsetsOfSubsetsShowTheRightImages) {
  const Dataset dataset(content_of_three());
  const Dataset two = dataset.subset(std::vector<std::uint32_t>{2, 0});
  EXPECT_EQ(two.label(0), 1);
  EXPECT_EQ(two.image(1)[0], 1);
  const Dataset one = two.subset(std::vector<std::uint32_t>{0});
  EXPECT_EQ(one.image(0)[0], 5);
  EXPECT_TRUE(one.neighbours_related());
  EXPECT_EQ(one.image(0).data(), dataset.image(2).data()) << "pixels are shared, not copied";
  EXPECT_EQ(dataset.first(2).size(), 2U);
  EXPECT_EQ(dataset.first(9).size(), 3U);
}

TEST(Dataset, AnEmptySubsetIsEmpty) {
  const Dataset none = Dataset(content_of_three()).subset({});
  EXPECT_TRUE(none.empty());
  EXPECT_EQ(none.count_per_class(), (std::vector<std::size_t>{0, 0}));
}

TEST(Dataset, OutlivesWhatItWasCutFrom) {
  Dataset part;
  {
    const Dataset dataset(content_of_three());
    part = dataset.subset(std::vector<std::uint32_t>{1});
  }
  EXPECT_EQ(part.image(0)[1], 4);
}

TEST(Dataset, RefusesAnIndexThatIsNotThere) {
  const Dataset dataset(content_of_three());
  expect_error(ErrorCode::kInvalidArgument, {"three", "no image 3"}, [&] {
    (void)dataset.subset(std::vector<std::uint32_t>{0, 3});
  });
}

TEST(Dataset, RefusesPartsThatDoNotFit) {
  DatasetContent content = content_of_three();
  content.pixels.pop_back();
  expect_error(ErrorCode::kInvalidArgument, {"5 pixels are not 3 images of 1x1x2"},
               [&] { Dataset dataset(content); });
  content = content_of_three();
  content.labels[1] = 2;
  expect_error(ErrorCode::kInvalidArgument, {"label 2 of image 1"},
               [&] { Dataset dataset(content); });
  content = content_of_three();
  content.labels[1] = -1;
  expect_error(ErrorCode::kInvalidArgument, {"label -1"}, [&] { Dataset dataset(content); });
  content = content_of_three();
  content.shape.height = 0;
  expect_error(ErrorCode::kInvalidArgument, {"1x0x2"}, [&] { Dataset dataset(content); });
}

TEST(Dataset, RefusesToBeMadeOfNothing) {
  DatasetContent content = content_of_three();
  content.pixels.clear();
  content.labels.clear();
  expect_error(ErrorCode::kInvalidArgument, {"three (here)", "no images"},
               [&] { Dataset dataset(content); });
}

TEST(Dataset, HasNamesThatAFileOfTextCanHold) {
  DatasetContent content = content_of_three();
  content.name = "Stra\xdf";
  content.provenance = "\xff/Straße";
  const Dataset mended(content);
  EXPECT_EQ(mended.name(), "Stra\uFFFD");
  EXPECT_EQ(mended.provenance(), "\uFFFD/Straße");
  EXPECT_EQ(mended.renamed("\xdf", "über").name(), "\uFFFD");
  EXPECT_EQ(mended.renamed("\xdf", "über").provenance(), "über");

  // Classes are told apart by their names, and mended ones might be equal.
  content.class_names = {"groß", "gro\xdf"};
  expect_error(ErrorCode::kInvalidArgument, {"class name 'gro\uFFFD'", "UTF-8", "rename"},
               [&] { Dataset dataset(content); });
  content.class_names = {"groß", "\xed\xa0\x80"};  // half of a surrogate pair
  expect_error(ErrorCode::kInvalidArgument, {"UTF-8"}, [&] { Dataset dataset(content); });
}

TEST(DatasetFormat, NamesAreReadBackAndUnknownOnesAnsweredWithTheList) {
  for (const DatasetFormat format : all_dataset_formats()) {
    EXPECT_EQ(parse_format_name(format_name(format)), format);
  }
  expect_error(ErrorCode::kInvalidArgument, {"imagenet", "fashion-mnist", "digits"},
               [] { (void)parse_format_name("imagenet"); });
}

// A folder as MNIST and Fashion-MNIST have it, with one image.
void write_idx_set(const std::filesystem::path& folder) {
  std::filesystem::create_directories(folder);
  write_idx_images(folder / "train-images-idx3-ubyte", 1, 2, 2, Bytes(4));
  write_idx_labels(folder / "train-labels-idx1-ubyte", std::vector<std::int32_t>{0});
}

TEST(DetectFormat, KnowsEachFormatByItsFiles) {
  const auto root = fresh_folder();
  write_idx_set(root / "numbers");
  write_idx_set(root / "My-Fashion-Set");
  write_file(root / "c" / "cifar-10-batches-bin" / "test_batch.bin", Bytes(3073));
  write_file(root / "s" / "train_part_32x32.mat", {});
  std::filesystem::create_directories(root / "f" / "train" / "cats");
  write_png(root / "f" / "train" / "cats" / "1.png", {1, 2, 2}, Bytes(4));
  EXPECT_EQ(detect_format(root / "numbers"), DatasetFormat::kMnist);
  EXPECT_EQ(detect_format(root / "My-Fashion-Set"), DatasetFormat::kFashionMnist);
  EXPECT_EQ(detect_format(root / "c"), DatasetFormat::kCifar10);
  EXPECT_EQ(detect_format(root / "s"), DatasetFormat::kSvhn);
  EXPECT_EQ(detect_format(root / "f"), DatasetFormat::kFolder);
}

TEST(DetectFormat, SaysWhyItCannotLook) {
  const auto root = fresh_folder();
  std::filesystem::create_symlink(root / "loop", root / "loop");
  expect_error(ErrorCode::kIoError, {(root / "loop").string(), "symbolic links"},
               [&] { (void)detect_format(root / "loop"); });
  std::filesystem::create_symlink("train-images-idx3-ubyte", root / "train-images-idx3-ubyte");
  expect_error(ErrorCode::kIoError, {(root / "train-images-idx3-ubyte").string(), "symbolic links"},
               [&] { (void)detect_format(root); });
  expect_error(ErrorCode::kNotFound, {"an empty name"}, [] { (void)detect_format(""); });
}

TEST(DetectFormat, ListsWhatItLookedFor) {
  const auto root = fresh_folder();
  expect_error(
      ErrorCode::kNotFound,
      {root.string(), "train-images-idx3-ubyte", "data_batch_1.bin", "train_32x32.mat", "*.png"},
      [&] { (void)detect_format(root); });
  expect_error(ErrorCode::kNotFound, {"nowhere"}, [&] { (void)detect_format(root / "nowhere"); });
}

TEST(DetectFormat, TellsRealSetsApartByChecksum) {
  const auto root = real_data();
  if (!root) BELLOWS_SKIP_WITHOUT_DATA();
  const auto folder = fresh_folder();
  std::filesystem::create_directory_symlink(*root / "fashion-mnist", folder / "unnamed");
  EXPECT_EQ(detect_format(folder / "unnamed"), DatasetFormat::kFashionMnist);
  EXPECT_EQ(detect_format(*root / "mnist"), DatasetFormat::kMnist);
  EXPECT_EQ(detect_format(*root / "cifar-10"), DatasetFormat::kCifar10);
  EXPECT_EQ(detect_format(*root / "svhn"), DatasetFormat::kSvhn);
}

TEST(LoadDataset, GoesThroughTheReaderOfEachFormat) {
  const auto root = fresh_folder();
  write_idx_set(root);
  EXPECT_EQ(load_dataset(DatasetFormat::kMnist, root, Split::kTrain).name(), "MNIST");
  EXPECT_EQ(load_dataset(DatasetFormat::kFashionMnist, root, Split::kTrain).name(),
            "Fashion-MNIST");
  LoadOptions options;
  options.digits.train_images = 20;
  options.digits.test_images = 10;
  EXPECT_EQ(load_dataset(DatasetFormat::kDigits, {}, Split::kTrain, options).size(), 20U);
  EXPECT_EQ(load_dataset(DatasetFormat::kDigits, {}, Split::kTest, options).size(), 10U);
  for (const DatasetFormat format :
       {DatasetFormat::kCifar10, DatasetFormat::kSvhn, DatasetFormat::kFolder}) {
    expect_error(ErrorCode::kNotFound, {root.string()},
                 [&] { (void)load_dataset(format, root, Split::kTrain); });
  }
}

}  // namespace
}  // namespace bellows
