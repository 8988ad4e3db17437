// SVHN's MAT files.
#include "training/data/svhn.h"

#include <algorithm>

#include "tests/fuzz/fuzz.h"

// NOLINTNEXTLINE(readability-identifier-naming): the fuzzer's name
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace bellows;  // NOLINT(google-build-using-namespace): one function
  const fuzz::Bytes bytes(data, size);
  const fuzz::MemoryFile file(bytes);
  // Elements are compressed one by one: deflate makes at most 1,032 bytes of one.
  const fuzz::MemoryLimit limit(std::max(size, fuzz::unpack(bytes).length) * 1032 / 8);
  fuzz::accepted([&] {
    const Dataset images = read_svhn_file(file.path());
    for (const std::int32_t label : images.labels()) {
      if (label < 0 || label > 9) fuzz::found("a label out of range");
    }
  });
  return 0;
}
