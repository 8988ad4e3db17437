#include "training/data/png_image.h"

#include <png.h>

#include "tests/data_fixtures.h"

namespace bellows {
namespace {

// Writes through libpng's simplified interface, in any of its formats.
std::filesystem::path write_any(const std::filesystem::path& file, std::uint32_t width,
                                std::uint32_t height, std::uint32_t format, const void* pixels,
                                const void* colours = nullptr, std::uint32_t entries = 0) {
  png_image image{};
  image.version = PNG_IMAGE_VERSION;
  image.width = width;
  image.height = height;
  image.format = format;
  image.colormap_entries = entries;
  EXPECT_NE(png_image_write_to_file(&image, file.c_str(), 0, pixels, 0, colours), 0);
  return file;
}

TEST(PngImage, ReadsBackWhatItWrote) {
  const auto folder = fresh_folder();
  for (const int channels : {1, 3}) {
    const ImageShape shape{channels, 5, 7};
    const Bytes pixels = noise(shape.elements());
    write_png(folder / "a.png", shape, pixels);
    const PngImage image = read_png(folder / "a.png");
    EXPECT_EQ(image.shape, shape);
    EXPECT_EQ(image.pixels, pixels);
  }
}

TEST(PngImage, ConvertsGreyToColourAndBack) {
  const auto folder = fresh_folder();
  const Bytes grey{0, 100, 255};
  write_png(folder / "grey.png", {1, 1, 3}, grey);
  const PngImage colour = read_png(folder / "grey.png", 3);
  EXPECT_EQ(colour.pixels, (Bytes{0, 100, 255, 0, 100, 255, 0, 100, 255}));
  write_png(folder / "colour.png", colour.shape, colour.pixels);
  EXPECT_EQ(read_png(folder / "colour.png", 1).pixels, grey);
}

TEST(PngImage, LaysTransparentPartsOnWhite) {
  const Bytes rgba{10, 20, 30, 255, 10, 20, 30, 0};
  const auto file = write_any(fresh_folder() / "a.png", 2, 1, PNG_FORMAT_RGBA, rgba.data());
  EXPECT_EQ(read_png(file).pixels, (Bytes{10, 255, 20, 255, 30, 255}));
}

TEST(PngImage, ReadsPalettes) {
  const Bytes indices{1, 0};
  const Bytes colours{1, 2, 3, 200, 100, 50};
  const auto file = write_any(fresh_folder() / "a.png", 2, 1, PNG_FORMAT_RGB_COLORMAP,
                              indices.data(), colours.data(), 2);
  EXPECT_EQ(read_png(file).pixels, (Bytes{200, 1, 100, 2, 50, 3}));
}

TEST(PngImage, RefusesSixteenBits) {
  const std::vector<std::uint16_t> grey(4, 1000);
  const auto file = write_any(fresh_folder() / "a.png", 2, 2, PNG_FORMAT_LINEAR_Y, grey.data());
  expect_error(ErrorCode::kUnsupported, {file.string(), "16 bits"}, [&] { (void)read_png(file); });
}

TEST(PngImage, RefusesFilesThatAreMissingOrNoPng) {
  const auto folder = fresh_folder();
  expect_error(ErrorCode::kNotFound, {"absent.png"},
               [&] { (void)read_png(folder / "absent.png"); });
  for (const Bytes& content : {Bytes{}, noise(10), noise(1000)}) {
    const auto file = write_file(folder / "a.png", content);
    expect_error(ErrorCode::kCorruptData, {file.string(), "no PNG"}, [&] { (void)read_png(file); });
  }
}

// Which could be of any size.
TEST(PngImage, RefusesFilesThatArePackedOnceMore) {
  const auto folder = fresh_folder();
  write_png(folder / "a.png", {1, 5, 7}, noise(35));
  for (const Packing packing : {Packing::kGzip, Packing::kXz}) {
    const auto file = write_packed(folder / "packed.png", read_file(folder / "a.png"), packing);
    expect_error(ErrorCode::kCorruptData, {file.string(), "is no PNG image"},
                 [&] { (void)read_png(file); });
  }
}

TEST(PngImage, RefusesCutOffFiles) {
  const auto folder = fresh_folder();
  write_png(folder / "a.png", {1, 40, 40}, noise(1600));
  const Bytes whole = read_file(folder / "a.png");
  for (const std::size_t size :
       {std::size_t{26}, std::size_t{40}, whole.size() / 2, whole.size() - 30}) {
    const auto file = write_file(
        folder / "b.png", Bytes(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size)));
    expect_error(ErrorCode::kCorruptData, {file.string(), "damaged PNG"},
                 [&] { (void)read_png(file); });
  }
}

TEST(PngImage, NoticesChangedBytesInHeaderAndPixels) {
  const auto folder = fresh_folder();
  write_png(folder / "a.png", {3, 16, 16}, noise(768));
  const Bytes whole = read_file(folder / "a.png");
  // Behind signature and length, up to the checksum of the pixels; the end chunk carries nothing.
  for (std::size_t at = 16; at < whole.size() - 16; at += 37) {
    Bytes changed = whole;
    changed[at] ^= 0x04;
    const auto file = write_file(folder / "b.png", changed);
    expect_error(ErrorCode::kCorruptData, {file.string()}, [&] { (void)read_png(file); });
  }
}

TEST(PngImage, RefusesAHugeSizeBeforeAllocatingForIt) {
  const auto folder = fresh_folder();
  write_png(folder / "a.png", {1, 2, 2}, noise(4));
  for (const std::size_t byte : {16U, 20U}) {  // the upper bytes of width and height
    Bytes bytes = read_file(folder / "a.png");
    bytes[byte] = 0x7f;
    const auto file = write_file(folder / "b.png", bytes);
    expect_error(ErrorCode::kCorruptData, {file.string(), "a side must be from 1 to 16384"},
                 [&] { (void)read_png(file); });
  }
}

TEST(PngImage, RefusesToWriteWhatIsNoImage) {
  const auto file = fresh_folder() / "a.png";
  expect_error(ErrorCode::kInvalidArgument, {file.string(), "2x3x4"}, [&] {
    write_png(file, {2, 3, 4}, noise(24));
  });
  expect_error(ErrorCode::kInvalidArgument, {file.string(), "11 values"}, [&] {
    write_png(file, {1, 3, 4}, noise(11));
  });
  EXPECT_FALSE(std::filesystem::exists(file));
}

}  // namespace
}  // namespace bellows
