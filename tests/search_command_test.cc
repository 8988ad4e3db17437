// `bellows search` as a user meets it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>

#include <cstdlib>
#include <nlohmann/json.hpp>
#include <sstream>

#include "cli/command.h"
#include "tests/data_fixtures.h"
#include "tests/search_fixtures.h"

namespace bellows::cli {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using Json = nlohmann::json;

class SearchCommand : public ::testing::Test {
 protected:
  void SetUp() override { write_file(folder_ / "small.toml", bytes_of(kSmallSearch)); }

  struct Result {
    int code = 0;
    std::string out;
    std::string err;
  };
  // `arguments` after "search"; "@" is the test's folder.
  [[nodiscard]] Result search(const std::vector<std::string>& arguments) const {
    std::vector<std::string> words = {"search"};
    for (std::string word : arguments) {
      for (std::size_t at = 0; (at = word.find('@', at)) != std::string::npos;) {
        word.replace(at, 1, folder_.string());
        at += folder_.string().size();
      }
      words.push_back(std::move(word));
    }
    std::ostringstream out;
    std::ostringstream err;
    const int code = run_command(words, out, err);
    return {code, out.str(), err.str()};
  }
  [[nodiscard]] Result estimated(std::vector<std::string> more) const {
    std::vector<std::string> all = {"@/small.toml", "--estimate", "--device", "small-accelerator"};
    all.insert(all.end(), more.begin(), more.end());
    return search(all);
  }

