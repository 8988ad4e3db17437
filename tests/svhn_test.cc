#include "training/data/svhn.h"

#include <matio.h>

#include "tests/data_fixtures.h"

namespace bellows {
namespace {

using namespace fixtures;

constexpr std::size_t kPixels = 3072;

// Writes a .mat with the variables given; `count` images when X is wanted.
class MatWriter {
 public:
  explicit MatWriter(const std::filesystem::path& file)
      : mat_(Mat_CreateVer(file.c_str(), nullptr, MAT_FT_MAT5)) {
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
    EXPECT_EQ(Mat_VarWrite(mat_, variable, MAT_COMPRESSION_ZLIB), 0);
    Mat_VarFree(variable);
  }
  mat_t* mat_;
};

std::filesystem::path write_images(const std::filesystem::path& file, const Bytes& pixels,
                                   const Bytes& labels) {
  MatWriter writer(file);
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

TEST(SvhnReader, ReadsASingleImageWhoseLastDimensionWasDropped) {
  const auto file = fresh_folder() / "one.mat";
  {
    MatWriter writer(file);
    writer.add("X", {32, 32, 3}, noise(kPixels));
    writer.add("y", {1, 1}, {3});
  }
  EXPECT_EQ(read_svhn_file(file).label(0), 3);
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

TEST(SvhnReader, RefusesAShapeThatTheFileCannotHold) {
  // A variable of 600,000 images, uncompressed, whose data are missing: header, tag, flags,
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
  put({14, 64 + 3072 * kCount});    // matrix
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
