// How clang's fuzzer changes model and growth files; linked with the targets that take these, and
// with its main only.
#include <cstddef>
#include <cstdint>

#include "tests/fuzz/model_mutation.h"

// NOLINTBEGIN(readability-identifier-naming): the fuzzer's names
extern "C" std::size_t LLVMFuzzerMutate(std::uint8_t* data, std::size_t size, std::size_t max_size);

extern "C" std::size_t LLVMFuzzerCustomMutator(std::uint8_t* data, std::size_t size,
                                               std::size_t max_size, unsigned int seed) {
  return bellows::fuzz::mutate_model(data, size, max_size, seed, LLVMFuzzerMutate);
}
// NOLINTEND(readability-identifier-naming)
