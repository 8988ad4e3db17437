// Models that can be read: planning and running them at every width, of no more memory than they
// were given. Making a network's operations takes a hundred times as long as reading it.
#include <bellows/bellows.h>

#include <vector>

#include "engine/model_file.h"
#include "tests/fuzz/fuzz.h"

namespace bellows {
namespace {

// Beyond these a network is planned but not run: that would be slow, not wrong.
constexpr std::size_t kMostActivations = std::size_t{8} << 20;
constexpr std::int64_t kMostMacs = 20'000'000;
// Of operations for which code is made here, in a time that the fuzzer with its sanitizers has;
// beyond them a network is only read.
constexpr std::size_t kMostOperations = 400;

void run_every_width(const Model& model, fuzz::MemoryLimit& limit) {
  if (model.width(model.groups()).macs > kMostMacs) return;
  for (const MemoryMode mode : {MemoryMode::kRefinable, MemoryMode::kOneShot}) {
    SessionOptions options{.memory = mode};
    const MemoryUse use = model.memory(options);
    const std::size_t session_bytes = use.activations + use.scratch;
    if (session_bytes > kMostActivations) return;
    limit.declare(session_bytes);
    // What it tells is enough.
    options.max_bytes = session_bytes;
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
  fuzz::accepted([&] { operations = load_model(file.path()).network.operation_bytes(); });
  if (operations == 0 || operations > kMostOperations * kOperationBytes) return 0;
  fuzz::MemoryLimit limit(fuzz::bytes_as_values({data, size}) + operations);
  fuzz::accepted([&] {
    const Model model = Model::load(file.path());
    limit.declare(model.packed_bytes());
    run_every_width(model, limit);
  });
  fuzz::accepted([&] { static_cast<void>(Model::load(file.path(), {.groups = 1})); });
  return 0;
}
