// Growth files, applied to the models that those of the corpus were made for: one that nobody has
// signed, into another file, and a signed one, in its place.
#include <bellows/bellows.h>
#include <unistd.h>

#include <filesystem>
#include <string>

#include "engine/model_file.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/samples.h"

namespace bellows::fuzz {
namespace {

// The first group of the sample, signed and not, and where results go: in memory where that is a
// folder, since every result is flushed to its disk.
struct Files {
  std::filesystem::path folder =
      (std::filesystem::exists("/dev/shm") ? "/dev/shm" : std::filesystem::temp_directory_path()) /
      ("bellows-growth-fuzz-" + std::to_string(::getpid()));
  std::string narrow = folder / "narrow.safetensors";
  std::string wide = folder / "wide.safetensors";
  std::string trusted = folder / "signed.safetensors";
  std::string deployed = folder / "deployed.safetensors";

  Files() {
    std::filesystem::create_directories(folder);
    trim_model(kSampleModel, 1, narrow);
    sign_model(narrow, kSampleSecretKey, kSampleGeneration, trusted);
    deploy();
  }
  void deploy() const {
    std::filesystem::copy(trusted, deployed, std::filesystem::copy_options::overwrite_existing);
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
  // What an input before made, perhaps a signed model, would not let others take its place.
  std::filesystem::remove(kFiles.wide);
  if (!fuzz::accepted([&] { apply_growth(file.path(), kFiles.narrow, kFiles.wide); })) {
    // What is refused there is refused by a signed model as well.
    if (fuzz::accepted([&] { apply_growth(file.path(), kFiles.deployed); })) {
      fuzz::found("a growth that only a signed model takes");
    }
    return 0;
  }
  // Whatever was made of it is a model.
  if (load_model(kFiles.wide).network.groups() < 2) fuzz::found("a growth that adds nothing");
  const bool taken = fuzz::accepted([&] { apply_growth(file.path(), kFiles.deployed); });
  const auto signature = load_model(kFiles.deployed).facts.signature;
  if (!signature || signature->public_key != fuzz::kSamplePublicKey ||
      signature->generation < fuzz::kSampleGeneration) {
    fuzz::found("a signed model that something else has taken the place of");
  }
  if (taken) kFiles.deploy();
  // Nor does a result take its place from elsewhere.
  if (!taken &&
      fuzz::accepted([&] { apply_growth(file.path(), kFiles.narrow, kFiles.deployed); })) {
    fuzz::found("a signed model that was replaced by what it refuses");
  }
  return 0;
}
