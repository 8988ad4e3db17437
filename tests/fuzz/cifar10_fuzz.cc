// CIFAR-10's tar, compressed or not, with its training and its test images.
#include "training/data/cifar10.h"

#include <algorithm>

#include "tests/fuzz/fuzz.h"

// NOLINTNEXTLINE(readability-identifier-naming): the fuzzer's name
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace bellows;  // NOLINT(google-build-using-namespace): one function
  const fuzz::Bytes bytes(data, size);
  const fuzz::MemoryFile file(bytes);
  // The window is taken once, whatever is in it.
  const fuzz::MemoryLimit limit(std::max(size, fuzz::unpack(bytes).length) +
                                fuzz::kWindowBytes / fuzz::kFactor);
  for (const Split split : {Split::kTrain, Split::kTest}) {
    fuzz::accepted([&] {
      const Dataset images = load_cifar10(file.path(), split);
      for (const std::int32_t label : images.labels()) {
        if (label < 0 || label > 9) fuzz::found("a label out of range");
      }
    });
  }
  return 0;
}
