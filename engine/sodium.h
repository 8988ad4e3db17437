// What every use of libsodium begins with, and the digits in which its results are written.
#pragma once

#include <bellows/error.h>
#include <sodium/core.h>
#include <sodium/utils.h>

#include <cstdint>
#include <span>
#include <string>

namespace bellows {

/// Before anything else of libsodium; from any thread, any number of times. Throws
/// Error(kUnsupported) where the system has no random numbers.
inline void start_sodium() {
  if (sodium_init() >= 0) return;
  throw Error(ErrorCode::kUnsupported,
              "libsodium cannot start: the system gives it no random numbers; provide "
              "getrandom() or a readable random device");
}

/// Two lower-case hexadecimal digits for each byte.
inline std::string hex_of(std::span<const std::uint8_t> bytes) {
  std::string text(2 * bytes.size() + 1, '\0');
  sodium_bin2hex(text.data(), text.size(), bytes.data(), bytes.size());
  text.pop_back();
  return text;
}

}  // namespace bellows
