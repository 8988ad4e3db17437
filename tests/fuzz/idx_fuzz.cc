// MNIST's files: images and labels, plain or compressed.
#include "training/data/idx.h"

#include <algorithm>

#include "tests/fuzz/fuzz.h"

namespace {

// By the header, and really there: nobody needs more.
std::size_t announced(bellows::fuzz::Bytes bytes) {
  constexpr std::size_t kImages = 16;  // bytes of the header
  constexpr std::size_t kLabels = 8;
  const bellows::fuzz::Unpacked unpacked = bellows::fuzz::unpack(bytes, kImages);
  const auto number = [&](std::size_t at) {
    std::size_t value = 0;
    for (std::size_t i = 0; i < 4; ++i) value = value << 8 | unpacked.beginning[at + i];
    return value;
  };
  std::size_t values = 0;
  if (unpacked.beginning.size() == kImages && number(0) == 2051) {
    values = kImages + number(4) * std::min<std::size_t>(number(8) * number(12), 1 << 24);
  } else if (unpacked.beginning.size() >= kLabels && number(0) == 2049) {
    values = kLabels + number(4);
  }
  return std::min(values, unpacked.length);
}

}  // namespace

// NOLINTNEXTLINE(readability-identifier-naming): the fuzzer's name
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace bellows;  // NOLINT(google-build-using-namespace): one function
  const fuzz::Bytes bytes(data, size);
  const fuzz::MemoryFile file(bytes);
  // The window is taken once, whatever is in it.
  const fuzz::MemoryLimit limit(size + announced(bytes) + fuzz::kWindowBytes / fuzz::kFactor);
  fuzz::accepted([&] {
    const IdxImages images = read_idx_images(file.path());
    const auto values = static_cast<std::size_t>(images.count) *
                        static_cast<std::size_t>(images.height) *
                        static_cast<std::size_t>(images.width);
    if (images.count < 1 || images.pixels.size() != values) fuzz::found("images of another size");
  });
  fuzz::accepted([&] {
    const auto labels = read_idx_labels(file.path(), 10);
    const auto wrong = [](std::int32_t label) { return label < 0 || label > 9; };
    if (labels.empty() || std::any_of(labels.begin(), labels.end(), wrong)) {
      fuzz::found("a label out of range");
    }
  });
  return 0;
}
