#include "training/data/svhn.h"

#include <matio.h>

#include <algorithm>
#include <utility>

#include "tests/data_fixtures.h"

namespace bellows {
namespace {

constexpr std::size_t kPixels = 3072;
constexpr std::size_t kHeader = 128;  // bytes before the first element
constexpr std::size_t kTag = 8;       // bytes of an element's type and length

std::size_t little_endian(const Bytes& bytes, std::size_t at) {
  std::size_t value = 0;
  for (std::size_t i = 0; i < 4; ++i) value += std::size_t{bytes[at + i]} << (8 * i);
  return value;
}

// Writes a .mat with the variables given; `count` images when X is wanted.
class MatWriter {
 public:
  explicit MatWriter(const std::filesystem::path& file,
                     matio_compression compression = MAT_COMPRESSION_ZLIB)
      : mat_(Mat_CreateVer(file.c_str(), nullptr, MAT_FT_MAT5)), compression_(compression) {
    EXPECT_NE(mat_, nullptr);
  }
  ~MatWriter() { Mat_Close(mat_); }
  MatWriter(const MatWriter&) = delete;
  MatWriter& operator=(const MatWriter&) = delete;

  void add(const char* name, std::vector<std::size_t> dims, Bytes bytes) {
    put(Mat_VarCreate(name, MAT_C_UINT8, MAT_T_UINT8, static_cast<int>(dims.size()), dims.data(),
                      bytes.data(), 0));
  }
  void add_doubles(const char* name, std::vector<std::size_t> dims, std::vector<double> values) {
    put(Mat_VarCreate(name, MAT_C_DOUBLE, MAT_T_DOUBLE, static_cast<int>(dims.size()), dims.data(),
                      values.data(), 0));
  }

