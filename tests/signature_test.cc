// Signatures of models: who signed, what, and which release of it.
#include "engine/signature.h"

#include <bellows/bellows.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine/model_file.h"
#include "tests/data_fixtures.h"
#include "tests/fuzz/model_mutation.h"
#include "tests/fuzz/samples.h"
#include "tests/refusal.h"

namespace bellows {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

const std::string kGolden = std::string(BELLOWS_SOURCE_DIR) + "/tests/golden/";

class SignatureTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::filesystem::copy(kGolden + "tiny.safetensors", wide_);
    trim_model(wide_, 1, narrow_);
  }
  // Replaces the first `from` in the file by `to`, which is as long.
  void replace_in(const std::string& path, const std::string& from, const std::string& to) {
    const Bytes bytes = read_file(path);
    std::string text(bytes.begin(), bytes.end());
    ASSERT_EQ(from.size(), to.size());
    const std::size_t place = text.find(from);
    ASSERT_NE(place, std::string::npos);
    write_file(path, bytes_of(text.replace(place, from.size(), to)));
  }

  const std::filesystem::path folder_ = fresh_folder();
  const std::string wide_ = folder_ / "wide.safetensors";
  const std::string narrow_ = folder_ / "narrow.safetensors";
  const std::string growth_ = folder_ / "growth.safetensors";
  const SigningKey key_ = make_signing_key();
};

TEST_F(SignatureTest, KeysAreThoseOfTheStandard) {
  EXPECT_EQ(sign_metadata("00", 1, fuzz::kSampleSecretKey).public_key, fuzz::kSamplePublicKey);
  EXPECT_TRUE(key_.secret_key.ends_with(key_.public_key));
  EXPECT_NE(make_signing_key().secret_key, key_.secret_key);
}

TEST_F(SignatureTest, HoldsForItsContentGenerationAndKeyOnly) {
  const Signature good = sign_metadata("abc", 5, key_.secret_key);
  EXPECT_TRUE(is_valid(good, "abc"));
  EXPECT_FALSE(is_valid(good, "abd"));
  Signature other = good;
  other.generation = 6;
  EXPECT_FALSE(is_valid(other, "abc"));
  other = good;
  other.public_key = fuzz::kSamplePublicKey;
  EXPECT_FALSE(is_valid(other, "abc"));
  other = good;
  other.value[3] = other.value[3] == '0' ? '1' : '0';
  EXPECT_FALSE(is_valid(other, "abc"));
  other.value = "short";
  EXPECT_FALSE(is_valid(other, "abc"));
}

TEST_F(SignatureTest, ASignedModelIsTheSameModel) {
  const ModelFile before = load_model(wide_);
  sign_model(wide_, key_.secret_key, 7);
  const ModelFile after = load_model(wide_);
  ASSERT_TRUE(after.facts.signature.has_value());
  EXPECT_EQ(after.facts.signature->generation, 7);
  EXPECT_EQ(after.facts.signature->public_key, key_.public_key);
  for (int group = 1; group <= 2; ++group) {
    EXPECT_TRUE(
        std::ranges::equal(after.weights.group_bytes(group), before.weights.group_bytes(group)));
    const auto at = static_cast<std::size_t>(group - 1);
    EXPECT_EQ(after.facts.groups[at].sha256, before.facts.groups[at].sha256);
  }
  EXPECT_EQ(after.info.classes, before.info.classes);
  // Signed again, by somebody else and into another file.
  const std::string other = folder_ / "other.safetensors";
  sign_model(wide_, fuzz::kSampleSecretKey, 8, other);
  EXPECT_EQ(load_model(other).facts.signature->public_key, fuzz::kSamplePublicKey);
  EXPECT_EQ(load_model(wide_).facts.signature->public_key, key_.public_key);
}

