// What is on the disk when a process is killed at any moment, or when the disk is full or broken:
// what was there before or what was to be there, whole; and whoever goes on comes to the same bits.
//
// BELLOWS_KILLS=200 kills so often; without it a few moments must do.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <functional>
#include <random>

#include "engine/model_file.h"
#include "engine/profile_data.h"
#include "tests/data_fixtures.h"
#include "tests/search_fixtures.h"
#include "training/checkpoint.h"

namespace bellows {
namespace {

using ::testing::HasSubstr;
using Microseconds = std::chrono::microseconds;

const std::string kGolden = std::string(BELLOWS_SOURCE_DIR) + "/tests/golden/";

int wanted_kills() {
  const char* text = std::getenv("BELLOWS_KILLS");
  return text == nullptr ? 4 : std::max(1, std::atoi(text));
}

struct Ended {
  int status = 0;
  std::string said;  // by both streams

  [[nodiscard]] bool killed() const { return WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL; }
  [[nodiscard]] int code() const { return WIFEXITED(status) ? WEXITSTATUS(status) : -1; }
};

// Runs the command; killed after `limit` unless that is zero. `variables`: of its environment,
// besides.
Ended run(const std::vector<std::string>& words, Microseconds limit = {},
          const std::vector<std::pair<std::string, std::string>>& variables = {}) {
  std::array<int, 2> ends{};
  EXPECT_EQ(::pipe(ends.data()), 0);
  const pid_t child = ::fork();
  if (child == 0) {
    ::dup2(ends[1], STDOUT_FILENO);
    ::dup2(ends[1], STDERR_FILENO);
    ::close(ends[0]);
    ::close(ends[1]);
    for (const auto& [name, value] : variables) ::setenv(name.c_str(), value.c_str(), 1);
    std::string program = BELLOWS_COMMAND;
    std::vector<char*> arguments = {program.data()};
    std::vector<std::string> own = words;
    for (std::string& word : own) arguments.push_back(word.data());
    arguments.push_back(nullptr);
    ::execv(program.c_str(), arguments.data());
    ::_exit(127);
  }
  ::close(ends[1]);
  // A process that sleeps and then kills: reading what is said may take longer than that.
  pid_t killer = -1;
  if (limit.count() > 0 && (killer = ::fork()) == 0) {
    ::close(ends[0]);
    ::usleep(static_cast<useconds_t>(limit.count()));
    ::kill(child, SIGKILL);
    ::_exit(0);
  }
  Ended ended;
  std::array<char, 4096> part{};
  for (ssize_t count = 0; (count = ::read(ends[0], part.data(), part.size())) > 0;) {
    ended.said.append(part.data(), static_cast<std::size_t>(count));
  }
  ::close(ends[0]);
  // The killer first, while the child's number cannot be another's.
  if (killer > 0) ::waitpid(killer, nullptr, 0);
  EXPECT_EQ(::waitpid(child, &ended.status, 0), child);
  return ended;
}

class CrashSafety : public ::testing::Test {
 protected:
  [[nodiscard]] std::string path(const std::string& name) const { return folder_ / name; }

  // Calls `kill_and_check` with moments spread over the time that `whole` takes, at random.
  static void at_random_moments(const std::function<void()>& whole,
                                const std::function<bool(Microseconds)>& kill_and_check) {
    const auto start = std::chrono::steady_clock::now();
    whole();
    const auto took =
        std::chrono::duration_cast<Microseconds>(std::chrono::steady_clock::now() - start);
    std::mt19937 random(1);
    std::uniform_int_distribution<long> moment(1, took.count());
    int killed = 0;
    const int kills = wanted_kills();
    for (int i = 0; i < 4 * kills && killed < kills && !HasFatalFailure(); ++i) {
      if (kill_and_check(Microseconds(moment(random)))) ++killed;
    }
    EXPECT_GE(killed, kills) << "it ends too soon to be killed";
    RecordProperty("killed", killed);
  }

  // Of few moments chance alone may say that none is in a training.
  static void expect_often(int while_it_trained) {
    if (wanted_kills() < 50) return;
    EXPECT_GT(while_it_trained, wanted_kills() / 8) << "it was hardly ever killed while it trained";
  }

