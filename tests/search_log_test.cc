#include "training/search/search_log.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <fstream>

#include "tests/data_fixtures.h"
#include "tests/refusal.h"
#include "tests/search_fixtures.h"

namespace bellows {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

CandidateResult result(std::vector<WidthResult> widths, const std::string& ending = "evaluated") {
  return {.ending = ending,
          .widths = std::move(widths),
          .seconds = 2,
          .epochs = 3,
          .epochs_planned = 4};
}

WidthResult width(int number, double error, double latency, double energy, double share = 1) {
  return {
      .width = number, .share = share, .error = error, .latency_us = latency, .energy_uj = energy};
}

class SearchLogFile : public ::testing::Test {
 protected:
  void write() const {
    SearchLog log(path_);
    log.begin(search_header());
    log.proposed({.number = 0, .point = {0.5, 2}, .text = "first"});
    log.proposed({.number = 1, .point = {0.25, 1}, .text = "second"});
    log.rung({.candidate = 1,
              .report = {.width = 1, .share = 0.5, .error = 0.7, .latency_us = 5, .energy_uj = 6},
              .stopped = true});
    log.ended(1, result({width(1, 0.7, 5, 6, 0.5)}, "stopped"), 5);
    log.ended(0, result({width(1, 0.2, 10, 10), width(2, 0.1, 20, 20)}), 7.5);
    log.proposed({.number = 2, .point = {0, 0}, .text = "third"});
    log.paused(12.5);
  }

  const std::filesystem::path path_ = fresh_folder() / "search.jsonl";
};

TEST_F(SearchLogFile, TellsEverythingAgain) {
  write();
  const SearchRecord record = read_search_log(path_);
  EXPECT_EQ(record.header.name, "test");
  ASSERT_EQ(record.candidates.size(), 3U);
  EXPECT_EQ(record.candidates[1].point, (SearchPoint{0.25, 1}));
  EXPECT_EQ(record.candidates[1].text, "second");
  EXPECT_EQ(record.ended, (std::vector<int>{1, 0}));
  EXPECT_EQ(record.pending(), (std::vector<int>{2}));
  ASSERT_EQ(record.rungs.size(), 1U);
  EXPECT_TRUE(record.rungs[0].stopped);
  EXPECT_EQ(record.candidates[0].result->widths[1].latency_us, 20);
  EXPECT_EQ(record.candidates[1].result->ending, "stopped");
  EXPECT_EQ(record.seconds, 12.5);
  EXPECT_FALSE(record.finished);
  EXPECT_FALSE(record.cut_off);
}

// A search that was killed has no last word; its budget of hours goes on all the same.
TEST_F(SearchLogFile, KnowsTheTimeUpToTheLastEnd) {
  write();
  const Bytes whole = read_file(path_);
  const std::string text(whole.begin(), whole.end());
  write_file(path_, bytes_of(text.substr(0, text.find("{\"event\":\"paused\""))));
  EXPECT_EQ(read_search_log(path_).seconds, 7.5);
}

// A crash may cut the last line at any byte: what stands before it is there, and whoever goes on
// writing begins a new line.
TEST_F(SearchLogFile, CutAnywhereItIsReadUpToTheLastWholeLineAndGoesOn) {
  write();
  const Bytes whole = read_file(path_);
  const auto first = static_cast<std::size_t>(
      std::find(whole.begin(), whole.end(), static_cast<std::uint8_t>('\n')) - whole.begin());
  for (std::size_t cut = first + 1; cut < whole.size(); cut += 7) {
    write_file(path_, Bytes(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(cut)));
    const SearchRecord before = read_search_log(path_);
    EXPECT_EQ(before.cut_off, whole[cut - 1] != '\n');
    { SearchLog(path_).paused(99); }
    const SearchRecord after = read_search_log(path_);
    EXPECT_EQ(after.candidates.size(), before.candidates.size());
    EXPECT_EQ(after.ended, before.ended);
    EXPECT_EQ(after.seconds, 99);
    EXPECT_FALSE(after.cut_off);
  }
}

TEST_F(SearchLogFile, OtherFilesAreRefusedByLine) {
  const auto refused = [&](const std::string& text) {
    write_file(path_, bytes_of(text));
    return refusal(ErrorCode::kCorruptData, [&] { static_cast<void>(read_search_log(path_)); });
  };
  EXPECT_THAT(refused(""), HasSubstr("without its head"));
  EXPECT_THAT(refused("{\"event\":\"epoch\"}\n"), AllOf(HasSubstr(":1"), HasSubstr("head")));
  EXPECT_THAT(refused("no json\n"), HasSubstr(":1"));
  std::filesystem::remove(path_);
  write();
  const Bytes bytes = read_file(path_);
  const std::string text(bytes.begin(), bytes.end());
  EXPECT_THAT(refused(text + "{\"event\":\"ended\",\"candidate\":7,\"ending\":\"evaluated\"}\n"),
              AllOf(HasSubstr(":9"), HasSubstr("never proposed")));
  EXPECT_THAT(refused(text + "{\"event\":\"ended\",\"candidate\":0,\"ending\":\"evaluated\"}\n"),
              HasSubstr("ended before"));
  EXPECT_THAT(refused(text + "{\"event\":\"proposed\",\"candidate\":9,\"point\":[1]}\n"),
              HasSubstr("follows"));
  EXPECT_THAT(refused(text + "{\"event\":\"rung\",\"candidate\":0}\n"), HasSubstr("missing"));
}

TEST_F(SearchLogFile, ANewerFormatIsToldApart) {
  write_file(path_, bytes_of("{\"event\":\"search\",\"format_version\":2}\n"));
  EXPECT_THAT(refusal(ErrorCode::kUnsupported, [&] { static_cast<void>(read_search_log(path_)); }),
              HasSubstr("newer"));
}

TEST_F(SearchLogFile, TheFrontHasWidthsThatWereTrainedToTheEnd) {
  write();
  const std::vector<FrontMember> front = front_of(read_search_log(path_));
  ASSERT_EQ(front.size(), 2U);
  EXPECT_EQ(front[0].candidate, 0);
  EXPECT_EQ(front[0].result.width, 1);
  EXPECT_EQ(front[1].result.width, 2);
}

// What a proposer learns from: the costs of all, the error of a part of the training apart.
TEST_F(SearchLogFile, EvaluationsAreLogarithmsInTheOrderOfTheirEnds) {
  write();
  const std::vector<Evaluation> evaluations = evaluations_of(read_search_log(path_));
  ASSERT_EQ(evaluations.size(), 2U);
  EXPECT_EQ(evaluations[0].point, (SearchPoint{0.25, 1}));
  ASSERT_EQ(evaluations[0].measurements.size(), 2U);
  EXPECT_TRUE(std::isnan(evaluations[0].measurements[0].objectives[0]));
  EXPECT_NEAR(evaluations[0].measurements[0].objectives[1], std::log10(5), 1e-12);
  EXPECT_EQ(evaluations[0].measurements[1].share, 0.5);
  EXPECT_NEAR(evaluations[0].measurements[1].objectives[0], std::log10(0.7), 1e-12);
  ASSERT_EQ(evaluations[1].measurements.size(), 2U);
  EXPECT_NEAR(evaluations[1].measurements[1].objectives[0], -1, 1e-12);
  EXPECT_EQ(measured_in_full(evaluations).size(), 2U);
}

TEST(SearchObjectives, AnErrorOfNoneIsHalfAnImage) {
  EXPECT_NEAR(objectives_of(0, 1, 1, 50)[0], std::log10(0.01), 1e-12);
}

}  // namespace
}  // namespace bellows
