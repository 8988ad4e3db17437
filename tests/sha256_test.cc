#include "engine/sha256.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace bellows {
namespace {

std::span<const std::uint8_t> bytes_of(const std::string& text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

// The examples of FIPS 180-2, appendix B.
TEST(Sha256, GivesTheDigestsOfTheStandard) {
  EXPECT_EQ(sha256_hex(bytes_of("")),
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(sha256_hex(bytes_of("abc")),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(sha256_hex(bytes_of("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq")),
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
  EXPECT_EQ(sha256_hex(bytes_of(std::string(1000000, 'a'))),
            "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

TEST(Sha256, DoesNotDependOnHowTheBytesAreCut) {
  std::string text;
  for (int i = 0; i < 300; ++i) text += static_cast<char>(i * 7);
  const std::string whole = sha256_hex(bytes_of(text));
  for (std::size_t cut = 0; cut <= text.size(); cut += 13) {
    Sha256 sha256;
    sha256.update(bytes_of(text).first(cut));
    sha256.update(text.substr(cut));
    EXPECT_EQ(sha256.hex(), whole) << "cut at " << cut;
  }
}

TEST(Sha256, MayBeAskedInBetween) {
  Sha256 sha256;
  sha256.update("ab");
  EXPECT_EQ(sha256.hex(), sha256_hex(bytes_of("ab")));
  sha256.update("c");
  EXPECT_EQ(sha256.hex(), sha256_hex(bytes_of("abc")));
}

}  // namespace
}  // namespace bellows