  const std::filesystem::path folder_ = fresh_folder();
};

// How a command goes on that was ended before: with what it left in `progress`, if it came so far.
const char* how_to_go_on(const std::string& progress) {
  return std::filesystem::exists(progress) ? "--resume" : "--overwrite";
}

// A search that could not write the first line of its log has not begun.
const char* how_to_search_on(const std::string& out) {
  const std::string log = out + "/search.jsonl";
  if (!std::filesystem::exists(log)) return "--overwrite";
  const Bytes bytes = read_file(log);
  return std::ranges::find(bytes, '\n') != bytes.end() ? "--resume" : "--overwrite";
}

std::string small_run(int epochs, int checkpoint_every) {
  return "name = \"killed\"\n[network]\ninput = [1, 28, 28]\nclasses = 10\ngroups = 2\n"
         "layers = [{ kind = \"conv\", name = \"conv\", channels = [4, 4], kernel = 5, "
         "stride = 2 }, { kind = \"batch_norm\", name = \"norm\" }, { kind = \"relu\", "
         "name = \"relu\" }, { kind = \"head\", name = \"head\" }]\n"
         "[data]\nformat = \"digits\"\nvalidation = 0.2\n[data.digits]\n"
         "train_images = 300\ntest_images = 20\n"
         "[training]\nbatch_size = 20\nthreads = 1\nepochs = [" +
         std::to_string(epochs) + "]\ncheckpoint_every = " + std::to_string(checkpoint_every) +
         "\n";
}

TEST_F(CrashSafety, TrainingThatIsKilledGoesOnToTheSameBits) {
  const std::string config = path("run.toml");
  write_file(config, bytes_of(small_run(16, 3)));
  const auto train = [&](const std::string& out, const char* how, Microseconds limit = {}) {
    std::vector<std::string> words = {"train", config, "--out", out};
    if (*how != '\0') words.emplace_back(how);
    return run(words, limit);
  };
  const std::string whole = path("whole");
  Bytes expected;
  int in_a_group = 0;  // and not between two
  at_random_moments(
      [&] {
        const Ended ended = train(whole, "");
        ASSERT_EQ(ended.code(), 0) << ended.said;
        expected = read_file(whole + "/model.safetensors");
      },
      [&](Microseconds moment) {
        const std::string out = path("out");
        std::filesystem::remove_all(out);
        const bool killed = train(out, "", moment).killed();
        if (std::filesystem::exists(out + "/model.safetensors")) {
          static_cast<void>(load_model(out + "/model.safetensors"));
        }
        const std::string checkpoint = out + "/checkpoint";
        if (killed && std::filesystem::exists(checkpoint)) {
          const CheckpointState state = load_checkpoint(checkpoint).state;
          if (state.epoch > 0 || state.batch > 0) ++in_a_group;
        }
        const Ended again = train(out, how_to_go_on(checkpoint));
        EXPECT_EQ(again.code(), 0) << again.said;
        EXPECT_TRUE(read_file(out + "/model.safetensors") == expected) << moment.count() << " us";
        return killed;
      });
  expect_often(in_a_group);
}

TEST_F(CrashSafety, AProfileThatIsKilledIsTheOldOneOrTheNewOne) {
  const std::string model = kGolden + "every_kind.safetensors";
  const std::string file = path("profile.json");
  const std::vector<std::string> words = {"profile",   model,  "--device", "server-cpu",
                                          "--seconds", "0.01", "--out",    file};
  Bytes old;
  at_random_moments(
      [&] {
        const Ended ended = run(words);
        ASSERT_EQ(ended.code(), 0) << ended.said;
        old = read_file(file);
      },
      [&](Microseconds moment) {
        write_file(file, old);
        const bool killed = run(words, moment).killed();
        const bool same = read_file(file) == old;
        EXPECT_TRUE(same || internal::read_profile(file).points.size() > 1);
        return killed;
      });
}

TEST_F(CrashSafety, AGrowthThatIsKilledIsTheOldModelOrTheNewOne) {
  const std::string wide = std::string(BELLOWS_SOURCE_DIR) + "/models/digits-lenet.safetensors";
  const std::string narrow = path("narrow");
  trim_model(wide, 1, narrow);
  write_growth(wide, narrow, path("growth"));
  const Bytes old = read_file(narrow);
  const Bytes grown = read_file(wide);
  const std::vector<std::string> words = {"apply", path("growth"), path("deployed")};
  at_random_moments(
      [&] {
        write_file(path("deployed"), old);
        ASSERT_EQ(run(words).code(), 0);
      },
      [&](Microseconds moment) {
        write_file(path("deployed"), old);
        const bool killed = run(words, moment).killed();
        const Bytes now = read_file(path("deployed"));
        EXPECT_TRUE(now == old || now == grown) << moment.count() << " us";
        return killed;
      });
}

// Of which some candidates stop early.
std::string search_with_a_rung(int checkpoint_every) {
  std::string text = kSmallSearch;
  text.replace(text.find("random_first = 4"), 16, "random_first = 3\nrungs = [0.5]\nleast = 2");
  text.replace(text.find("threads = 1"), 11,
               "threads = 1\ncheckpoint_every = " + std::to_string(checkpoint_every));
  return text;
}

// What was proposed and, but for times, what came of it.
std::vector<std::string> candidates_in(const std::string& out) {
  std::vector<std::string> lines;
  for (LoggedCandidate& candidate : read_search_log(out + "/search.jsonl").candidates) {
    const auto proposed = tagged_fields(
        "kind", "candidate", [&](FieldVisitor& visitor) { visit_candidate(visitor, candidate); });
    lines.push_back(ConfigValue(proposed).to_json());
    if (!candidate.result) continue;
    candidate.result->seconds = candidate.result->measuring_seconds = 0;
    const auto result = tagged_fields("kind", "result", [&](FieldVisitor& visitor) {
      visit_result(visitor, candidate.number, *candidate.result);
    });
    lines.push_back(ConfigValue(result).to_json());
  }
  return lines;
}

// Of a candidate that was being trained.
bool holds_a_checkpoint(const std::string& out) {
  if (!std::filesystem::exists(out)) return false;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(out)) {
    if (entry.path().filename() == "checkpoint") return true;
  }
  return false;
}

TEST_F(CrashSafety, ASearchThatIsKilledGoesOnToTheSameResults) {
  const std::string config = path("small.toml");
  write_file(config, bytes_of(search_with_a_rung(1)));
  const auto search = [&](const std::string& out, const char* how, Microseconds limit = {}) {
    std::vector<std::string> words = {
        "search",   config, "--estimate", "--device", "small-accelerator",
        "--budget", "6",    "--out",      out};
    if (*how != '\0') words.emplace_back(how);
    return run(words, limit);
  };
  std::vector<std::string> expected;
  int in_a_candidate = 0;  // that had trained some batches
  at_random_moments(
      [&] {
        const Ended ended = search(path("whole"), "");
        ASSERT_EQ(ended.code(), 0) << ended.said;
        expected = candidates_in(path("whole"));
      },
      [&](Microseconds moment) {
        const std::string out = path("out");
        std::filesystem::remove_all(out);
        const bool killed = search(out, "", moment).killed();
        if (killed && holds_a_checkpoint(out)) ++in_a_candidate;
        const Ended again = search(out, how_to_search_on(out));
        EXPECT_EQ(again.code(), 0) << again.said;
        EXPECT_THAT(candidates_in(out), ::testing::ElementsAreArray(expected))
            << moment.count() << " us";
        return killed;
      });
  expect_often(in_a_candidate);
}

// Each call to the disk fails, and all that follow it, in each of these programs, until they need
// no more of them; or the program is killed there. Moments at random hardly ever meet the short
// time in which something is put in the place of what was there before.
class BrokenDisk : public CrashSafety, public ::testing::WithParamInterface<bool> {
 protected:
  [[nodiscard]] static bool kills() { return GetParam(); }

