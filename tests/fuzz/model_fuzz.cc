// Model files: reading and, of some that can be read, running at every width.
#include <bellows/bellows.h>

#include <cmath>
#include <vector>

#include "engine/model_file.h"
#include "engine/sha256.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/model_mutation.h"

namespace bellows {
namespace {

// Beyond these a network is read and planned but not run: that would be slow, not wrong.
constexpr std::size_t kMostActivations = std::size_t{8} << 20;
constexpr std::int64_t kMostMacs = 20'000'000;

// What oneDNN keeps for each group of each layer, its code included; docs/embedding.md.
constexpr std::size_t kOperationBytes = std::size_t{64} << 10;

// Making a network's operations takes a hundred times as long as reading it: the fuzzer does so for
// one of sixteen, by what they hold.
bool is_run(fuzz::Bytes file) {
#ifdef BELLOWS_FUZZER
  return sha256_hex(file).front() == '0';
#else
  static_cast<void>(file);
  return true;
#endif
}

void run_every_width(const Model& model, fuzz::MemoryLimit& limit) {
  if (model.width(model.groups()).macs > kMostMacs) return;
  for (const MemoryMode mode : {MemoryMode::kRefinable, MemoryMode::kOneShot}) {
    const SessionOptions options{.memory = mode};
    const MemoryUse use = model.memory(options);
    if (use.activations + use.scratch > kMostActivations) return;
    limit.declare(use.activations + use.scratch);
    Session session(model, options);
    const std::vector<float> image(model.image_elements(), 0.25F);
    for (int width = 1; width <= model.groups(); ++width) {
      session.run(image, width);
      if (session.logits().size() != static_cast<std::size_t>(model.classes())) {
        fuzz::found("logits of another length");
      }
      static_cast<void>(session.best());
    }
  }
}

}  // namespace
}  // namespace bellows

// NOLINTNEXTLINE(readability-identifier-naming): the fuzzer's name
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace bellows;  // NOLINT(google-build-using-namespace): one function
  const fuzz::MemoryFile file({data, size});
  std::size_t operations = 0;
  {
    const fuzz::MemoryLimit limit(fuzz::bytes_as_values({data, size}));
    fuzz::accepted([&] {
      const ModelFile model = load_model(file.path());
      if (!model.weights.fits(model.network)) fuzz::found("weights that do not fit the network");
      operations = model.network.nodes().size() * static_cast<std::size_t>(model.network.groups());
    });
  }
  if (operations == 0 || !is_run({data, size})) return 0;
  fuzz::MemoryLimit limit(fuzz::bytes_as_values({data, size}) + operations * kOperationBytes);
  fuzz::accepted([&] {
    const Model model = Model::load(file.path());
    limit.declare(model.packed_bytes());
    run_every_width(model, limit);
  });
  fuzz::accepted([&] { static_cast<void>(Model::load(file.path(), {.groups = 1})); });
  return 0;
}

#ifdef BELLOWS_FUZZER
extern "C" std::size_t LLVMFuzzerMutate(std::uint8_t* data, std::size_t size, std::size_t max_size);

extern "C" std::size_t LLVMFuzzerCustomMutator(std::uint8_t* data, std::size_t size,
                                               std::size_t max_size, unsigned int seed) {
  return bellows::fuzz::mutate_model(data, size, max_size, seed, LLVMFuzzerMutate);
}
#endif
