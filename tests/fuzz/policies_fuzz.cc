// Policies in JSON, and images classified by what was read.
#include <bellows/bellows.h>

#include <vector>

#include "tests/fuzz/fuzz.h"

// NOLINTNEXTLINE(readability-identifier-naming): the fuzzer's name
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace bellows;  // NOLINT(google-build-using-namespace): one function
  static const Model kModel = Model::load(BELLOWS_SOURCE_DIR "/tests/golden/tiny.safetensors");
  static Session session(kModel);
  static const std::vector<float> kImage(kModel.image_elements(), 0.5F);
  const fuzz::MemoryFile file({data, size});
  const fuzz::MemoryLimit limit(size);
  fuzz::accepted([&] {
    const PolicySet set = PolicySet::load(file.path(), kModel);
    for (std::size_t i = 0; i < set.size() && i < 100; ++i) {
      Policy policy = set[i].policy;
      static_cast<void>(policy.text());
      const Result result = session.classify(kImage, policy);
      if (result.width < 1 || result.width > kModel.groups()) fuzz::found("a width out of range");
    }
  });
  return 0;
}
