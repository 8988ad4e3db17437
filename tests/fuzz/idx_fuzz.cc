// MNIST's files: images and labels, plain or compressed.
#include "training/data/idx.h"

#include <algorithm>

#include "tests/fuzz/fuzz.h"

// NOLINTNEXTLINE(readability-identifier-naming): the fuzzer's name
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace bellows;  // NOLINT(google-build-using-namespace): one function
  const fuzz::Bytes bytes(data, size);
  const fuzz::MemoryFile file(bytes);
  // The window is taken once, whatever is in it.
  const fuzz::MemoryLimit limit(fuzz::unpacked_bytes(bytes) + fuzz::kWindowBytes / fuzz::kFactor);
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
