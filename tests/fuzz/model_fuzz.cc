// Model files: reading, of all groups and of the first. model_run_fuzz.cc runs what can be read.
#include "engine/model_file.h"

#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/model_mutation.h"

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

#ifdef BELLOWS_FUZZER
extern "C" std::size_t LLVMFuzzerMutate(std::uint8_t* data, std::size_t size, std::size_t max_size);

extern "C" std::size_t LLVMFuzzerCustomMutator(std::uint8_t* data, std::size_t size,
                                               std::size_t max_size, unsigned int seed) {
  return bellows::fuzz::mutate_model(data, size, max_size, seed, LLVMFuzzerMutate);
}
#endif
