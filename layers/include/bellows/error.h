// The one exception of Bellows. Library code throws it and nothing else of its own; it ends in
// the program around it, such as the command.
#pragma once

#include <stdexcept>
#include <string>

#include <bellows/version.h>

namespace bellows {

/// What kind of failure an `Error` reports, for programs to tell apart; never renumber.
enum class ErrorCode {
  kInvalidArgument = 1,  ///< a call, option or configuration value that can never work
  kNotFound = 2,         ///< a file, folder, layer or tensor that is not there
  kCorruptData = 3,      ///< a file whose content contradicts its format or its own checksums
  kIoError = 4,          ///< the operating system refused to read or write (disk full, permission)
  kUnsupported = 5,      ///< valid, but not on this machine or in this build
  kDeadline = 6,         ///< nothing could be finished in the time that was given
  kInUse = 7,            ///< another thread is in the middle of a call on the same object
  kOutOfMemory = 8,      ///< there is not the memory for it, or not now, or not allowed
  kUntrusted = 9,        ///< a model without the signature that was asked for
};

/// A failure with the offending names and values in its message. The message is one line that names
/// the culprit (file, key, value) and, where there is one, the fix.
class BELLOWS_API Error : public std::runtime_error {
 public:
  /// Control characters, which names of files may have, become '?'.
  Error(ErrorCode code, const std::string& message)
      : std::runtime_error(one_line(message)), code_(code) {}

  [[nodiscard]] ErrorCode code() const noexcept { return code_; }

 private:
  static std::string one_line(std::string text) {
    for (char& c : text) {
      if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = '?';
    }
    return text;
  }

  ErrorCode code_;
};

}  // namespace bellows
