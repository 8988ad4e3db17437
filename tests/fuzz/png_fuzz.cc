// PNG images, as they are and turned into grey and into colour.
#include "training/data/png_image.h"

#include <algorithm>

#include "tests/fuzz/fuzz.h"

namespace {

// Of the image that the file announces, if it is a PNG: what its header says, at most what is read.
std::size_t announced_pixels(bellows::fuzz::Bytes bytes) {
  constexpr std::size_t kWidth = 16;  // of the header's fields
  constexpr std::size_t kHeight = 20;
  constexpr std::size_t kMost = std::size_t{64} << 20;
  if (bytes.size() < kHeight + 4) return 0;
  const auto number = [&](std::size_t at) {
    std::size_t value = 0;
    for (std::size_t i = 0; i < 4; ++i) value = value << 8 | bytes[at + i];
    return value;
  };
  const std::size_t pixels = number(kWidth) * number(kHeight);
  return pixels > kMost ? 0 : pixels;
}

}  // namespace

// NOLINTNEXTLINE(readability-identifier-naming): the fuzzer's name
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace bellows;  // NOLINT(google-build-using-namespace): one function
  const fuzz::Bytes bytes(data, size);
  const fuzz::MemoryFile file(bytes);
  const fuzz::MemoryLimit limit(size + announced_pixels(bytes));
  for (const int channels : {0, 1, 3}) {
    fuzz::accepted([&] {
      const PngImage image = read_png(file.path(), channels);
      const ImageShape& shape = image.shape;
      const auto values = static_cast<std::size_t>(shape.channels) *
                          static_cast<std::size_t>(shape.height) *
                          static_cast<std::size_t>(shape.width);
      if (image.pixels.size() != values) fuzz::found("an image of another size");
      if (channels != 0 && shape.channels != channels) fuzz::found("other channels than asked for");
    });
  }
  return 0;
}