TEST_F(SignatureTest, LoadingAsksForTheKeyAndTheGeneration) {
  const auto refused = [&](const ModelOptions& options) {
    return refusal(ErrorCode::kUntrusted, [&] { Model::load(wide_, options); });
  };
  EXPECT_THAT(refused({.public_key = key_.public_key}), HasSubstr("is not signed"));
  EXPECT_THAT(
      refusal(ErrorCode::kInvalidArgument, [&] { Model::load(wide_, {.min_generation = 1}); }),
      HasSubstr("anybody can sign"));
  EXPECT_EQ(Model::load(wide_).generation(), -1);
  sign_model(wide_, key_.secret_key, 7);
  EXPECT_EQ(Model::load(wide_, {.public_key = key_.public_key}).generation(), 7);
  EXPECT_EQ(Model::load(wide_, {.groups = 1, .public_key = key_.public_key}).groups(), 1);
  EXPECT_THAT(refused({.public_key = fuzz::kSamplePublicKey}),
              AllOf(HasSubstr(key_.public_key), HasSubstr(fuzz::kSamplePublicKey)));
  EXPECT_THAT(refused({.public_key = key_.public_key, .min_generation = 8}),
              AllOf(HasSubstr("generation 7"), HasSubstr("at least 8")));
  EXPECT_THAT(
      refusal(ErrorCode::kInvalidArgument, [&] { Model::load(wide_, {.public_key = "me"}); }),
      HasSubstr("64 lower-case"));
  // A key that was lost on the way is not the same as none.
  EXPECT_THAT(refusal(ErrorCode::kInvalidArgument, [&] { Model::load(wide_, {.public_key = ""}); }),
              HasSubstr("64 lower-case"));
  EXPECT_THAT(refusal(ErrorCode::kInvalidArgument, [&] { apply_growth(growth_, wide_, {}, ""); }),
              HasSubstr("64 lower-case"));
  EXPECT_THAT(
      refusal(ErrorCode::kInvalidArgument,
              [&] { Model::load(wide_, {.public_key = key_.public_key, .min_generation = -1}); }),
      HasSubstr("-1"));
}

TEST_F(SignatureTest, WhatWasTamperedWithIsNoticedWithoutAKey) {
  sign_model(wide_, key_.secret_key, 7);
  const Bytes good = read_file(wide_);
  const auto corrupt = [&] {
    return refusal(ErrorCode::kCorruptData, [&] { static_cast<void>(load_model(wide_)); });
  };
  replace_in(wide_, "\"generation\":\"7\"", "\"generation\":\"9\"");
  EXPECT_THAT(corrupt(), HasSubstr("signature"));
  write_file(wide_, good);
  replace_in(wide_, key_.public_key, fuzz::kSamplePublicKey);
  EXPECT_THAT(corrupt(), HasSubstr("signature"));
  // Somebody who can make hashes right, but has no key: another weight under the old signature.
  std::string text(good.begin(), good.end());
  text[text.size() - 3] = static_cast<char>(text[text.size() - 3] ^ 1);
  write_file(wide_, bytes_of(fuzz::with_checksums(text)));
  EXPECT_THAT(corrupt(), HasSubstr("signature"));
  // And who takes the signature away.
  write_file(wide_, good);
  const ModelFile signed_model = load_model(wide_);
  save_model(wide_, signed_model.network, signed_model.weights, signed_model.info);
  EXPECT_THAT(
      refusal(ErrorCode::kUntrusted, [&] { Model::load(wide_, {.public_key = key_.public_key}); }),
      HasSubstr("is not signed"));
  // Cut off, at every length.
  for (std::size_t length = 0; length < good.size(); length += 37) {
    write_file(wide_, Bytes(good.begin(), good.begin() + static_cast<std::ptrdiff_t>(length)));
    corrupt();
  }
}

