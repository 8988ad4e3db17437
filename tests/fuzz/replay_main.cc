// Gives a fuzz target the files of folders, one after the other: what the project's own writers
// make, what changes make of that, and what was once found. The fuzzer has a main of its own.
//
//   fuzz_NAME FOLDER...
//
// Of what lies in the first folder itself, and not in one below, something must be taken from each
// file: a reader that refuses all would find nothing wrong.
//
// Counts the heap, as the sanitizer does beside the fuzzer, so that an input that takes too much
// memory is noticed in every build.
#include <algorithm>
#include <cstdio>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "tests/fuzz/fuzz.h"

// NOLINTNEXTLINE(readability-identifier-naming): the fuzzer's name
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

#if defined(__GLIBC__) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#include <malloc.h>

#include <cerrno>

namespace {
void* counted(void* memory) {
  if (memory != nullptr) bellows::fuzz::note_taken(malloc_usable_size(memory));
  return memory;
}
}  // namespace

// The functions of the C library, of which all libraries here take their memory.
extern "C" {
// NOLINTBEGIN(bugprone-reserved-identifier,readability-identifier-naming,readability-inconsistent-declaration-parameter-name)
void* __libc_malloc(std::size_t size);
void* __libc_calloc(std::size_t count, std::size_t size);
void* __libc_realloc(void* memory, std::size_t size);
void* __libc_memalign(std::size_t alignment, std::size_t size);
void __libc_free(void* memory);

void* malloc(std::size_t size) noexcept { return counted(__libc_malloc(size)); }
void* calloc(std::size_t count, std::size_t size) noexcept {
  return counted(__libc_calloc(count, size));
}
void* realloc(void* memory, std::size_t size) noexcept {
  const std::size_t before = malloc_usable_size(memory);
  void* made = __libc_realloc(memory, size);
  if (made == nullptr && size > 0) return nullptr;
  bellows::fuzz::note_given_back(before);
  return counted(made);
}
void* memalign(std::size_t alignment, std::size_t size) noexcept {
  return counted(__libc_memalign(alignment, size));
}
void* aligned_alloc(std::size_t alignment, std::size_t size) noexcept {
  return counted(__libc_memalign(alignment, size));
}
int posix_memalign(void** memory, std::size_t alignment, std::size_t size) noexcept {
  *memory = counted(__libc_memalign(alignment, size));
  return *memory == nullptr ? ENOMEM : 0;
}
void free(void* memory) noexcept {
  if (memory == nullptr) return;
  bellows::fuzz::note_given_back(malloc_usable_size(memory));
  __libc_free(memory);
}
// NOLINTEND(bugprone-reserved-identifier,readability-identifier-naming,readability-inconsistent-declaration-parameter-name)
}
#endif

namespace {
// Of processor time for one input: what scripts/fuzz allows, sanitizers being several times slower.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr double kMostSeconds = 20;
#else
constexpr double kMostSeconds = 2;
#endif
}  // namespace

int main(int count, char** arguments) {
  std::size_t given = 0;
  for (int i = 1; i < count; ++i) {
    std::vector<std::filesystem::path> files;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(arguments[i])) {
      if (entry.is_regular_file()) files.push_back(entry.path());
    }
    std::sort(files.begin(), files.end());
    for (const std::filesystem::path& path : files) {
      std::ifstream file(path, std::ios::binary);
      const std::vector<char> bytes(std::istreambuf_iterator<char>(file), {});
      // Named beforehand, for what ends the program.
      std::fprintf(stderr, "%s, %zu bytes\n", path.c_str(), bytes.size());
      const bool whole = i == 1 && path.parent_path() == std::filesystem::path(arguments[1]);
      const std::size_t taken_before = bellows::fuzz::times_accepted;
      const std::clock_t start = std::clock();
      LLVMFuzzerTestOneInput(reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size());
      const double seconds = static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC;
      if (seconds > kMostSeconds) bellows::fuzz::found("it took " + std::to_string(seconds) + " s");
      if (whole && bellows::fuzz::times_accepted == taken_before) {
        bellows::fuzz::found("a file of the project's own was refused");
      }
      ++given;
    }
  }
  std::fprintf(stderr, "%zu inputs\n", given);
  if (given == 0) std::fprintf(stderr, "name folders with inputs\n");
  return given == 0 ? 1 : 0;
}
