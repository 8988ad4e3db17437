// What the fuzz targets share. A target is one file NAME_fuzz.cc with a function that is given any
// bytes and looks whether the reader of one format answers as it should: with what it read or with
// an Error in one line, within its memory. Whatever else happens ends the program, which the fuzzer
// notes.
#pragma once

#include <bellows/error.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace bellows::fuzz {

using Bytes = std::span<const std::uint8_t>;

/// A file that only this process sees, for as long as this lives.
class MemoryFile {
 public:
  explicit MemoryFile(Bytes bytes);
  ~MemoryFile();
  MemoryFile(const MemoryFile&) = delete;
  MemoryFile& operator=(const MemoryFile&) = delete;

  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  int descriptor_ = -1;
  std::string path_;
};

/// Prints what was found and ends the program.
[[noreturn]] void found(const std::string& problem);

/// Ends the program unless `error` is something that a user can be shown: one line of text.
void check_message(const Error& error);

/// How often something was content with an input, of all that `accepted` was asked for.
inline std::size_t times_accepted = 0;

/// Whether `read` was content. An Error is an answer too; any other exception is none.
template <class Read>
bool accepted(const Read& read) {
  try {
    read();
    ++times_accepted;
    return true;
  } catch (const Error& error) {
    check_message(error);
    return false;
  }
}

/// So many times as much as an input needs by its own account may be taken.
inline constexpr std::size_t kFactor = 8;

/// For what counts the heap, the sanitizer or the replaying program: so many bytes were taken, or
/// given back. From the first call on MemoryLimit looks at them.
void note_taken(std::size_t bytes);
void note_given_back(std::size_t bytes);

/// Where the heap is counted: notes what is in use, and ends the program when destroyed if more
/// than 8 x `declared` bytes and a slack of 2 MiB were taken at any time in between. Elsewhere
/// (thread sanitizer) nothing. One at a time.
class MemoryLimit {
 public:
  /// `declared`: what the input says that it needs; at least its own length.
  explicit MemoryLimit(std::size_t declared);
  ~MemoryLimit();
  MemoryLimit(const MemoryLimit&) = delete;
  MemoryLimit& operator=(const MemoryLimit&) = delete;

  /// As soon as it is known: what was read says that it needs so much more.
  void declare(std::size_t bytes);

 private:
  std::size_t declared_;
};

/// What a text needs by its own account: its length, and a small object for each value in it, which
/// a text separates by commas, brackets, signs of equality and ends of lines.
[[nodiscard]] std::size_t bytes_as_values(Bytes text);

/// What xz's decoder takes at its usual setting: a window of 8 MiB, and tables.
inline constexpr std::size_t kWindowBytes = std::size_t{9} << 20;

/// What a gzip, xz or plain file unpacks to, or up to where it is damaged: its length, and its
/// first `beginning` bytes where there are as many.
struct Unpacked {
  std::size_t length = 0;
  std::vector<std::uint8_t> beginning;
};
[[nodiscard]] Unpacked unpack(Bytes bytes, std::size_t beginning = 0);

}  // namespace bellows::fuzz