TEST_F(SignatureTest, GrowingKeepsTheSignatureAndNeedsTheSameKey) {
  sign_model(wide_, key_.secret_key, 7);
  sign_model(narrow_, key_.secret_key, 7);
  write_growth(wide_, narrow_, growth_);
  const std::string grown = folder_ / "grown.safetensors";
  apply_growth(growth_, narrow_, grown, key_.public_key);
  EXPECT_TRUE(read_file(grown) == read_file(wide_));
  const Bytes before = read_file(narrow_);
  EXPECT_THAT(refusal(ErrorCode::kUntrusted,
                      [&] { apply_growth(growth_, narrow_, {}, fuzz::kSamplePublicKey); }),
              HasSubstr("narrow.safetensors"));
  // By another key.
  sign_model(wide_, fuzz::kSampleSecretKey, 9);
  write_growth(wide_, narrow_, growth_);
  EXPECT_THAT(refusal(ErrorCode::kUntrusted, [&] { apply_growth(growth_, narrow_); }),
              HasSubstr(fuzz::kSamplePublicKey));
  // By nobody.
  std::filesystem::copy(kGolden + "tiny.safetensors", wide_,
                        std::filesystem::copy_options::overwrite_existing);
  write_growth(wide_, narrow_, growth_);
  EXPECT_THAT(refusal(ErrorCode::kUntrusted, [&] { apply_growth(growth_, narrow_); }),
              HasSubstr("is not signed"));
  EXPECT_TRUE(read_file(narrow_) == before);
}

TEST_F(SignatureTest, AnOlderReleaseIsNotAppliedOverANewerOne) {
  sign_model(narrow_, key_.secret_key, 8);
  sign_model(wide_, key_.secret_key, 7);
  write_growth(wide_, narrow_, growth_);
  const Bytes before = read_file(narrow_);
  EXPECT_THAT(
      refusal(ErrorCode::kUntrusted, [&] { apply_growth(growth_, narrow_); }),
      AllOf(HasSubstr("growth.safetensors"), HasSubstr("generation 7"), HasSubstr("at least 8")));
  EXPECT_TRUE(read_file(narrow_) == before);
  // Nor in the place of a newer one by way of an older base.
  const std::string base = folder_ / "base.safetensors";
  sign_model(narrow_, key_.secret_key, 7, base);
  EXPECT_THAT(refusal(ErrorCode::kUntrusted, [&] { apply_growth(growth_, base, narrow_); }),
              AllOf(HasSubstr("at least 8"), HasSubstr("narrow.safetensors' has")));
  EXPECT_TRUE(read_file(narrow_) == before);
  apply_growth(growth_, base, folder_ / "elsewhere.safetensors");
  sign_model(wide_, key_.secret_key, 8);
  write_growth(wide_, narrow_, growth_);
  apply_growth(growth_, narrow_);
  EXPECT_EQ(load_model(narrow_).network.groups(), 2);
}

TEST_F(SignatureTest, NothingTakesThePlaceOfASignedModelThatItWouldNotFollow) {
  sign_model(wide_, key_.secret_key, 9);
  const Bytes before = read_file(wide_);
  const std::string base = folder_ / "base.safetensors";
  std::filesystem::copy(kGolden + "tiny.safetensors", base);
  const auto refused = [&](const auto& act) { return refusal(ErrorCode::kUntrusted, act); };
  // Older, in place and from elsewhere.
  EXPECT_THAT(refused([&] { sign_model(wide_, key_.secret_key, 8); }),
              AllOf(HasSubstr("generation 8"), HasSubstr("at least 9")));
  EXPECT_THAT(refused([&] { sign_model(base, key_.secret_key, 8, wide_); }),
              AllOf(HasSubstr("generation 8"), HasSubstr("wide.safetensors' has")));
  // By another key from elsewhere, by none.
  EXPECT_THAT(refused([&] { sign_model(base, fuzz::kSampleSecretKey, 10, wide_); }),
              AllOf(HasSubstr(fuzz::kSamplePublicKey), HasSubstr(key_.public_key)));
  EXPECT_THAT(refused([&] { trim_model(base, 1, wide_); }),
              AllOf(HasSubstr("is not signed"), HasSubstr("choose another name")));
  EXPECT_TRUE(read_file(wide_) == before);
  sign_model(wide_, key_.secret_key, 9);
  sign_model(base, key_.secret_key, 10, wide_);
  // Who holds a model may give it another key where it lies.
  sign_model(wide_, fuzz::kSampleSecretKey, 1);
  EXPECT_EQ(load_model(wide_).facts.signature->public_key, fuzz::kSamplePublicKey);
}

