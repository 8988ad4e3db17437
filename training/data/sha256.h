// SHA-256, by libsodium, as lower-case hexadecimal text.
#pragma once

#include <sodium.h>

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>

namespace bellows::data {

/// A checksum built piece by piece. One thread at a time.
class Sha256 {
 public:
  Sha256();
  void update(std::span<const std::uint8_t> bytes);
  /// The checksum of all pieces. Call once, last.
  [[nodiscard]] std::string finish();

 private:
  crypto_hash_sha256_state state_;
};

[[nodiscard]] std::string sha256_of_bytes(std::span<const std::uint8_t> bytes);
/// Reads the file in pieces. Throws Error(kNotFound, kIoError) naming it.
[[nodiscard]] std::string sha256_of_file(const std::filesystem::path& file);

}  // namespace bellows::data
