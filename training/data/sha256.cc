#include "training/data/sha256.h"

#include <bellows/error.h>

#include <array>
#include <fstream>
#include <string_view>
#include <vector>

namespace bellows::data {

Sha256::Sha256() { crypto_hash_sha256_init(&state_); }

void Sha256::update(std::span<const std::uint8_t> bytes) {
  crypto_hash_sha256_update(&state_, bytes.data(), bytes.size());
}

std::string Sha256::finish() {
  static constexpr std::string_view kDigits = "0123456789abcdef";
  std::array<std::uint8_t, crypto_hash_sha256_BYTES> digest{};
  crypto_hash_sha256_final(&state_, digest.data());
  std::string text;
  for (const std::uint8_t byte : digest) {
    text += kDigits[byte >> 4];
    text += kDigits[byte & 15];
  }
  return text;
}

std::string sha256_of_bytes(std::span<const std::uint8_t> bytes) {
  Sha256 hash;
  hash.update(bytes);
  return hash.finish();
}

std::string sha256_of_file(const std::filesystem::path& file) {
  if (std::error_code error; !std::filesystem::exists(file, error)) {
    throw Error(ErrorCode::kNotFound, file.string() + ": no such file");
  }
  std::ifstream in(file, std::ios::binary);
  std::vector<std::uint8_t> piece(1U << 16);
  Sha256 hash;
  while (in) {
    in.read(reinterpret_cast<char*>(piece.data()), static_cast<std::streamsize>(piece.size()));
    hash.update(std::span(piece).first(static_cast<std::size_t>(in.gcount())));
  }
  if (!in.eof()) throw Error(ErrorCode::kIoError, file.string() + ": cannot be read");
  return hash.finish();
}

}  // namespace bellows::data
