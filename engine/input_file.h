// Reading a file by position.
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>

namespace bellows {

/// A regular file that is open for reading until this is destroyed. Whatever takes its name
/// meanwhile does no harm: the content read is that of the file that was opened. Thread safe.
class InputFile {
 public:
  /// Throws Error naming `path`: kNotFound; kIoError when it cannot be opened or is no regular file
  /// (a folder, a device; a pipe is not waited for).
  explicit InputFile(const std::filesystem::path& path);
  ~InputFile();
  InputFile(const InputFile&) = delete;
  InputFile& operator=(const InputFile&) = delete;

  /// The path it was opened by, for messages.
  [[nodiscard]] const std::string& name() const { return name_; }
  /// Bytes, when it was opened.
  [[nodiscard]] std::uint64_t size() const { return size_; }

  /// Fills `bytes` with what begins at byte `offset`. Throws Error: kIoError; kCorruptData when the
  /// file ends before.
  void read(std::uint64_t offset, std::span<std::uint8_t> bytes) const;

 private:
  [[noreturn]] void fail(const char* what) const;

  std::string name_;
  int descriptor_ = -1;
  std::uint64_t size_ = 0;
};

}  // namespace bellows
