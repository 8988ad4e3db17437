// Policies in JSON, and images classified by what was read.
#include <bellows/bellows.h>
#include <unistd.h>

#include <filesystem>
#include <string>
#include <vector>

#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/samples.h"

namespace bellows {
namespace {

Model model_with_selector() {
  const auto path = std::filesystem::temp_directory_path() /
                    ("bellows-policies-fuzz-" + std::to_string(::getpid()));
  fuzz::write_sample_with_selector(path);
  const Model model = Model::load(path);
  std::filesystem::remove(path);
  return model;
}

}  // namespace
}  // namespace bellows

// NOLINTNEXTLINE(readability-identifier-naming): the fuzzer's name
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace bellows;  // NOLINT(google-build-using-namespace): one function
  static const Model kModel = model_with_selector();
  static Session session(kModel);
  static const std::vector<float> kImage(kModel.image_elements(), 0.5F);
  const fuzz::MemoryFile file({data, size});
  const fuzz::MemoryLimit limit(fuzz::bytes_as_values({data, size}));
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
