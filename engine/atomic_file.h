// Writing a file so that its name never shows half of it.
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string_view>

namespace bellows {

/// A new file in the folder of `target` that becomes `target` with `commit` and vanishes otherwise.
/// Whoever opens `target`, also after a crash or a power cut, finds the old content or the new one,
/// whole. The file has no name before the commit, so that nothing is left of it when the process is
/// killed; but for the moment before it takes the place of `target`, and where the file system has
/// no such files (NFS, FAT), it has a name like `.bellows-<process>-0.tmp`, which a killed process
/// leaves behind. The next file written to the folder removes those of processes that are gone,
/// once they are an hour old. A symbolic link is replaced, not followed. One thread at a time; two
/// writers of one target do not disturb each other, the last to commit wins.
class AtomicFile {
 public:
  /// Throws Error(kIoError) naming `target` when its folder is missing or cannot be written, or
  /// when `target` is there and is no file (a folder, a device).
  explicit AtomicFile(const std::filesystem::path& target);
  ~AtomicFile();
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;

  /// Appends. Throws Error(kIoError), as on a full disk.
  void write(std::span<const std::uint8_t> bytes);
  void write(std::string_view text);

  /// Gives it the permissions of the file `other`, and its owner where the system lets us. Throws
  /// Error(kIoError).
  void copy_permissions(const std::filesystem::path& other);

  /// Flushes to the disk, takes the name of `target` and flushes the folder. Throws
  /// Error(kIoError); `target` is then as it was, unless the message says that only the folder
  /// could not be flushed. Nothing may be written afterwards.
  void commit();

 private:
  template <class Take>
  bool take_temporary_name(const Take& take);
  [[noreturn]] void fail(const char* what) const;
  void remove_leftovers() const;

  std::filesystem::path target_;
  std::filesystem::path folder_;
  std::filesystem::path temporary_;  // empty: the file has no name
  int descriptor_ = -1;
};

/// Writes the whole content of `target` in one go. Throws as AtomicFile does.
void write_file_atomically(const std::filesystem::path& target,
                           std::span<const std::uint8_t> bytes);
void write_file_atomically(const std::filesystem::path& target, std::string_view text);

}  // namespace bellows
