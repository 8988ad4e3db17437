// Growth files, applied to the model that the one of the corpus was made for.
#include <bellows/bellows.h>
#include <unistd.h>

#include <filesystem>
#include <string>

#include "engine/model_file.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/model_mutation.h"
#include "tests/fuzz/samples.h"

namespace bellows::fuzz {
namespace {

// The first group of the sample, and where results go: in memory where that is a folder, since
// every result is flushed to its disk.
struct Files {
  std::filesystem::path folder =
      (std::filesystem::exists("/dev/shm") ? "/dev/shm" : std::filesystem::temp_directory_path()) /
      ("bellows-growth-fuzz-" + std::to_string(::getpid()));
  std::string narrow = folder / "narrow.safetensors";
  std::string wide = folder / "wide.safetensors";

  Files() {
    std::filesystem::create_directories(folder);
    trim_model(kSampleModel, 1, narrow);
  }
  ~Files() {
    std::error_code unknown;
    std::filesystem::remove_all(folder, unknown);
  }
  Files(const Files&) = delete;
  Files& operator=(const Files&) = delete;
};

}  // namespace
}  // namespace bellows::fuzz

// NOLINTNEXTLINE(readability-identifier-naming): the fuzzer's name
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace bellows;  // NOLINT(google-build-using-namespace): one function
  static const fuzz::Files kFiles;
  const fuzz::MemoryFile file({data, size});
  const fuzz::MemoryLimit limit(fuzz::bytes_as_values({data, size}));
  if (!fuzz::accepted([&] { apply_growth(file.path(), kFiles.narrow, kFiles.wide); })) return 0;
  // Whatever was made of it is a model.
  if (load_model(kFiles.wide).network.groups() < 2) fuzz::found("a growth that adds nothing");
  return 0;
}

#ifdef BELLOWS_FUZZER
extern "C" std::size_t LLVMFuzzerMutate(std::uint8_t* data, std::size_t size, std::size_t max_size);

extern "C" std::size_t LLVMFuzzerCustomMutator(std::uint8_t* data, std::size_t size,
                                               std::size_t max_size, unsigned int seed) {
  return bellows::fuzz::mutate_model(data, size, max_size, seed, LLVMFuzzerMutate);
}
#endif
