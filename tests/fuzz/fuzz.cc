#include "tests/fuzz/fuzz.h"

#include <archive.h>
#include <archive_entry.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <new>

// clang tells by the first, g++ by the second.
#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define BELLOWS_FUZZ_COUNTS_HEAP
#endif
#elif defined(__SANITIZE_ADDRESS__)
#define BELLOWS_FUZZ_COUNTS_HEAP
#endif
#ifdef BELLOWS_FUZZ_COUNTS_HEAP
#if __has_include(<sanitizer/allocator_interface.h>)
#include <sanitizer/allocator_interface.h>
#else
// g++ brings the functions without their header.
extern "C" {
// NOLINTBEGIN(bugprone-reserved-identifier,readability-identifier-naming): the sanitizer's names
int __sanitizer_install_malloc_and_free_hooks(void (*taken)(const volatile void*, std::size_t),
                                              void (*given_back)(const volatile void*));
std::size_t __sanitizer_get_allocated_size(const volatile void* memory);
// NOLINTEND(bugprone-reserved-identifier,readability-identifier-naming)
}
#endif
#endif

namespace bellows::fuzz {
namespace {

constexpr std::size_t kSlack = std::size_t{2} << 20;

// Fields of the one limit that is in force; hooks cannot be taken away again.
std::atomic<bool> counted = false;
std::atomic<std::int64_t> in_use = 0;
std::atomic<std::int64_t> most = 0;

#ifdef BELLOWS_FUZZ_COUNTS_HEAP
void taken(const volatile void* /*memory*/, std::size_t bytes) { note_taken(bytes); }

void given_back(const volatile void* memory) {
  if (memory == nullptr) return;
  note_given_back(__sanitizer_get_allocated_size(const_cast<const void*>(memory)));
}

[[maybe_unused]] const bool kHooked =
    __sanitizer_install_malloc_and_free_hooks(taken, given_back) != 0;
#endif

}  // namespace

void note_taken(std::size_t bytes) {
  counted = true;
  const std::int64_t now = in_use += static_cast<std::int64_t>(bytes);
  std::int64_t before = most;
  while (now > before && !most.compare_exchange_weak(before, now)) {
  }
}

void note_given_back(std::size_t bytes) { in_use -= static_cast<std::int64_t>(bytes); }

MemoryFile::MemoryFile(Bytes bytes) : descriptor_(::memfd_create("fuzz", MFD_CLOEXEC)) {
  if (descriptor_ < 0) found("no file in memory can be made");
  path_ = "/proc/self/fd/" + std::to_string(descriptor_);
  while (!bytes.empty()) {
    const ssize_t written = ::write(descriptor_, bytes.data(), bytes.size());
    if (written <= 0) found("a file in memory cannot be written");
    bytes = bytes.subspan(static_cast<std::size_t>(written));
  }
}

MemoryFile::~MemoryFile() { ::close(descriptor_); }

void found(const std::string& problem) {
  std::fprintf(stderr, "found: %s\n", problem.c_str());
  std::abort();
}

void check_message(const Error& error) {
  const std::string message = error.what();
  const auto control = [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; };
  if (message.empty()) found("an Error without a message");
  if (std::any_of(message.begin(), message.end(), control)) {
    found("an Error of more than a line of text: " + message);
  }
}

MemoryLimit::MemoryLimit(std::size_t declared) : declared_(declared) {
  in_use = 0;
  most = 0;
}

MemoryLimit::~MemoryLimit() {
  const std::size_t allowed = kFactor * declared_ + kSlack;
  if (counted && most > static_cast<std::int64_t>(allowed)) {
    found(std::to_string(most) + " bytes were taken, " + std::to_string(allowed) + " allowed");
  }
}

void MemoryLimit::declare(std::size_t bytes) { declared_ += bytes; }

std::size_t bytes_as_values(Bytes text) {
  constexpr std::size_t kValueBytes = 64;
  const auto separates = [](std::uint8_t c) {
    return c == ',' || c == '[' || c == '{' || c == ':' || c == '=' || c == '\n';
  };
  return text.size() +
         kValueBytes * static_cast<std::size_t>(std::ranges::count_if(text, separates));
}

Unpacked unpack(Bytes bytes, std::size_t beginning) {
  archive* reader = archive_read_new();
  if (reader == nullptr) throw std::bad_alloc();
  archive_read_support_filter_gzip(reader);
  archive_read_support_filter_xz(reader);
  archive_read_support_format_raw(reader);
  archive_entry* entry = nullptr;
  Unpacked unpacked;
  if (archive_read_open_memory(reader, bytes.data(), bytes.size()) == ARCHIVE_OK &&
      archive_read_next_header(reader, &entry) == ARCHIVE_OK) {
    std::array<std::uint8_t, 65536> piece{};
    la_ssize_t length = 0;
    while ((length = archive_read_data(reader, piece.data(), piece.size())) > 0) {
      const auto count = static_cast<std::size_t>(length);
      unpacked.length += count;
      const std::size_t wanted = std::min(count, beginning - unpacked.beginning.size());
      unpacked.beginning.insert(unpacked.beginning.end(), piece.begin(),
                                piece.begin() + static_cast<std::ptrdiff_t>(wanted));
    }
  }
  archive_read_free(reader);
  return unpacked;
}

}  // namespace bellows::fuzz
