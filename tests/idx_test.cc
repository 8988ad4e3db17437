#include "training/data/idx.h"

#include "tests/data_fixtures.h"

namespace bellows {
namespace {

// Three images of 2 x 4 and their labels, in the files of a data set's training part.
class IdxReader : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_ = fresh_folder();
    images_ = folder_ / "train-images-idx3-ubyte";
    labels_ = folder_ / "train-labels-idx1-ubyte";
    write_idx_images(images_, 3, 2, 4, pixels_);
    write_idx_labels(labels_, std::vector<std::int32_t>{7, 0, 9});
  }

  void set_byte(const std::filesystem::path& file, std::size_t at, std::uint8_t value) {
    Bytes bytes = read_file(file);
    bytes[at] = value;
    write_file(file, bytes);
  }
  static void cut(const std::filesystem::path& file, std::ptrdiff_t count) {
    const Bytes bytes = read_file(file);
    write_file(file, Bytes(bytes.begin(), bytes.end() - count));
  }
  void expect_refused(const std::filesystem::path& file, const std::string& part) {
    expect_error(ErrorCode::kCorruptData, {file.string(), part},
                 [&] { (void)load_idx_folder(folder_, Split::kTrain, false); });
  }

  std::filesystem::path folder_, images_, labels_;
  const Bytes pixels_ = noise(24);
};

TEST_F(IdxReader, ReadsWhatWasWritten) {
  const IdxImages images = read_idx_images(images_);
  EXPECT_EQ(images.count, 3);
  EXPECT_EQ(images.height, 2);
  EXPECT_EQ(images.width, 4);
  EXPECT_EQ(images.pixels, pixels_);
  EXPECT_EQ(read_idx_labels(labels_, 10), (std::vector<std::int32_t>{7, 0, 9}));
}

TEST_F(IdxReader, WritesTheBytesOfTheFormat) {
  const Bytes expected{0, 0, 8, 1, 0, 0, 0, 3, 7, 0, 9};
  EXPECT_EQ(read_file(labels_), expected);
  const Bytes header{0, 0, 8, 3, 0, 0, 0, 3, 0, 0, 0, 2, 0, 0, 0, 4};
  const Bytes file = read_file(images_);
  ASSERT_EQ(file.size(), header.size() + pixels_.size());
  EXPECT_TRUE(std::equal(header.begin(), header.end(), file.begin()));
}

TEST_F(IdxReader, LoadsAFolderPackedOrNot) {
  write_packed(folder_ / "t10k-images-idx3-ubyte.gz", read_file(images_), Packing::kGzip);
  write_packed(folder_ / "t10k-labels-idx1-ubyte.xz", read_file(labels_), Packing::kXz);
  for (const Split split : {Split::kTrain, Split::kTest}) {
    const Dataset dataset = load_idx_folder(folder_, split, true);
    EXPECT_EQ(dataset.name(), "Fashion-MNIST");
    EXPECT_EQ(dataset.shape(), (ImageShape{1, 2, 4}));
    ASSERT_EQ(dataset.size(), 3U);
    EXPECT_EQ(dataset.label(0), 7);
    EXPECT_EQ(dataset.class_names()[9], "ankle boot");
    EXPECT_TRUE(std::equal(pixels_.begin() + 8, pixels_.begin() + 16, dataset.image(1).begin()));
  }
}

TEST_F(IdxReader, NamesAMissingFile) {
  std::filesystem::remove(labels_);
  expect_error(ErrorCode::kNotFound, {labels_.string(), ".gz"},
               [&] { (void)load_idx_folder(folder_, Split::kTrain, false); });
}

TEST_F(IdxReader, RefusesATruncatedFileByName) {
  cut(images_, 1);
  expect_refused(images_, "announces 24 bytes of data, the file has 23");
}

TEST_F(IdxReader, RefusesAFileWithoutAWholeHeader) {
  cut(labels_, 6);
  expect_refused(labels_, "only 5 bytes");
}

