#include "training/search/search.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>
#include <stdexcept>

#include "tests/data_fixtures.h"
#include "tests/refusal.h"
#include "tests/search_fixtures.h"

namespace bellows {
namespace {

using ::testing::HasSubstr;

class Search : public ::testing::Test {
 protected:
  [[nodiscard]] SearchOutcome run(const SearchConfig& config, const std::string& name,
                                  int evaluations, bool resume = false) {
    SearchRunOptions options = options_in(folder_ / name, evaluations);
    options.resume = resume;
    SearchObserver silent;
    return search(config, images_of(config), options, silent);
  }
  [[nodiscard]] SearchRecord log_of(const std::string& name) const {
    return read_search_log(folder_ / name / "search.jsonl");
  }

  const std::filesystem::path folder_ = fresh_folder();
};

// All that does not depend on the clock, in the order of the candidates.
struct Found {
  SearchPoint point;
  std::string ending;
  int epochs = 0;
  std::vector<std::pair<double, double>> errors;  // and the share of its training, by width

  bool operator==(const Found&) const = default;
};

std::vector<Found> results_of(const SearchRecord& record) {
  std::vector<Found> results;
  for (const LoggedCandidate& candidate : record.candidates) {
    const CandidateResult& result = *candidate.result;
    Found& found = results.emplace_back();
    found.point = candidate.point;
    found.ending = result.ending;
    found.epochs = result.epochs;
    for (const WidthResult& width : result.widths) {
      found.errors.emplace_back(width.error.value_or(-1), width.share);
    }
  }
  return results;
}

// Candidates stop at two places.
SearchConfig small_search_with_rungs() {
  SearchConfig config = small_search();
  config.training.epochs = {4};
  config.settings.rungs = {0.25, 0.5};
  config.settings.keep = 0.3;
  config.settings.least = 2;
  return config;
}

TEST_F(Search, EvaluatesItsBudgetAndWritesTheFrontAsRuns) {
  const SearchConfig config = small_search();
  const SearchOutcome outcome = run(config, "s", 7);
  EXPECT_TRUE(outcome.finished);
  const SearchRecord record = log_of("s");
  EXPECT_TRUE(record.finished);
  EXPECT_EQ(record.candidates.size(), 7U);
  EXPECT_EQ(record.ended.size(), 7U);
  std::set<SearchPoint> points;
  const ArchitectureSpace space(config.task, config.space);
  for (const LoggedCandidate& candidate : record.candidates) {
    points.insert(candidate.point);
    EXPECT_EQ(candidate.result->ending, "evaluated") << candidate.result->problem;
    EXPECT_EQ(candidate.result->widths.size(),
              static_cast<std::size_t>(space.groups(candidate.point)));
    for (const WidthResult& width : candidate.result->widths) {
      EXPECT_TRUE(width.error.has_value());
      EXPECT_EQ(width.share, 1);
    }
    EXPECT_EQ(candidate.result->epochs, candidate.result->epochs_planned);
  }
  EXPECT_EQ(points.size(), 7U);
  EXPECT_FALSE(std::filesystem::exists(folder_ / "s" / "candidates"));
  std::set<int> on_front;
  for (const FrontMember& member : front_of(record)) on_front.insert(member.candidate);
  std::size_t files = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder_ / "s" / "pareto")) {
    const RunConfig written = read_run_config(entry.path());
    EXPECT_EQ(written.data.train_limit, 0);
    ++files;
  }
  EXPECT_EQ(files, on_front.size());
}

TEST_F(Search, TheSameSeedGivesTheSameSearch) {
  const SearchConfig config = small_search();
  EXPECT_EQ(results_of(run(config, "a", 6).record), results_of(run(config, "b", 6).record));
}

// Stopped in the middle of candidates, again and again, it comes to the same as in one go.
TEST_F(Search, InterruptedAtAnyBatchItGoesOnToTheSameResults) {
  struct Impatient final : SearchObserver {
    explicit Impatient(int patience) : left(patience) {}
    bool should_stop() override { return --left < 0; }
    int left;
  };
  const SearchConfig config = small_search_with_rungs();
  const TrainingData data = images_of(config);
  const SearchOutcome whole = run(config, "whole", 6);
  bool finished = false;
  int calls = 0;
  for (int patience = 3; !finished; patience = 3 + (patience * 7) % 11) {
    SearchRunOptions options = options_in(folder_ / "parts", 6);
    options.resume = calls++ > 0;
    Impatient observer(patience);
    finished = search(config, data, options, observer).finished;
    ASSERT_LT(calls, 200);
  }
  EXPECT_GT(calls, 5);
  EXPECT_EQ(results_of(log_of("parts")), results_of(whole.record));
}

// Killed when a rung's answer has just been written: the candidate goes on from before the rung,
// asks again, and is told the same, which counts once.
TEST_F(Search, KilledAtAnyRungItGoesOnToTheSameResults) {
  struct Killed final : SearchObserver {
    void rung(const LoggedRung& /*rung*/) override { throw std::runtime_error("killed"); }
  };
  const SearchConfig config = small_search_with_rungs();
  const TrainingData data = images_of(config);
  const SearchOutcome whole = run(config, "whole", 6);
  int kills = 0;
  for (bool finished = false; !finished;) {
    SearchRunOptions options = options_in(folder_ / "parts", 6);
    options.resume = kills > 0;
    Killed observer;
    try {
      finished = search(config, data, options, observer).finished;
    } catch (const std::runtime_error& error) {
      ASSERT_STREQ(error.what(), "killed");
      ASSERT_LT(++kills, 100);
    }
  }
  const SearchRecord record = log_of("parts");
  EXPECT_EQ(kills, static_cast<int>(whole.record.rungs.size()));
  EXPECT_EQ(record.rungs.size(), whole.record.rungs.size());
  EXPECT_EQ(results_of(record), results_of(whole.record));
}

