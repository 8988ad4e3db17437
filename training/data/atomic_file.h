// Writing a file so that its name never shows half of it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>

namespace bellows::data {

/// A new file beside `target`, under a temporary name, that becomes `target` with `commit` and
/// vanishes otherwise. One thread at a time.
class AtomicFile {
 public:
  /// Throws Error(kIoError) naming `target` when its folder cannot be written.
  explicit AtomicFile(const std::filesystem::path& target);
  ~AtomicFile();
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;

  /// Throws Error(kIoError), as a full disk does.
  void write(std::span<const std::uint8_t> bytes);
  /// Flushes to the disk and takes the name of `target`. Throws Error(kIoError); `target` is then
  /// as it was.
  void commit();

 private:
  [[noreturn]] void fail(const char* what) const;

  std::filesystem::path target_;
  std::filesystem::path temporary_;
  int descriptor_ = -1;
};

/// Writes the whole content of `target` in one go.
void write_file_atomically(const std::filesystem::path& target,
                           std::span<const std::uint8_t> bytes);

}  // namespace bellows::data
