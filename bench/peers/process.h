// What only a fresh process shows: the memory of holding a network, the time to a first answer.
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <vector>

namespace bellows::peers {

/// Bytes of this process that are in physical memory.
[[nodiscard]] std::size_t resident_bytes();

/// Runs `arguments` (a program and what it is told) and returns what it prints, without the line
/// break at the end. Throws Error(kIoError) when it cannot be run or fails.
[[nodiscard]] std::string output_of(const std::vector<std::string>& arguments);

/// Seconds from starting `arguments` until its first byte of output has come; waits for its end.
/// Throws as `output_of`.
[[nodiscard]] double seconds_to_first_output(const std::vector<std::string>& arguments);

/// A program that answers each line with a line.
class Conversation {
 public:
  /// Starts it. Throws as `output_of`.
  explicit Conversation(const std::vector<std::string>& arguments);
  /// Ends its input and waits for it.
  ~Conversation();
  Conversation(const Conversation&) = delete;
  Conversation& operator=(const Conversation&) = delete;

  /// Its next line of output. Throws Error(kIoError) when it ends without one.
  [[nodiscard]] std::string hear();
  void say(const std::string& line);

 private:
  std::vector<std::string> arguments_;
  int child_ = 0;
  int to_ = -1;
  int from_ = -1;
  std::string heard_;  // beyond the last line
};

}  // namespace bellows::peers