// Nobody can tell whether it is signed, or of which generation.
TEST_F(SignatureTest, NothingTakesThePlaceOfAModelThatCannotBeRead) {
  sign_model(wide_, key_.secret_key, 9);
  const Bytes whole = read_file(wide_);
  const std::string base = folder_ / "base.safetensors";
  std::filesystem::copy(kGolden + "tiny.safetensors", base);
  Bytes shortened = whole;
  shortened.pop_back();
  replace_in(wide_, R"("format_version":"1")", R"("format_version":"9")");
  const Bytes newer = read_file(wide_);
  for (const Bytes& there : {shortened, newer, Bytes{1, 2, 3}}) {
    write_file(wide_, there);
    for (const auto& act : std::initializer_list<std::function<void()>>{
             [&] { sign_model(base, key_.secret_key, 10, wide_); },
             [&] { trim_model(base, 1, wide_); }}) {
      try {
        act();
        ADD_FAILURE() << "it was replaced";
      } catch (const Error& error) {
        EXPECT_THAT(error.what(), AllOf(HasSubstr("wide.safetensors"),
                                        HasSubstr("remove it or choose another name")));
      }
      EXPECT_TRUE(read_file(wide_) == there);
    }
  }
}

TEST_F(SignatureTest, WhatIsMadeOfModelsCanAskForTheirSignatures) {
  const std::string signed_model = folder_ / "signed.safetensors";
  const std::string out = folder_ / "out";
  sign_model(wide_, key_.secret_key, 9, signed_model);
  const std::optional<std::string> key = key_.public_key;
  const auto refused = [&](const auto& act) {
    std::string said = refusal(ErrorCode::kUntrusted, act);
    EXPECT_FALSE(std::filesystem::exists(out));
    return said;
  };
  EXPECT_THAT(refused([&] { write_growth(signed_model, narrow_, out, key); }),
              AllOf(HasSubstr("narrow"), HasSubstr("is not signed")));
  sign_model(narrow_, key_.secret_key, 9);
  EXPECT_THAT(refused([&] { write_growth(wide_, narrow_, out, key); }),
              AllOf(HasSubstr("wide"), HasSubstr("is not signed")));
  EXPECT_THAT(refused([&] { write_growth(signed_model, narrow_, out, key, 10); }),
              HasSubstr("at least 10"));
  EXPECT_THAT(refused([&] { trim_model(wide_, 1, out, key); }), HasSubstr("is not signed"));
  EXPECT_THAT(refused([&] { trim_model(signed_model, 1, out, fuzz::kSamplePublicKey); }),
              HasSubstr("is signed by the key"));
  EXPECT_THAT(refused([&] { trim_model(signed_model, 1, out, key, 10); }),
              HasSubstr("at least 10"));
  EXPECT_THAT(refused([&] { sign_model(wide_, key_.secret_key, 10, out, key); }),
              HasSubstr("is not signed"));
  EXPECT_THAT(refusal([&] { trim_model(signed_model, 1, out, std::nullopt, 1); }),
              HasSubstr("without a public key"));
  trim_model(signed_model, 1, out, key, 9);
  std::filesystem::remove(out);
  write_growth(signed_model, narrow_, out, key, 9);
  std::filesystem::remove(out);
  sign_model(signed_model, key_.secret_key, 10, out, key, 9);
  EXPECT_EQ(load_model(out).facts.signature->generation, 10);
}

TEST_F(SignatureTest, NothingIsSignedThatIsNotWhole) {
  Bytes bytes = read_file(wide_);
  bytes.back() ^= 1;
  write_file(wide_, bytes);
  EXPECT_THAT(refusal(ErrorCode::kCorruptData, [&] { sign_model(wide_, key_.secret_key, 1); }),
              HasSubstr("SHA-256"));
  EXPECT_TRUE(read_file(wide_) == bytes);
  EXPECT_THAT(refusal(ErrorCode::kInvalidArgument, [&] { sign_model(narrow_, "key", 1); }),
              HasSubstr("128 lower-case"));
  EXPECT_THAT(
      refusal(ErrorCode::kInvalidArgument, [&] { sign_model(narrow_, key_.secret_key, -1); }),
      HasSubstr("-1"));
}

}  // namespace
}  // namespace bellows