TEST_F(Search, GoesOnWithALargerBudgetAsIfItHadAlwaysHadIt) {
  const SearchConfig config = small_search();
  static_cast<void>(run(config, "s", 4));
  const SearchOutcome more = run(config, "s", 7, true);
  EXPECT_EQ(results_of(more.record), results_of(run(config, "whole", 7).record));
}

TEST_F(Search, RungsStopCandidatesAndSayWhatThatSpares) {
  const SearchRecord record = run(small_search_with_rungs(), "s", 8).record;
  int stopped = 0;
  for (const LoggedCandidate& candidate : record.candidates) {
    if (candidate.result->ending != "stopped") continue;
    ++stopped;
    EXPECT_LT(candidate.result->epochs, candidate.result->epochs_planned);
    bool part = false;
    for (const WidthResult& width : candidate.result->widths) part = part || width.share < 1;
    EXPECT_TRUE(part);
  }
  EXPECT_GE(stopped, 1);
  EXPECT_GT(epochs_spared(record), 0);
  EXPECT_FALSE(record.rungs.empty());
}

TEST_F(Search, CandidatesThatBreakAMeasuredConstraintAreNotTrained) {
  SearchConfig config = small_search();
  config.constraints.latency_us = 60;
  const SearchRecord record = run(config, "s", 8).record;
  int refused = 0;
  for (const LoggedCandidate& candidate : record.candidates) {
    const CandidateResult& result = *candidate.result;
    EXPECT_EQ(result.ending == "refused", result.widths.front().latency_us > 60);
    if (result.ending != "refused") continue;
    ++refused;
    EXPECT_EQ(result.epochs, 0);
    EXPECT_THAT(result.problem, HasSubstr("constraints.latency_us"));
  }
  EXPECT_GE(refused, 1);
  EXPECT_LT(refused, 8);
}

TEST_F(Search, ACandidateThatFailsDoesNotEndTheSearch) {
  const SearchConfig config = small_search();
  SearchRunOptions options = options_in(folder_ / "s", 5);
  int calls = 0;
  options.measure = [&calls](const std::filesystem::path& path) {
    if (++calls == 2) throw Error(ErrorCode::kUnsupported, "nothing here");
    return counted_costs(path);
  };
  SearchObserver silent;
  const SearchOutcome outcome = search(config, images_of(config), options, silent);
  EXPECT_TRUE(outcome.finished);
  EXPECT_EQ(outcome.record.candidates[1].result->ending, "failed");
  EXPECT_EQ(outcome.record.candidates[1].result->problem, "nothing here");
  EXPECT_EQ(outcome.record.candidates[4].result->ending, "evaluated");
}

TEST_F(Search, AFolderInUseAndAnotherConfigurationAreRefused) {
  const SearchConfig config = small_search();
  static_cast<void>(run(config, "s", 2));
  EXPECT_THAT(refusal([&] { static_cast<void>(run(config, "s", 2)); }), HasSubstr("--resume"));
  SearchConfig other = config;
  other.training.batch_size = 16;
  EXPECT_THAT(refusal([&] { static_cast<void>(run(other, "s", 2, true)); }),
              HasSubstr("another configuration"));
  EXPECT_THAT(
      refusal(ErrorCode::kNotFound, [&] { static_cast<void>(run(config, "none", 2, true)); }),
      HasSubstr("no search to resume"));
  SearchRunOptions elsewhere = options_in(folder_ / "s", 2);
  elsewhere.resume = true;
  elsewhere.header.measured_on = "another machine";
  SearchObserver silent;
  EXPECT_THAT(
      refusal([&] { static_cast<void>(search(config, images_of(config), elsewhere, silent)); }),
      HasSubstr("another machine"));
}

TEST_F(Search, MeasuredAgainOnlyCostsChange) {
  const SearchConfig config = small_search();
  const SearchRecord before = run(config, "s", 5).record;
  SearchRunOptions options = options_in(folder_ / "again", 0);
  options.header.measured_on = "elsewhere";
  options.measure = [](const std::filesystem::path& path) {
    std::vector<WidthCost> costs = counted_costs(path);
    for (WidthCost& cost : costs) cost.latency_us *= 3;
    return costs;
  };
  static_cast<void>(measure_again(before, options, [](int) {}));
  const SearchRecord after = log_of("again");
  EXPECT_EQ(after.header.measured_on, "elsewhere");
  ASSERT_EQ(after.candidates.size(), before.candidates.size());
  EXPECT_EQ(results_of(after), results_of(before));
  for (std::size_t i = 0; i < after.candidates.size(); ++i) {
    const auto& now = after.candidates[i].result->widths;
    const auto& then = before.candidates[i].result->widths;
    for (std::size_t w = 0; w < now.size(); ++w) {
      EXPECT_NEAR(now[w].latency_us, 3 * then[w].latency_us, 1e-9);
      EXPECT_EQ(now[w].energy_uj, then[w].energy_uj);
    }
  }
}

}  // namespace
}  // namespace bellows