 private:
  void put(matvar_t* variable) {
    EXPECT_NE(variable, nullptr);
    EXPECT_EQ(Mat_VarWrite(mat_, variable, compression_), 0);
    Mat_VarFree(variable);
  }
  mat_t* mat_;
  matio_compression compression_;
};

std::filesystem::path write_images(const std::filesystem::path& file, const Bytes& pixels,
                                   const Bytes& labels,
                                   matio_compression compression = MAT_COMPRESSION_ZLIB) {
  MatWriter writer(file, compression);
  writer.add("X", {32, 32, 3, labels.size()}, pixels);
  writer.add("y", {labels.size(), 1}, labels);
  return file;
}

void expect_refused(const std::filesystem::path& file, const std::string& part) {
  expect_error(ErrorCode::kCorruptData, {file.string(), part}, [&] { (void)read_svhn_file(file); });
}

TEST(SvhnReader, TurnsColumnsIntoRowsAndTenIntoZero) {
  const Bytes columns = noise(4 * kPixels);
  const Dataset dataset =
      read_svhn_file(write_images(fresh_folder() / "a.mat", columns, {1, 10, 9, 2}));
  EXPECT_EQ(dataset.shape(), kSvhnShape);
  EXPECT_EQ(std::vector<std::int32_t>(dataset.labels().begin(), dataset.labels().end()),
            (std::vector<std::int32_t>{1, 0, 9, 2}));
  EXPECT_TRUE(dataset.neighbours_related());
  for (std::size_t n = 0; n < 4; ++n) {
    for (std::size_t c = 0; c < 3; ++c) {
      for (std::size_t y = 0; y < 32; ++y) {
        for (std::size_t x = 0; x < 32; ++x) {
          ASSERT_EQ(dataset.image(n)[(c * 32 + y) * 32 + x],
                    columns[n * kPixels + c * 1024 + x * 32 + y]);
        }
      }
    }
  }
}

// libmatio takes memory by lengths in there, whatever the file has.
TEST(SvhnReader, RefusesMatricesThatDescribeThemselvesWrongly) {
  const auto file = fresh_folder() / "a.mat";
  const Bytes good =
      read_file(write_images(file, noise(2 * kPixels), {1, 2}, MAT_COMPRESSION_NONE));
  const std::size_t flags = kHeader + kTag;
  const auto refused = [&](std::size_t at, std::uint8_t value, const std::string& part) {
    Bytes bytes = good;
    bytes[at] = value;
    write_file(file, bytes);
    expect_refused(file, part);
  };
  refused(flags, 7, "flags of an array");
  refused(flags + 4, 200, "flags of an array");
  refused(flags + 8, 2, "array of numbers");  // a structure
  refused(flags + 16, 9, "dimensions");
  refused(flags + 23, 0x7f, "dimensions");  // 2 GiB of them
  refused(flags + 40, 9, "its name");       // of another type
  refused(flags + 42, 200, "its name");
}

TEST(SvhnReader, ReadsASingleImageWhoseLastDimensionWasDropped) {
  const auto file = fresh_folder() / "one.mat";
  {
    MatWriter writer(file);
    writer.add("X", {32, 32, 3}, noise(kPixels));
    writer.add("y", {1, 1}, {3});
  }
  EXPECT_EQ(read_svhn_file(file).label(0), 3);
}

TEST(SvhnReader, ReadsUncompressedVariablesAsCompressedOnes) {
  const auto folder = fresh_folder();
  const Bytes columns = noise(3 * kPixels);
  const auto file = write_images(folder / "a.mat", columns, {1, 2, 3}, MAT_COMPRESSION_NONE);
  EXPECT_EQ(read_file(file)[kHeader], 14) << "the type of a matrix that is not compressed";
  const Dataset plain = read_svhn_file(file);
  const Dataset compressed = read_svhn_file(write_images(folder / "b.mat", columns, {1, 2, 3}));
  ASSERT_EQ(plain.size(), 3U);
  for (std::size_t n = 0; n < 3; ++n) {
    EXPECT_EQ(plain.label(n), compressed.label(n));
    EXPECT_TRUE(std::ranges::equal(plain.image(n), compressed.image(n)));
  }
}

TEST(SvhnReader, ReadsPackedFiles) {
  const auto folder = fresh_folder();
  const Bytes mat = read_file(write_images(folder / "a.mat", noise(2 * kPixels), {4, 5}));
  EXPECT_EQ(read_svhn_file(write_packed(folder / "a.mat.gz", mat, Packing::kGzip)).label(1), 5);
  EXPECT_EQ(read_svhn_file(write_packed(folder / "b.mat.xz", mat, Packing::kXz)).label(0), 4);
}

TEST(SvhnReader, RefusesMissingVariables) {
  const auto folder = fresh_folder();
  { MatWriter(folder / "a.mat").add("y", {1, 1}, {1}); }
  expect_refused(folder / "a.mat", "no variable X");
  { MatWriter(folder / "b.mat").add("X", {32, 32, 3, 1}, noise(kPixels)); }
  expect_refused(folder / "b.mat", "no variable y");
}

TEST(SvhnReader, RefusesWrongTypes) {
  const auto file = fresh_folder() / "a.mat";
  {
    MatWriter writer(file);
    writer.add_doubles("X", {32, 32, 3, 1}, std::vector<double>(kPixels));
    writer.add("y", {1, 1}, {1});
  }
  expect_refused(file, "X is not of type uint8");
}

TEST(SvhnReader, RefusesWrongShapes) {
  const auto folder = fresh_folder();
  {
    MatWriter writer(folder / "a.mat");
    writer.add("X", {32, 16, 3, 2}, noise(kPixels));
    writer.add("y", {2, 1}, {1, 2});
  }
  expect_refused(folder / "a.mat", "X is 32x16x3x2, expected 32x32x3xN");
  {
    MatWriter writer(folder / "b.mat");
    writer.add("X", {32, 32, 3, 2}, noise(2 * kPixels));
    writer.add("y", {3, 1}, {1, 2, 3});
  }
  expect_refused(folder / "b.mat", "y is 3x1, expected 2x1");
}

TEST(SvhnReader, RefusesLabelsOutOfRange) {
  const auto folder = fresh_folder();
  expect_refused(write_images(folder / "a.mat", noise(2 * kPixels), {1, 0}),
                 "label 0 of image 1 is not in 1..10");
  expect_refused(write_images(folder / "b.mat", noise(kPixels), {11}), "label 11");
}

TEST(SvhnReader, RefusesFilesThatAreNoMat) {
  const auto folder = fresh_folder();
  expect_refused(write_file(folder / "a.mat", noise(4000)), "no MATLAB 5.0 file");
  expect_refused(write_file(folder / "b.mat", {}), "no MATLAB 5.0 file");
  expect_error(ErrorCode::kNotFound, {(folder / "c.mat").string()},
               [&] { (void)read_svhn_file(folder / "c.mat"); });
}

TEST(SvhnReader, RefusesACutOffFileWithoutPrinting) {
  const auto folder = fresh_folder();
  const Bytes whole = read_file(write_images(folder / "a.mat", noise(20 * kPixels), Bytes(20, 1)));
  ::testing::internal::CaptureStderr();
  for (const std::size_t size : {std::size_t{128}, std::size_t{150}, whole.size() / 3,
                                 whole.size() - 200, whole.size() - 40}) {
    const auto file =
        write_file(folder / "cut.mat",
                   Bytes(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size)));
    expect_error(ErrorCode::kCorruptData, {file.string()}, [&] { (void)read_svhn_file(file); });
  }
  EXPECT_EQ(::testing::internal::GetCapturedStderr(), "");
}

TEST(SvhnReader, RefusesACutOffUncompressedFile) {
  const auto folder = fresh_folder();
  const Bytes whole = read_file(
      write_images(folder / "a.mat", noise(20 * kPixels), Bytes(20, 1), MAT_COMPRESSION_NONE));
  for (const std::size_t missing : {std::size_t{1}, std::size_t{100}, std::size_t{5000}}) {
    const Bytes part(whole.begin(), whole.end() - static_cast<std::ptrdiff_t>(missing));
    expect_refused(write_file(folder / "cut.mat", part), "cut off");
  }
}

TEST(SvhnReader, NoticesAnyFlippedBitInTheCompressedData) {
  const auto folder = fresh_folder();
  // Pixels that compress and pixels that do not are stored in different ways.
  Bytes pixels = noise(4 * kPixels);
  for (std::size_t i = 0; i < 2 * kPixels; ++i) pixels[i] = static_cast<std::uint8_t>(i / 100);
  const Bytes whole = read_file(write_images(folder / "a.mat", pixels, {1, 2, 3, 4}));
  const std::size_t images_end = kHeader + kTag + little_endian(whole, kHeader + 4);
  std::vector<std::size_t> places{images_end - 1, images_end - 4, images_end + kTag + 2,
                                  whole.size() - 1, whole.size() - 4};
  for (std::size_t at = kHeader + kTag; at < images_end; at += 397) places.push_back(at);
  for (const std::size_t at : places) {
    Bytes changed = whole;
    changed[at] ^= static_cast<std::uint8_t>(1U << (at % 8));
    expect_refused(write_file(folder / "changed.mat", changed), "damaged");
  }
}

TEST(SvhnReader, NoticesACompressedStreamThatEndsTooSoon) {
  const auto folder = fresh_folder();
  const Bytes whole = read_file(write_images(folder / "a.mat", noise(4 * kPixels), {1, 2, 3, 4}));
  const std::size_t length = little_endian(whole, kHeader + 4);
  const std::size_t end = kHeader + kTag + length;
  for (const std::size_t missing : {std::size_t{1}, std::size_t{4}, std::size_t{2000}}) {
    Bytes cut = whole;
    cut.erase(cut.begin() + static_cast<std::ptrdiff_t>(end - missing),
              cut.begin() + static_cast<std::ptrdiff_t>(end));
    for (std::size_t i = 0; i < 4; ++i) {
      cut[kHeader + 4 + i] = static_cast<std::uint8_t>((length - missing) >> (8 * i));
    }
    expect_refused(write_file(folder / "cut.mat", cut), "byte 128 is damaged");
  }
}

TEST(SvhnReader, RefusesElementsThatAreNoMatricesAndForeignByteOrder) {
  const auto folder = fresh_folder();
  const Bytes whole = read_file(write_images(folder / "a.mat", noise(kPixels), {1}));
  Bytes bytes = whole;
  bytes[kHeader] = 9;
  expect_refused(write_file(folder / "type.mat", bytes), "its type is 9");
  bytes = whole;
  std::swap(bytes[kHeader - 2], bytes[kHeader - 1]);
  expect_refused(write_file(folder / "big.mat", bytes), "little-endian");
}

TEST(SvhnReader, RefusesAShapeThatTheFileCannotHold) {
  // A variable of 600,000 images, uncompressed, of which there are eight bytes: header, tag, flags,
  // dimensions, name, as in the format's description.
  const auto folder = fresh_folder();
  Bytes bytes = read_file(write_images(folder / "a.mat", noise(kPixels), {1}));
  bytes.resize(128);
  const auto put = [&](std::initializer_list<std::uint32_t> words) {
    for (const std::uint32_t word : words) {
      for (int shift = 0; shift < 32; shift += 8) {
        bytes.push_back(static_cast<std::uint8_t>(word >> shift));
      }
    }
  };
  constexpr std::uint32_t kCount = 600000;
  put({14, 64});                    // matrix
  put({6, 8, 9, 0});                // flags: class uint8
  put({5, 16, 32, 32, 3, kCount});  // dimensions
  put({0x00010001, 'X'});           // name
  put({2, 3072 * kCount, 0, 0});    // data, of which only eight bytes are there
  expect_refused(write_file(folder / "huge.mat", bytes), "more than the file can hold");
}

TEST(SvhnFolder, FallsBackToThePartAndSaysSo) {
  const auto folder = fresh_folder();
  write_images(folder / "train_part_32x32.mat", noise(3 * kPixels), {1, 2, 3});
  const Dataset part = load_svhn(folder, Split::kTrain);
  EXPECT_EQ(part.size(), 3U);
  EXPECT_NE(part.provenance().find("train_32x32.mat is missing"), std::string::npos);
  write_images(folder / "train_32x32.mat", noise(kPixels), {1});
  EXPECT_EQ(load_svhn(folder, Split::kTrain).size(), 1U);
}

TEST(SvhnFolder, SaysThatThereIsNoTestPart) {
  const auto folder = fresh_folder();
  write_images(folder / "train_part_32x32.mat", noise(kPixels), {1});
  expect_error(ErrorCode::kNotFound, {(folder / "test_32x32.mat").string(), "hold out"},
               [&] { (void)load_svhn(folder, Split::kTest); });
}

TEST(RealSvhn, HasTheImagesOfItsPart) {
  const auto root = real_data();
  if (!root) BELLOWS_SKIP_WITHOUT_DATA();
  if (std::filesystem::exists(*root / "svhn" / "train_32x32.mat")) {
    GTEST_SKIP() << "the whole training file is there; this test is about its part";
  }
  const Dataset part = load_svhn(*root / "svhn", Split::kTrain);
  EXPECT_EQ(part.count_per_class(),
            (std::vector<std::size_t>{66, 227, 141, 134, 110, 112, 78, 70, 78, 67}));
  // The first photo shows 19, the next ones 23, 25 and 93.
  const std::vector<std::int32_t> first(part.labels().begin(), part.labels().begin() + 8);
  EXPECT_EQ(first, (std::vector<std::int32_t>{1, 9, 2, 3, 2, 5, 9, 3}));
}

}  // namespace
}  // namespace bellows