  void SetUp() override {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    GTEST_SKIP() << "sanitizers want to be loaded first";
#endif
  }

  // `check` looks at what is there after a failure; `reset` makes what was there before.
  void fail_everywhere(const std::vector<std::string>& words, const std::function<void()>& reset,
                       const std::function<void()>& check,
                       const std::vector<const char*>& functions = {"write", "fsync", "close",
                                                                    "rename", "linkat"}) {
    const std::string mark = path("a call failed");
    for (const char* function : functions) {
      bool done = false;
      // Each of the first places, then ever fewer: a search writes often.
      for (int place = 1; place < 1000 && !done; place += 1 + place / 12) {
        SCOPED_TRACE(std::string(function) + " " + std::to_string(place));
        reset();
        std::filesystem::remove(mark);
        std::vector<std::pair<std::string, std::string>> variables = {
            {"LD_PRELOAD", BELLOWS_FAILING_DISK},
            {"BELLOWS_FAILING", function},
            {"BELLOWS_FAILING_AT", std::to_string(place)},
            {"BELLOWS_FAILED", mark}};
        if (kills()) variables.emplace_back("BELLOWS_KILLING", "1");
        const Ended ended = run(words, {}, variables);
        done = !std::filesystem::exists(mark);
        if (done) {
          EXPECT_EQ(ended.code(), 0) << ended.said;
          break;
        }
        if (kills()) {
          EXPECT_TRUE(ended.killed()) << ended.said;
          check();
          if (HasFailure()) return;
          continue;
        }
        if (ended.code() == 0) {
          // The log of a search is flushed after every line and loses nothing when it is closed.
          const bool flushed = std::string(function) == "close" &&
                               ended.said.find("search.jsonl") != std::string::npos;
          EXPECT_TRUE(flushed ||
                      ended.said.find("the run goes on, its log lacks lines") != std::string::npos)
              << ended.said;
        } else {
          EXPECT_EQ(ended.code(), 1) << ended.said;
          EXPECT_THAT(ended.said, HasSubstr("error: "));
        }
        check();
        for (const auto& entry : std::filesystem::recursive_directory_iterator(folder_)) {
          EXPECT_THAT(entry.path().filename().string(), ::testing::Not(HasSubstr(".bellows-")));
        }
        if (HasFailure()) return;
      }
      EXPECT_TRUE(done) << function;
    }
  }
};

TEST_P(BrokenDisk, AGrowthLeavesTheOldModel) {
  const std::string model = path("model");
  const Bytes wide = read_file(kGolden + "tiny.safetensors");
  trim_model(kGolden + "tiny.safetensors", 1, model);
  const Bytes old = read_file(model);
  fail_everywhere(
      {"apply", kGolden + "tiny_growth.safetensors", model}, [&] { write_file(model, old); },
      [&] { EXPECT_TRUE(read_file(model) == old); });
  EXPECT_TRUE(read_file(model) == wide);
}

// When all is written and only the folder cannot be flushed, the new model is there: that is told,
// and is no reason to take it back.
TEST_P(BrokenDisk, AFolderThatCannotBeFlushedIsToldWithTheNewModelInPlace) {
  const std::string model = path("model");
  trim_model(kGolden + "tiny.safetensors", 1, model);
  const Bytes old = read_file(model);
  const Bytes wide = read_file(kGolden + "tiny.safetensors");
  fail_everywhere(
      {"apply", kGolden + "tiny_growth.safetensors", model}, [&] { write_file(model, old); },
      [&] { EXPECT_TRUE(read_file(model) == wide); }, {"fsync of a folder"});
}

TEST_P(BrokenDisk, TrainingGoesOnToTheSameBits) {
  const std::string config = path("run.toml");
  write_file(config, bytes_of(small_run(1, 8)));
  const std::string out = path("out");
  const std::vector<std::string> words = {"train", config, "--out", out, "--json"};
  ASSERT_EQ(run(words).code(), 0);
  const Bytes expected = read_file(out + "/model.safetensors");
  fail_everywhere(
      words, [&] { std::filesystem::remove_all(out); },
      [&] {
        std::vector<std::string> again = words;
        again.emplace_back(how_to_go_on(out + "/checkpoint"));
        const Ended ended = run(again);
        EXPECT_EQ(ended.code(), 0) << ended.said;
        EXPECT_TRUE(read_file(out + "/model.safetensors") == expected);
      },
      {"write", "fsync", "close", "rename", "linkat", "fsync of a folder"});
}

TEST_P(BrokenDisk, ASearchGoesOnToTheSameResults) {
  const std::string config = path("small.toml");
  write_file(config, bytes_of(search_with_a_rung(500)));
  const std::string out = path("out");
  const std::vector<std::string> words = {
      "search",   config, "--estimate", "--device", "small-accelerator",
      "--budget", "2",    "--out",      out};
  ASSERT_EQ(run(words).code(), 0);
  const std::vector<std::string> expected = candidates_in(out);
  fail_everywhere(
      words, [&] { std::filesystem::remove_all(out); },
      [&] {
        std::vector<std::string> again = words;
        again.emplace_back(how_to_search_on(out));
        const Ended ended = run(again);
        EXPECT_EQ(ended.code(), 0) << ended.said;
        EXPECT_THAT(candidates_in(out), ::testing::ElementsAreArray(expected));
      },
      {"write", "fsync", "fdatasync", "close", "rename", "linkat"});
}

TEST_P(BrokenDisk, ASignatureLeavesTheOldModel) {
  const std::string model = path("model");
  const Bytes old = read_file(kGolden + "tiny.safetensors");
  ASSERT_EQ(run({"sign", "--new-key", path("key")}).code(), 0);
  fail_everywhere(
      {"sign", model, "--key", path("key.secret")}, [&] { write_file(model, old); },
      [&] { EXPECT_TRUE(read_file(model) == old); });
  EXPECT_TRUE(load_model(model).facts.signature.has_value());
}

TEST_P(BrokenDisk, AProfileLeavesTheOldOne) {
  const std::string file = path("profile.json");
  const Bytes old = read_file(kGolden + "tiny_profile.json");
  fail_everywhere(
      {"profile", kGolden + "tiny.safetensors", "--device", "server-cpu", "--seconds", "0.01",
       "--out", file},
      [&] { write_file(file, old); }, [&] { EXPECT_TRUE(read_file(file) == old); });
  EXPECT_FALSE(read_file(file) == old);
}

INSTANTIATE_TEST_SUITE_P(At, BrokenDisk, ::testing::Bool(), [](const auto& named) {
  return std::string(named.param ? "EachCallTheProgramIsKilled" : "EachCallItFails");
});

}  // namespace
}  // namespace bellows
