#include "training/data/png_image.h"

#include <bellows/error.h>
#include <png.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "engine/atomic_file.h"
#include "engine/input_file.h"

namespace bellows {
namespace {

constexpr std::uint64_t kMaxPixels = std::uint64_t{64} << 20;
constexpr std::size_t kMaxFileBytes = std::size_t{512} << 20;
// Signature, then the first chunk: length, "IHDR", width, height, bit depth.
constexpr std::size_t kHeaderBytes = 25;

[[noreturn]] void corrupt(const std::filesystem::path& file, const std::string& what) {
  throw Error(ErrorCode::kCorruptData, file.string() + ": " + what);
}

// libpng's simplified interface keeps its longjmp to itself: it returns 0 and a message. The object
// below frees what it holds on every way out.
class Image {
 public:
  Image() {
    std::memset(&image_, 0, sizeof image_);
    image_.version = PNG_IMAGE_VERSION;
  }
  ~Image() { png_image_free(&image_); }
  Image(const Image&) = delete;
  Image& operator=(const Image&) = delete;
  png_image* operator->() { return &image_; }
  png_image* get() { return &image_; }

 private:
  png_image image_;
};

std::uint32_t big_endian(const std::uint8_t* bytes) {
  return std::uint32_t{bytes[0]} << 24 | std::uint32_t{bytes[1]} << 16 |
         std::uint32_t{bytes[2]} << 8 | std::uint32_t{bytes[3]};
}

// Signature and sizes, before libpng allocates anything for them.
void check_header(const std::filesystem::path& file, const std::vector<std::uint8_t>& bytes) {
  static constexpr std::array<std::uint8_t, 8> kSignature{0x89, 'P',  'N',  'G',
                                                          '\r', '\n', 0x1a, '\n'};
  if (bytes.size() < kHeaderBytes ||
      std::memcmp(bytes.data(), kSignature.data(), kSignature.size()) != 0 ||
      std::memcmp(bytes.data() + 12, "IHDR", 4) != 0) {
    corrupt(file, "is no PNG image");
  }
  const std::uint32_t width = big_endian(bytes.data() + 16);
  const std::uint32_t height = big_endian(bytes.data() + 20);
  constexpr auto kSide = static_cast<std::uint32_t>(kMaxPngSide);
  if (width == 0 || height == 0 || width > kSide || height > kSide ||
      std::uint64_t{width} * height > kMaxPixels) {
    corrupt(file, "announces " + std::to_string(width) + "x" + std::to_string(height) +
                      " pixels; a side must be from 1 to " + std::to_string(kMaxPngSide) +
                      ", the whole at most " + std::to_string(kMaxPixels));
  }
  if (bytes[24] == 16) {
    throw Error(ErrorCode::kUnsupported,
                file.string() + ": has 16 bits per channel; convert it to 8");
  }
}

}  // namespace

PngImage read_png(const std::filesystem::path& file, int channels) {
  if (channels != 0 && channels != 1 && channels != 3) {
    throw Error(ErrorCode::kInvalidArgument, std::to_string(channels) + " channels asked of " +
                                                 file.string() +
                                                 "; possible are 1, 3 and 0 (as the file has)");
  }
  // As it is: what is packed once more could be of any size.
  const InputFile source(file);
  if (source.size() > kMaxFileBytes) {
    corrupt(file, "has " + std::to_string(source.size()) + " bytes; an image may have at most " +
                      std::to_string(kMaxFileBytes));
  }
  std::vector<std::uint8_t> bytes(std::min<std::uint64_t>(source.size(), kHeaderBytes));
  source.read(0, bytes);
  check_header(file, bytes);
  bytes.resize(source.size());
  source.read(0, bytes);
  Image image;
  if (png_image_begin_read_from_memory(image.get(), bytes.data(), bytes.size()) == 0) {
    corrupt(file, std::string("damaged PNG: ") + image->message + "; save it again");
  }
  if (channels == 0) channels = (image->format & PNG_FORMAT_FLAG_COLOR) != 0 ? 3 : 1;
  image->format = channels == 3 ? PNG_FORMAT_RGB : PNG_FORMAT_GRAY;
  const ImageShape shape{channels, static_cast<int>(image->height), static_cast<int>(image->width)};
  std::vector<std::uint8_t> interleaved(shape.elements());
  const png_color white{255, 255, 255};
  if (png_image_finish_read(image.get(), &white, interleaved.data(), 0, nullptr) == 0) {
    corrupt(file, std::string("damaged PNG: ") + image->message + "; save it again");
  }
  if (channels == 1) return {shape, std::move(interleaved)};
  const std::size_t plane = interleaved.size() / 3;
  std::vector<std::uint8_t> planes(interleaved.size());
  for (std::size_t i = 0; i < plane; ++i) {
    for (std::size_t c = 0; c < 3; ++c) planes[c * plane + i] = interleaved[3 * i + c];
  }
  return {shape, std::move(planes)};
}

bool has_png_name(const std::filesystem::path& file) {
  std::string extension = file.extension().string();
  std::transform(extension.begin(), extension.end(), extension.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  return extension == ".png";
}

void write_png(const std::filesystem::path& file, const ImageShape& shape,
               std::span<const std::uint8_t> pixels) {
  if ((shape.channels != 1 && shape.channels != 3) || shape.height < 1 || shape.width < 1 ||
      shape.height > kMaxPngSide || shape.width > kMaxPngSide ||
      pixels.size() != shape.elements()) {
    throw Error(ErrorCode::kInvalidArgument, file.string() + ": an image of " + shape.text() +
                                                 " with " + std::to_string(pixels.size()) +
                                                 " values cannot be written as PNG");
  }
  std::vector<std::uint8_t> interleaved(pixels.begin(), pixels.end());
  if (shape.channels == 3) {
    const std::size_t plane = pixels.size() / 3;
    for (std::size_t i = 0; i < plane; ++i) {
      for (std::size_t c = 0; c < 3; ++c) interleaved[3 * i + c] = pixels[c * plane + i];
    }
  }
  Image image;
  image->width = static_cast<png_uint_32>(shape.width);
  image->height = static_cast<png_uint_32>(shape.height);
  image->format = shape.channels == 3 ? PNG_FORMAT_RGB : PNG_FORMAT_GRAY;
  std::vector<std::uint8_t> bytes(PNG_IMAGE_PNG_SIZE_MAX(*image.get()));
  png_alloc_size_t size = bytes.size();
  if (png_image_write_to_memory(image.get(), bytes.data(), &size, 0, interleaved.data(), 0,
                                nullptr) == 0) {
    throw Error(ErrorCode::kIoError, file.string() + ": libpng cannot write it: " + image->message);
  }
  write_file_atomically(file, std::span(bytes).first(size));
}

}  // namespace bellows
