#include "cli/measure_command.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>

#include "tests/data_fixtures.h"
#include "tests/refusal.h"

namespace bellows::cli {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

std::filesystem::path script(const std::string& body) {
  std::filesystem::path path = fresh_folder() / "measure it";
  write_file(path, bytes_of("#!/bin/sh\n" + body));
  std::filesystem::permissions(path, std::filesystem::perms::owner_all);
  return path;
}

TEST(MeasureCommand, GetsTheModelAndPrintsWidths) {
  const auto path = script(
      "test -f \"$2\" || exit 3\n"
      "echo '{\"widths\": [{\"latency_us\": 5, \"energy_uj\": 1.5}, '\n"
      "echo '{\"latency_us\": 9.5, \"energy_uj\": 4, \"memory_bytes\": 77}]}'\n");
  // A command may have arguments of its own; its name is quoted by whoever types it.
  const auto model = write_file(path.parent_path() / "it's a model", bytes_of("x"));
  const auto costs = measured_by_command("'" + path.string() + "' --fast", model);
  ASSERT_EQ(costs.size(), 2U);
  EXPECT_EQ(costs[0].latency_us, 5);
  EXPECT_EQ(costs[1].energy_uj, 4);
  EXPECT_EQ(costs[1].memory_bytes, 77);
}

TEST(MeasureCommand, OneThatFailsOrPrintsSomethingElseIsNamed) {
  EXPECT_THAT(refusal(ErrorCode::kIoError,
                      [] { static_cast<void>(measured_by_command("exit 4;", "model", 1)); }),
              AllOf(HasSubstr("exit 4"), HasSubstr("exit code 4")));
  EXPECT_THAT(refusal(ErrorCode::kCorruptData,
                      [] { static_cast<void>(measured_by_command("echo hello", "model")); }),
              AllOf(HasSubstr("echo hello"), HasSubstr("hello model")));
  EXPECT_THAT(refusal(ErrorCode::kCorruptData,
                      [] { static_cast<void>(read_measured("{\"widths\": []}", "it")); }),
              HasSubstr("no width"));
  EXPECT_THAT(
      refusal(
          ErrorCode::kCorruptData,
          [] { static_cast<void>(read_measured("{\"widths\": [{\"latency_us\": 3}]}", "it")); }),
      HasSubstr("energy_uj"));
}

TEST(MeasureCommand, OneThatFailsForOnceIsRunAgain) {
  const auto path = script(
      "echo again >> \"$1.runs\"\n"
      "test \"$(wc -l < \"$1.runs\")\" -ge 3 || exit 255\n"
      "echo '{\"widths\": [{\"latency_us\": 5, \"energy_uj\": 1.5}]}'\n");
  const auto model = path.parent_path() / "model";
  const std::string command = "'" + path.string() + "'";
  EXPECT_THAT(refusal(ErrorCode::kIoError,
                      [&] {
                        static_cast<void>(
                            measured_by_command(command, model, 2, std::chrono::milliseconds(1)));
                      }),
              HasSubstr("exit code 255"));
  EXPECT_EQ(measured_by_command(command, model, 1).size(), 1U);
}

// The file that `bellows profile` writes, printed by a shell as a board would.
TEST(MeasureCommand, ReadsAProfile) {
  const std::string golden = std::string(BELLOWS_SOURCE_DIR) + "/tests/golden/tiny_profile.json";
  const Bytes bytes = read_file(golden);
  const auto costs = read_measured({bytes.begin(), bytes.end()}, golden);
  EXPECT_FALSE(costs.empty());
  for (const WidthCost& cost : costs) {
    EXPECT_GT(cost.latency_us, 0);
    EXPECT_GT(cost.energy_uj, 0);
  }
}

}  // namespace
}  // namespace bellows::cli