TEST_F(IdxReader, RefusesTrailingBytes) {
  Bytes bytes = read_file(labels_);
  bytes.push_back(0);
  write_file(labels_, bytes);
  expect_refused(labels_, "more than the 11 bytes that it announces");
}

TEST_F(IdxReader, RefusesAWrongMagicNumber) {
  set_byte(images_, 3, 1);
  expect_refused(images_, "magic number is 2049");
}

TEST_F(IdxReader, RefusesSwappedFiles) {
  std::filesystem::rename(images_, folder_ / "x");
  std::filesystem::rename(labels_, images_);
  std::filesystem::rename(folder_ / "x", labels_);
  expect_error(ErrorCode::kCorruptData, {images_.string()},
               [&] { (void)load_idx_folder(folder_, Split::kTrain, false); });
}

TEST_F(IdxReader, RefusesFilesWithoutItems) {
  write_idx_labels(labels_, {});
  expect_refused(labels_, "holds no items");
  write_idx_images(images_, 0, 2, 4, {});
  expect_refused(images_, "holds no items");
}

TEST_F(IdxReader, RefusesAnImageSideOfZeroOrTooLarge) {
  set_byte(images_, 11, 0);
  expect_refused(images_, "image side of 0");
  set_byte(images_, 8, 0xff);
  expect_refused(images_, "image side of 4278190080");
}

TEST_F(IdxReader, RefusesAHeaderThatAnnouncesGigabytes) {
  set_byte(images_, 4, 0x7f);
  expect_refused(images_, "announces 17045651496 bytes");
  set_byte(images_, 4, 0xff);
  expect_refused(images_, "more than this reader takes");
}

TEST_F(IdxReader, RefusesALabelOutOfRange) {
  set_byte(labels_, 10, 10);
  expect_refused(labels_, "label 10 of item 2 is not in 0..9");
}

TEST_F(IdxReader, RefusesLabelsAndImagesOfDifferentNumber) {
  write_idx_labels(labels_, std::vector<std::int32_t>{1, 2});
  expect_refused(labels_, "2 labels for the 3 images");
}

TEST_F(IdxReader, RefusesAGzipFileWithoutItsTail) {
  const Bytes bytes = read_file(images_);
  std::filesystem::remove(images_);
  const auto file = write_packed(images_.string() + ".gz", bytes, Packing::kGzip);
  cut(file, 5);
  expect_refused(file, "cut off");
}

TEST_F(IdxReader, WritingNeverDamagesTheOldFileOnBadArguments) {
  const Bytes before = read_file(images_);
  expect_error(ErrorCode::kInvalidArgument, {images_.string()},
               [&] { write_idx_images(images_, 4, 2, 4, pixels_); });
  expect_error(ErrorCode::kInvalidArgument, {labels_.string(), "256"},
               [&] { write_idx_labels(labels_, std::vector<std::int32_t>{256}); });
  EXPECT_EQ(read_file(images_), before);
}

TEST(RealMnist, HasThePublishedSizesAndFirstLabels) {
  const auto root = real_data();
  if (!root) BELLOWS_SKIP_WITHOUT_DATA();
  const Dataset train = load_idx_folder(*root / "mnist", Split::kTrain, false);
  EXPECT_EQ(train.size(), 60000U);
  EXPECT_EQ(train.shape(), (ImageShape{1, 28, 28}));
  EXPECT_EQ(train.label(0), 5);
  EXPECT_EQ(train.label(1), 0);
  EXPECT_EQ(train.label(2), 4);
  const Dataset test = load_idx_folder(*root / "fashion-mnist", Split::kTest, true);
  EXPECT_EQ(test.count_per_class(), std::vector<std::size_t>(10, 1000));
  EXPECT_EQ(test.class_names()[static_cast<std::size_t>(test.label(0))], "ankle boot");
}

}  // namespace
}  // namespace bellows
