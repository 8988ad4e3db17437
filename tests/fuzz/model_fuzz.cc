// Model files: reading, of all groups and of the first. model_run_fuzz.cc runs what can be read.
#include "engine/model_file.h"

#include "tests/fuzz/fuzz.h"

// NOLINTNEXTLINE(readability-identifier-naming): the fuzzer's name
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace bellows;  // NOLINT(google-build-using-namespace): one function
  const fuzz::MemoryFile file({data, size});
  const fuzz::MemoryLimit limit(fuzz::bytes_as_values({data, size}));
  const bool whole = fuzz::accepted([&] {
    const ModelFile model = load_model(file.path());
    if (!model.weights.fits(model.network)) fuzz::found("weights that do not fit the network");
  });
  const bool first = fuzz::accepted([&] {
    const ModelFile model = load_model(file.path(), 1);
    if (model.network.groups() != 1) fuzz::found("other groups than asked for");
  });
  if (whole && !first) fuzz::found("a model without a first group");
  return 0;
}
