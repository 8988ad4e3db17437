// Several processes evaluate the candidates of one search: real runs under mpirun.
#include <gmock/gmock.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

#include "tests/search_fixtures.h"
#include "tests/under_mpirun.h"
#include "training/search/search_log.h"

namespace bellows {
namespace {

using ::testing::HasSubstr;
using Json = nlohmann::json;

class SearchUnderMpirun : public UnderMpirun {
 protected:
  // Nothing is measured, so that errors alone can differ.
  [[nodiscard]] std::string search(const std::string& out, int budget, int epochs = 2) const {
    std::string text = kSmallSearch;
    text.replace(text.find("epochs = [2]"), 12, "epochs = [" + std::to_string(epochs) + "]");
    std::ofstream(path("small.toml")) << text;
    return "search '" + path("small.toml") +
           "' --estimate --device small-accelerator --json --budget " + std::to_string(budget) +
           " --out '" + path(out) + "'";
  }
  [[nodiscard]] SearchRecord record(const std::string& out) const {
    return read_search_log(folder_ / out / "search.jsonl");
  }
  [[nodiscard]] bool has_begun(const std::string& out, std::size_t candidates) const {
    return std::filesystem::exists(folder_ / out / "search.jsonl") &&
           std::filesystem::file_size(folder_ / out / "search.jsonl") > 0 &&
           record(out).candidates.size() >= candidates;
  }
};

TEST_F(SearchUnderMpirun, TheFirstProposesAndTheOthersEvaluate) {
  const Result result = run(3, search("s", 8));
  ASSERT_EQ(result.code, 0) << result.text;
  const SearchRecord found = record("s");
  EXPECT_TRUE(found.finished);
  EXPECT_EQ(found.ended.size(), 8U);
  for (const LoggedCandidate& candidate : found.candidates) {
    EXPECT_EQ(candidate.result->ending, "evaluated") << candidate.result->problem;
  }
  std::set<int> ranks;
  std::istringstream lines(result.text);
  for (std::string line; std::getline(lines, line);) {
    const Json event = Json::parse(line, nullptr, false);
    if (event.is_object() && event.value("event", "") == "proposed") {
      ranks.insert(event["rank"].get<int>());
    }
  }
  EXPECT_EQ(ranks, (std::set<int>{1, 2}));
}

// What a candidate comes to does not depend on who evaluates it.
TEST_F(SearchUnderMpirun, CandidatesComeToTheSameAsInOneProcess) {
  ASSERT_EQ(run(1, search("one", 4)).code, 0);
  ASSERT_EQ(run(3, search("three", 4)).code, 0);
  const SearchRecord one = record("one");
  const SearchRecord three = record("three");
  // The first ones are random, so that both propose the same.
  for (std::size_t i = 0; i < 4; ++i) {
    EXPECT_EQ(one.candidates[i].point, three.candidates[i].point);
    EXPECT_EQ(one.candidates[i].result->widths.back().error,
              three.candidates[i].result->widths.back().error);
  }
}

TEST_F(SearchUnderMpirun, OneThatIsLostLosesItsCandidateOnly) {
  const pid_t mpirun = start("mpirun --enable-recovery --oversubscribe -n 3 ",
                             search("s", 8, 60) + " --patience 10");
  wait_until([&] { return has_begun("s", 3); });
  const std::vector<pid_t> ranks = ranks_of(mpirun);
  ASSERT_EQ(ranks.size(), 3U) << output();
  ::kill(ranks.back(), SIGKILL);
  int status = 0;
  ASSERT_EQ(::waitpid(mpirun, &status, 0), mpirun);
  EXPECT_EQ(status, 0) << output();
  const SearchRecord found = record("s");
  EXPECT_TRUE(found.finished);
  EXPECT_EQ(found.ended.size(), 8U);
  int lost = 0;
  for (const LoggedCandidate& candidate : found.candidates) {
    if (candidate.result->ending == "evaluated") continue;
    ++lost;
    EXPECT_THAT(candidate.result->problem, HasSubstr("was lost"));
  }
  EXPECT_EQ(lost, 1);
  EXPECT_THAT(output(), HasSubstr("the others go on"));
}

TEST_F(SearchUnderMpirun, WithoutAnyoneWhoEvaluatesItEndsAndSaysHowToGoOn) {
  const pid_t mpirun = start("mpirun --enable-recovery --oversubscribe -n 2 ",
                             search("s", 8, 60) + " --patience 10");
  wait_until([&] { return has_begun("s", 2); });
  const std::vector<pid_t> ranks = ranks_of(mpirun);
  ASSERT_EQ(ranks.size(), 2U) << output();
  ::kill(ranks.back(), SIGKILL);
  int status = 0;
  ASSERT_EQ(::waitpid(mpirun, &status, 0), mpirun);
  EXPECT_THAT(output(), HasSubstr("all ranks that evaluate were lost; go on by"));
  EXPECT_FALSE(record("s").finished);
  const std::size_t ended = record("s").ended.size();
  EXPECT_GE(ended, 1U);
  const Result again = run(1, search("s", static_cast<int>(ended) + 1, 60) + " --resume");
  EXPECT_EQ(again.code, 0) << again.text;
  EXPECT_TRUE(record("s").finished);
}

// Without a launcher that lets the others live all end; the log is whole, and one process goes on.
TEST_F(SearchUnderMpirun, KilledWithAllOthersItGoesOnFromItsLog) {
  const pid_t mpirun = start(launcher(3), search("s", 6, 20));
  wait_until([&] { return has_begun("s", 4); });
  const std::vector<pid_t> ranks = ranks_of(mpirun);
  ASSERT_EQ(ranks.size(), 3U) << output();
  ::kill(ranks.back(), SIGKILL);
  int status = 0;
  ASSERT_EQ(::waitpid(mpirun, &status, 0), mpirun);
  EXPECT_NE(status, 0);
  const std::size_t before = record("s").ended.size();
  const Result again = run(1, search("s", 6, 20) + " --resume");
  ASSERT_EQ(again.code, 0) << again.text;
  EXPECT_GE(record("s").ended.size(), before);
  EXPECT_EQ(record("s").ended.size(), 6U);
}

TEST_F(SearchUnderMpirun, ToldToEndAllKeepTheirCandidatesForLater) {
  const pid_t mpirun = start(launcher(3), search("s", 50, 40));
  wait_until([&] { return has_begun("s", 3); });
  for (const pid_t rank : ranks_of(mpirun)) ::kill(rank, SIGTERM);
  int status = 0;
  ASSERT_EQ(::waitpid(mpirun, &status, 0), mpirun);
  EXPECT_NE(status, 0);
  EXPECT_THAT(output(), HasSubstr("--resume"));
  const SearchRecord stopped = record("s");
  EXPECT_FALSE(stopped.finished);
  EXPECT_FALSE(stopped.pending().empty());
}

}  // namespace
}  // namespace bellows
