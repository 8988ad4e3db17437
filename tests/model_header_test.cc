// Headers alone; those in files are tried in model_file_test.cc and model_growth_test.cc.
#include "engine/model_header.h"

#include <gtest/gtest.h>

#include "tests/data_fixtures.h"
#include "tests/grouped_networks.h"

namespace bellows {
namespace {

Network network() {
  return Network::read(config::network({1, 2, 2}, 2, 3, "triangular", "additive",
                                       {config::conv("conv", {1, 2, 1}, 1, 0)}));
}

ModelHeader header() {
  const std::vector<std::string> hashes = {std::string(64, '1'), std::string(64, '2'),
                                           std::string(64, '3')};
  return make_model_header(network(), hashes, {}, "model");
}

TEST(ModelHeader, CountsTheBytesOfTheFile) {
  // conv: weights and biases of one input channel; head: two classes over maps of 2 x 2, and
  // biases.
  const std::int64_t group_1 = 4 * (1 + 1 + 2 * 4 + 2);
  const std::int64_t group_2 = 4 * (2 + 2 + 2 * 8 + 2);
  const ModelHeader model = header();
  EXPECT_EQ(model.bytes(), static_cast<std::int64_t>(8 + model.text.size()));
  EXPECT_EQ(model.file_bytes(), model.bytes() + group_1 + group_2 + group_1);
  const GrowthHeader growth = make_growth_header(model, 2, "growth");
  EXPECT_EQ(growth.bytes(), static_cast<std::int64_t>(8 + growth.text.size()));
  EXPECT_EQ(growth.file_bytes(), growth.bytes() + group_1);
  EXPECT_EQ(growth.model.text, model.text);
}

TEST(ModelHeader, RefusesHashesThatAreNone) {
  expect_error(ErrorCode::kInvalidArgument, {"model", "one hash for each of the 3 groups"},
               [] { static_cast<void>(make_model_header(network(), {}, {}, "model")); });
  expect_error(ErrorCode::kInvalidArgument, {"model", "the hash of group 1 is \"x\""}, [] {
    static_cast<void>(make_model_header(network(), {"x", "y", "z"}, {}, "model"));
  });
}

TEST(ModelHeader, LongerThanAReaderTakesIsNotWritten) {
  ModelInfo info;
  info.extra = {{"long", std::string(std::size_t{9} << 20, '"')}};
  expect_error(ErrorCode::kInvalidArgument, {"model", "longer than the 16777216 allowed"}, [&] {
    const std::string hash(64, '0');
    static_cast<void>(make_model_header(network(), {hash, hash, hash}, info, "model"));
  });
}

TEST(ModelHeader, KnowsTheClaimedHashOfAGroup) {
  const GroupFacts claimed{std::string(64, 'a'), 4};
  EXPECT_NO_THROW(check_group("model", 2, claimed, std::string(64, 'a')));
  expect_error(ErrorCode::kCorruptData, {"model: group 2 has SHA-256 bbb", "\"aaa"},
               [&] { check_group("model", 2, claimed, std::string(64, 'b')); });
}

TEST(ModelHeader, StandsInAFileBehindItsLength) {
  const std::filesystem::path folder = fresh_folder();
  AtomicFile file(folder / "file");
  put_header(file, std::string(0x102, '{'));
  file.commit();
  const Bytes bytes = read_file(folder / "file");
  EXPECT_EQ(Bytes(bytes.begin(), bytes.begin() + 9), (Bytes{2, 1, 0, 0, 0, 0, 0, 0, '{'}));
  EXPECT_EQ(bytes.size(), 8U + 0x102U);
}

}  // namespace
}  // namespace bellows