  const std::filesystem::path folder_ = fresh_folder();
};

TEST_F(SearchCommand, FindsAFrontAndTellsWhereItIs) {
  const Result result = estimated({"--budget", "5", "--out", "@/s"});
  ASSERT_EQ(result.code, 0) << result.err;
  EXPECT_THAT(result.out, AllOf(HasSubstr("measured on estimate: small-accelerator"),
                                HasSubstr("candidate 4"), HasSubstr("5 evaluated; hypervolume"),
                                HasSubstr((folder_ / "s" / "pareto").string())));
  EXPECT_FALSE(std::filesystem::is_empty(folder_ / "s" / "pareto"));
}

TEST_F(SearchCommand, MeasuresOnThisMachineWithADeviceModelForTheEnergy) {
  const Result result = search({"@/small.toml", "--device", "server-cpu", "--seconds", "0.01",
                                "--budget", "2", "--out", "@/s", "--json"});
  ASSERT_EQ(result.code, 0) << result.err;
  std::istringstream lines(result.out);
  std::vector<std::string> events;
  for (std::string line; std::getline(lines, line);) {
    const Json event = Json::parse(line);
    events.push_back(event["event"].get<std::string>());
    if (events.back() != "ended") continue;
    for (const Json& width : event["widths"]) {
      EXPECT_GT(width["latency_us"].get<double>(), 0);
      EXPECT_GT(width["energy_uj"].get<double>(), 0);
      EXPECT_GT(width["memory_bytes"].get<double>(), 0);
    }
  }
  EXPECT_EQ(events, (std::vector<std::string>{"begin", "proposed", "ended", "proposed", "ended",
                                              "finished"}));
}

TEST_F(SearchCommand, MeasuresByACommand) {
  const auto script = folder_ / "board";
  write_file(script, bytes_of("#!/bin/sh\n'" BELLOWS_COMMAND
                              "' profile \"$1\" --device server-cpu --seconds 0.01 --out "
                              "\"$1.json\" >&2 && cat \"$1.json\"\nrm -f \"$1.json\"\n"));
  std::filesystem::permissions(script, std::filesystem::perms::owner_all);
  const Result result =
      search({"@/small.toml", "--measure-cmd", "@/board", "--budget", "2", "--out", "@/s"});
  ASSERT_EQ(result.code, 0) << result.err;
  EXPECT_THAT(result.out, HasSubstr("measured on command: "));
  const SearchRecord record = read_search_log(folder_ / "s" / "search.jsonl");
  for (const LoggedCandidate& candidate : record.candidates) {
    EXPECT_EQ(candidate.result->ending, "evaluated") << candidate.result->problem;
  }
}

// The board in the loop of docs/search.md; here it is this machine again:
// tests/ssh_to_localhost.sh.
TEST_F(SearchCommand, MeasuresOverSsh) {
  const auto script = folder_ / "board";
  write_file(script,
             bytes_of("#!/bin/sh\nset -e\nthere='" + (folder_ / "there").string() +
                      "'\n"
                      "scp -q -F \"$FARAWAY\" \"$1\" faraway:\"$there.safetensors\"\n"
                      "ssh -F \"$FARAWAY\" faraway \"'" BELLOWS_COMMAND
                      "' profile $there.safetensors --device server-cpu --seconds 0.01 --out "
                      "$there.json >&2 && cat $there.json\"\n"));
  std::filesystem::permissions(script, std::filesystem::perms::owner_all);
  const std::string out = (folder_ / "s").string();
  const auto said = folder_ / "said";
  const int status = std::system(
      ("'" BELLOWS_SOURCE_DIR "/tests/ssh_to_localhost.sh' '" BELLOWS_COMMAND "' search '" +
       (folder_ / "small.toml").string() + "' --measure-cmd '" + script.string() +
       "' --budget 2 --out '" + out + "' > '" + said.string() + "' 2>&1")
          .c_str());
  const Bytes bytes = read_file(said);
  const std::string text(bytes.begin(), bytes.end());
  if (WIFEXITED(status) && WEXITSTATUS(status) == 77) GTEST_SKIP() << text;
  ASSERT_EQ(status, 0) << text;
  EXPECT_TRUE(std::filesystem::exists(folder_ / "there.json"));
  const SearchRecord record = read_search_log(folder_ / "s" / "search.jsonl");
  ASSERT_EQ(record.candidates.size(), 2U);
  for (const LoggedCandidate& candidate : record.candidates) {
    EXPECT_EQ(candidate.result->ending, "evaluated") << candidate.result->problem;
  }
}

TEST_F(SearchCommand, GoesOnAndMeasuresAgain) {
  ASSERT_EQ(estimated({"--budget", "3", "--out", "@/s"}).code, 0);
  const Result refused = estimated({"--budget", "4", "--out", "@/s"});
  EXPECT_EQ(refused.code, 1);
  EXPECT_THAT(refused.err, AllOf(HasSubstr("holds a search"), HasSubstr("--resume")));
  const Result more = estimated({"--budget", "4", "--out", "@/s", "--resume"});
  ASSERT_EQ(more.code, 0) << more.err;
  EXPECT_THAT(more.out, HasSubstr("resumed: 3 candidates have ended"));
  const Result again = search(
      {"@/s/search.jsonl", "--again", "--estimate", "--device", "server-cpu", "--out", "@/again"});
  ASSERT_EQ(again.code, 0) << again.err;
  EXPECT_EQ(read_search_log(folder_ / "again" / "search.jsonl").ended.size(), 4U);
}

TEST_F(SearchCommand, WhatIsWrongIsSaidInALineAndNothingIsWritten) {
  const auto refused = [&](const std::vector<std::string>& arguments, int code) {
    const Result result = search(arguments);
    EXPECT_EQ(result.code, code) << result.err;
    EXPECT_EQ(std::count(result.err.begin(), result.err.end(), '\n'), 1) << result.err;
    EXPECT_FALSE(std::filesystem::exists(folder_ / "s"));
    return result.err;
  };
  EXPECT_THAT(refused({}, 2), HasSubstr("SEARCH.toml"));
  EXPECT_THAT(refused({"@/none.toml", "--out", "@/s"}, 1), HasSubstr("none.toml"));
  EXPECT_THAT(refused({"@/small.toml", "--budget", "soon", "--out", "@/s"}, 2),
              HasSubstr("--budget: 'soon'"));
  EXPECT_THAT(refused({"@/small.toml", "--budget", "-3", "--out", "@/s"}, 2),
              HasSubstr("--budget"));
  EXPECT_THAT(refused({"@/small.toml", "--method", "magic", "--out", "@/s"}, 2),
              HasSubstr("'magic'"));
  EXPECT_THAT(refused({"@/small.toml", "--estimate", "--out", "@/s"}, 2),
              HasSubstr("device model"));
  EXPECT_THAT(
      refused({"@/small.toml", "--estimate", "--device", "generic-45nm", "--out", "@/s"}, 2),
      HasSubstr("no clock"));
  EXPECT_THAT(
      refused({"@/small.toml", "--measure-cmd", "true", "--device", "server-cpu", "--out", "@/s"},
              2),
      HasSubstr("--device"));
  EXPECT_THAT(refused({"@/small.toml", "--data", "@", "--device", "server-cpu", "--out", "@/s"}, 2),
              HasSubstr("draws its images"));
  EXPECT_THAT(refused({"@/small.toml", "--resume", "--overwrite", "--out", "@/s"}, 2),
              HasSubstr("give one of them"));
  EXPECT_THAT(refused({"@/small.toml", "--again", "--out", "@/s", "--device", "server-cpu"}, 1),
              HasSubstr("small.toml:1"));
}

}  // namespace
}  // namespace bellows::cli
