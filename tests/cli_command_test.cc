// The verbs as a user meets them, on runs small enough to take a tenth of a second.
#include <bellows/bellows.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <pty.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <fstream>
#include <map>
#include <new>
#include <nlohmann/json.hpp>
#include <numeric>
#include <regex>
#include <set>
#include <sstream>

#include "cli/command.h"
#include "engine/model_file.h"
#include "engine/onnx_export.h"
#include "tests/data_fixtures.h"
#include "tests/headless_browser.h"
#include "tests/report_files.h"
#include "tests/search_fixtures.h"
#include "tests/web_server.h"
#include "training/checkpoint.h"
#include "training/data/dataset.h"
#include "training/data/digits.h"
#include "training/data/idx.h"
#include "training/data/png_image.h"

namespace bellows::cli {
namespace {

using std::string_literals::operator""s;  // NOLINT(misc-unused-using-decls): clang-tidy 14 misses
                                          // its uses
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;
using Json = nlohmann::json;

struct Result {
  int code = 0;
  std::string out;
  std::string err;
};

std::vector<std::string> words(const std::string& line) {
  std::istringstream in(line);
  std::vector<std::string> all;
  for (std::string word; in >> word;) all.push_back(word);
  return all;
}

// `line` is split at spaces.
Result bellows(const std::string& line) {
  std::ostringstream out, err;
  Result result;
  result.code = run_command(words(line), out, err);
  result.out = out.str();
  result.err = err.str();
  return result;
}

std::string text_of(const std::filesystem::path& file) {
  const Bytes bytes = read_file(file);
  return {bytes.begin(), bytes.end()};
}

std::vector<std::string> lines_of(const std::string& text) {
  std::istringstream in(text);
  std::vector<std::string> lines;
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  return lines;
}

std::vector<Json> json_lines(const std::string& text) {
  std::vector<Json> values;
  for (const std::string& line : lines_of(text)) values.push_back(Json::parse(line));
  return values;
}

void expect_refused(const Result& result, int code, const std::vector<std::string>& parts) {
  EXPECT_EQ(result.code, code) << result.err;
  EXPECT_EQ(lines_of(result.err).size(), 1U) << result.err;
  EXPECT_TRUE(result.err.starts_with("bellows")) << result.err;
  EXPECT_THAT(result.err, HasSubstr(": error: "));
  for (const std::string& part : parts) EXPECT_THAT(result.err, HasSubstr(part));
}

// A folder of its own for each test, with a configuration and what is made of it.
class Command : public ::testing::Test {
 protected:
  std::filesystem::path folder_ = fresh_folder();

  [[nodiscard]] std::string path(const std::string& name) const { return folder_ / name; }

  // Two groups, which a block of 8 or 16 does not divide.
  std::string config(const std::string& data, int groups = 2, const std::string& name = "run.toml",
                     const std::string& more = "") {
    const std::string sizes = groups == 1 ? "[12]" : "[12, 20]";
    const std::string text =
        "name = \"tiny\"\n[network]\ninput = [1, 28, 28]\nclasses = 10\ngroups = " +
        std::to_string(groups) +
        "\nlayers = [\n{ kind = \"conv\", name = \"conv1\", channels = " + sizes +
        ", kernel = 5, stride = 3 },\n{ kind = \"relu\", name = \"relu1\" },\n"
        "{ kind = \"head\", name = \"head\" },\n]\n[data]\nvalidation = 0.2\n" +
        data + "\n[training]\nepochs = [2]\nbatch_size = 20\nthreads = 1\n" + more;
    return write_file(folder_ / name, bytes_of(text));
  }
  static std::string digits() {
    return "format = \"digits\"\n[data.digits]\ntrain_images = 100\ntest_images = 40\n";
  }

  // Trains on drawn digits; returns the model's path.
  std::string trained() {
    const Result result = bellows("train " + config(digits()) + " --out " + path("run"));
    EXPECT_EQ(result.code, 0) << result.err;
    return path("run/model.safetensors");
  }

  std::string digit_png(int index, const std::string& name) {
    const Dataset images = make_digits({.train_images = 60, .test_images = 1, .threads = 1}, 0);
    std::filesystem::create_directories((folder_ / name).parent_path());
    write_png(folder_ / name, images.shape(), images.image(static_cast<std::size_t>(index)));
    return path(name);
  }

  // 60 digits as one folder for each class, all of them for training.
  std::string png_folder() {
    for (int i = 0; i < 60; ++i) {
      digit_png(i, "pngs/class" + std::to_string(i % 10) + "/" + std::to_string(i) + ".png");
    }
    return path("pngs");
  }
};

TEST_F(Command, HasAHelpPageWithUsageAndExampleForEveryVerb) {
  for (const std::string& verb : command_verbs()) {
    const Result result = bellows(verb + " --help");
    EXPECT_EQ(result.code, 0) << verb;
    EXPECT_EQ(result.err, "") << verb;
    EXPECT_THAT(result.out, HasSubstr("Usage:\n  bellows " + verb));
    EXPECT_THAT(result.out, HasSubstr("Example:\n  bellows " + verb));
    EXPECT_THAT(result.out, HasSubstr("--json"));
  }
}

TEST_F(Command, ListsItsVerbsAndTellsItsVersion) {
  const Result help = bellows("--help");
  EXPECT_EQ(help.code, 0);
  for (const std::string& verb : command_verbs()) EXPECT_THAT(help.out, HasSubstr("  " + verb));
  EXPECT_THAT(bellows("data --help").out, HasSubstr("data verify"));
  EXPECT_THAT(bellows("data --help").out, Not(HasSubstr("  train")));
  EXPECT_TRUE(bellows("--version").out.starts_with("bellows "));
}

TEST_F(Command, RefusesUnknownVerbsAndOptionsWithTheNearestName) {
  expect_refused(bellows(""), 2, {"missing verb"});
  expect_refused(bellows("tarin x"), 2, {"'tarin'", "'train'"});
  expect_refused(bellows("data"), 2, {"missing verb behind 'data'"});
  expect_refused(bellows("data lst"), 2, {"'lst'", "'list'", "bellows data --help"});
  for (const std::string& verb : command_verbs()) {
    expect_refused(bellows(verb + " a b --jsno"), 2, {"bellows " + verb, "'--jsno'", "--json"});
  }
}

TEST_F(Command, FailsWhenItsOutputCannotBeWritten) {
  std::ostringstream out, err;
  out.setstate(std::ios::badbit);
  EXPECT_EQ(run_command({"--version"}, out, err), 1);
  EXPECT_THAT(err.str(), HasSubstr("output could not be written"));
}

// Has no room for anything.
class FullBuffer : public std::streambuf {
 protected:
  std::streamsize xsputn(const char*, std::streamsize) override { throw std::bad_alloc(); }
  int overflow(int) override { throw std::bad_alloc(); }
};

TEST_F(Command, SaysForWhatTheMemoryWasNotEnough) {
  FullBuffer buffer;
  std::ostream out(&buffer);
  out.exceptions(std::ios::badbit);
  std::ostringstream err;
  const std::string run = config(digits());
  EXPECT_EQ(run_command({"inspect", run}, out, err), 1);
  EXPECT_THAT(err.str(), HasSubstr("not enough memory for '" + run + "'"));
}

TEST_F(Command, TrainPrintsALineAnEpochAndATableOfWidths) {
  const Result result = bellows("train " + config(digits()) + " --out " + path("run"));
  EXPECT_EQ(result.code, 0) << result.err;
  EXPECT_EQ(result.err, "");
  EXPECT_THAT(result.out, Not(HasSubstr("\x1b")));
  EXPECT_THAT(result.out, Not(HasSubstr("\r")));
  for (const char* group : {"group 1/2", "group 2/2"}) {
    for (const char* epoch : {", epoch 1/2: ", ", epoch 2/2: "}) {
      EXPECT_THAT(result.out, HasSubstr(std::string(group) + epoch));
    }
  }
  EXPECT_THAT(result.out, HasSubstr("80 training, 20 validation, 40 test images"));
  EXPECT_THAT(result.out, HasSubstr("width  validation"));
  EXPECT_THAT(result.out, HasSubstr("The model is " + path("run/model.safetensors")));
}

TEST_F(Command, TrainTellsMachinesTheSameInJsonLines) {
  const Result result =
      bellows("train " + config(digits()) + " --out " + path("run") + " --json --epochs 1,2");
  EXPECT_EQ(result.code, 0) << result.err;
  const std::vector<Json> lines = json_lines(result.out);
  std::map<std::string, int> events;
  for (const Json& line : lines) ++events[line.at("event").get<std::string>()];
  EXPECT_EQ(events["data"], 1);
  EXPECT_EQ(events["begin"], 2);
  EXPECT_EQ(events["epoch"], 3);
  EXPECT_EQ(events["group"], 2);
  const Json& last = lines.back();
  EXPECT_EQ(last.at("event"), "finished");
  ASSERT_EQ(last.at("widths").size(), 2U);
  EXPECT_EQ(last.at("widths")[1].at("width"), 2);
  EXPECT_GE(last.at("widths")[1].at("test_accuracy"), 0.0);
  // conv1: 12 channels of 5 x 5 and a bias; head: 10 classes over 12 maps of 8 x 8 and a bias.
  EXPECT_EQ(last.at("widths")[0].at("parameters"), 12 * 25 + 12 + 10 * 12 * 64 + 10);
  EXPECT_EQ(last.at("widths")[0].at("macs"), 12 * 25 * 64 + 10 * 12 * 64);
}

TEST_F(Command, TrainNamesWhatIsWrongWithItsArguments) {
  const std::string run = config(digits());
  expect_refused(bellows("train " + run + " --out="), 2, {"bellows train", "--out"});
  expect_refused(bellows("train " + run + " --out x --resume --overwrite"), 2, {"--resume"});
  expect_refused(bellows("train " + run + " --out x --epochs 1,2,3"), 2, {"training.epochs"});
  expect_refused(bellows("train " + run + " --out x --threads 0"), 2, {"--threads", "'0'"});
  expect_refused(bellows("train " + run + " --out x --data y"), 2, {"--data"});
  expect_refused(bellows("train " + path("none.toml") + " --out x"), 1, {path("none.toml")});
  const std::string other = config("format = \"mnist\"\n", 2, "other.toml");
  expect_refused(bellows("train " + other + " --out x"), 2, {other, "--data DIR"});
  expect_refused(bellows("train " + other + " --data " + path("none") + " --out x"), 1,
                 {path("none")});
  const std::string odd = config(digits(), 2, "odd.toml", "colour = 3\n");
  expect_refused(bellows("train " + odd + " --out x"), 1, {odd, "colour"});
  expect_refused(bellows("train " + run + " --batch-size 81 --out x"), 1,
                 {run + ": key 'training.batch_size' is 81"});
  const std::string few = config(
      "format = \"digits\"\n[data.digits]\ntrain_images = 2\ntest_images = 1\n", 2, "few.toml");
  expect_refused(bellows("train " + few + " --out x"), 1, {"'data.validation'", "2 images"});
}

TEST_F(Command, TrainLeavesNoFolderBehindWhenItIsRefused) {
  const std::string refused = "train " + config(digits()) + " --out " + path("deep/run");
  expect_refused(bellows(refused + " --extend " + path("none")), 1, {path("none")});
  expect_refused(bellows(refused + " --batch-size 1000"), 1, {"batch_size"});
  EXPECT_FALSE(std::filesystem::exists(path("deep")));
}

// The command on a terminal of 100 columns: what it shows until it ends.
std::string shown_on_a_terminal(std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), BELLOWS_COMMAND);
  std::vector<char*> pointers;
  pointers.reserve(arguments.size() + 1);
  for (std::string& argument : arguments) pointers.push_back(argument.data());
  pointers.push_back(nullptr);
  int terminal = -1;
  const winsize size{.ws_row = 24, .ws_col = 100, .ws_xpixel = 0, .ws_ypixel = 0};
  const pid_t child = ::forkpty(&terminal, nullptr, nullptr, &size);
  EXPECT_GE(child, 0);
  if (child == 0) {
    ::alarm(60);
    ::execv(BELLOWS_COMMAND, pointers.data());
    ::_exit(127);
  }
  std::string shown;
  std::array<char, 256> part{};
  for (ssize_t got = 0; (got = ::read(terminal, part.data(), part.size())) > 0;) {
    shown.append(part.data(), static_cast<std::size_t>(got));
  }
  ::close(terminal);
  int status = -1;
  EXPECT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0) << shown;
  return shown;
}

TEST_F(Command, TrainShowsABarRateLossAccuracyAndTimeLeftOnATerminal) {
  const std::string shown =
      shown_on_a_terminal({"train", config(digits()), "--out", path("run"), "--epochs", "100"});
  const std::regex line(
      "group [12]/2 epoch [0-9]+/100 \\[=*> *\\] loss [0-9.]+, [0-9.]+ %, [0-9,]+ img/s, "
      "[0-9:]+ left");
  EXPECT_TRUE(std::regex_search(shown, line)) << shown;
}

TEST_F(Command, TrainDoesNotTouchAFolderThatHoldsARunUnlessToldTo) {
  const Bytes before = read_file(trained());
  const std::string again = "train " + path("run.toml") + " --seed 5 --out " + path("run");
  Result refused = bellows(again);
  EXPECT_EQ(refused.code, 1);
  EXPECT_THAT(refused.err, HasSubstr(path("run")));
  EXPECT_EQ(read_file(path("run/model.safetensors")), before);
  EXPECT_EQ(bellows(again + " --overwrite").code, 0);
  EXPECT_NE(read_file(path("run/model.safetensors")), before);
}

// Sends Ctrl-C as soon as `trigger` has been printed.
class InterruptingBuffer : public std::stringbuf {
 public:
  explicit InterruptingBuffer(std::string trigger) : trigger_(std::move(trigger)) {}

 protected:
  int sync() override {
    if (!sent_ && str().find(trigger_) != std::string::npos) {
      sent_ = true;
      std::raise(SIGINT);
    }
    return std::stringbuf::sync();
  }

 private:
  std::string trigger_;
  bool sent_ = false;
};

TEST_F(Command, TrainSavesItsCheckpointAlsoWhenNobodyReadsItsOutputAnyMore) {
  const std::string run = config(digits());
  const std::string out = path("run");
  std::array<int, 2> ends{};
  ASSERT_EQ(::pipe(ends.data()), 0);
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    ::dup2(ends[1], STDOUT_FILENO);
    ::dup2(ends[1], STDERR_FILENO);
    ::close(ends[0]);
    ::close(ends[1]);
    for (const int number : {SIGINT, SIGPIPE}) std::signal(number, SIG_DFL);
    ::alarm(60);
    ::execl(BELLOWS_COMMAND, BELLOWS_COMMAND, "train", run.c_str(), "--out", out.c_str(),
            "--epochs", "100000", nullptr);
    ::_exit(127);
  }
  ::close(ends[1]);
  std::string read;
  std::array<char, 256> part{};
  while (read.find("epoch 1/100000") == std::string::npos) {
    const ssize_t got = ::read(ends[0], part.data(), part.size());
    if (got <= 0) break;
    read.append(part.data(), static_cast<std::size_t>(got));
  }
  ::close(ends[0]);
  ::kill(child, SIGINT);
  int status = -1;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFEXITED(status)) << "signal " << WTERMSIG(status) << " after: " << read;
  EXPECT_EQ(WEXITSTATUS(status), 1) << read;
  EXPECT_GT(load_checkpoint(out + "/checkpoint").state.updates, 0);
}

// Works in another folder while it lives.
class WorkingFolder {
 public:
  explicit WorkingFolder(const std::filesystem::path& folder) {
    std::filesystem::current_path(folder);
  }
  ~WorkingFolder() { std::filesystem::current_path(before_); }
  WorkingFolder(const WorkingFolder&) = delete;
  WorkingFolder& operator=(const WorkingFolder&) = delete;

 private:
  std::filesystem::path before_ = std::filesystem::current_path();
};

TEST_F(Command, TrainWritesToRunsAndTheConfiguredNameUnlessToldWhere) {
  const std::string run = config(digits());
  const WorkingFolder here(folder_);
  const Result result = bellows("train " + run);
  EXPECT_EQ(result.code, 0) << result.err;
  EXPECT_THAT(result.out, HasSubstr("The model is runs/tiny/model.safetensors"));
  EXPECT_TRUE(std::filesystem::exists(path("runs/tiny/model.safetensors")));
  expect_refused(bellows("train " + run), 1, {"runs/tiny", "--overwrite"});
}

TEST_F(Command, TrainSaysBeforeItsWorkThatItMayNotWriteWhereItShould) {
  const Result result = bellows("train " + config(digits()) + " --out /sys/bellows");
  expect_refused(result, 1, {"/sys/bellows"});
  EXPECT_THAT(result.out, Not(HasSubstr("epoch")));
}

TEST_F(Command, TrainResumesNothingWhereNoRunHasBegun) {
  expect_refused(bellows("train " + config(digits()) + " --out " + path("mistyped") + " --resume"),
                 1, {path("mistyped"), "no run to resume"});
}

TEST_F(Command, TrainSaysWhenThereAreNoTestImages) {
  const std::string images = png_folder();
  const std::string command = "train " + config("") + " --data " + images + " --out ";
  const Result text = bellows(command + path("run"));
  EXPECT_EQ(text.code, 0) << text.err;
  EXPECT_THAT(text.out, HasSubstr("\nno test images: " + images));
  const Result json = bellows(command + path("json") + " --json");
  EXPECT_THAT(json_lines(json.out).at(0).at("without_test").get<std::string>(), HasSubstr(images));
}

// Interrupts the training of group 2; returns the command that is to go on.
std::string stopped(const std::vector<std::string>& arguments) {
  std::signal(SIGINT, SIG_DFL);
  InterruptingBuffer buffer("group 2/2, epoch 1/2");
  std::ostream out(&buffer);
  std::ostringstream err;
  EXPECT_EQ(run_command(arguments, out, err, "my/bellows"), 1);
  EXPECT_THAT(err.str(), HasSubstr("checkpoint is saved"));
  return lines_of(buffer.str()).back();
}

TEST_F(Command, TrainToldToEndItsOptionsResumesAllTheSame) {
  const std::string command = stopped({"train", "--out", path("stopped"), "--", config(digits())});
  EXPECT_EQ(command,
            "  my/bellows train --out " + path("stopped") + " --resume -- " + path("run.toml"));
  EXPECT_EQ(bellows(command.substr(command.find("train"))).code, 0);
}

TEST_F(Command, TrainStoppedByCtrlCTellsHowToGoOnAndEndsWithTheSameModel) {
  const Bytes whole = read_file(trained());
  const std::string command =
      stopped({"train", path("run.toml"), "--overwrite", "--out", path("stopped")});
  EXPECT_EQ(command,
            "  my/bellows train " + path("run.toml") + " --out " + path("stopped") + " --resume");
  const Result resumed = bellows(command.substr(command.find("train")));
  EXPECT_EQ(resumed.code, 0) << resumed.err;
  EXPECT_THAT(resumed.out, HasSubstr("resumed: group 2/2"));
  EXPECT_EQ(read_file(path("stopped/model.safetensors")), whole);
}

TEST_F(Command, TrainExtendsAModelAndInspectShowsItsFirstGroupUnchanged) {
  const std::string narrow = config(digits(), 1, "narrow.toml");
  ASSERT_EQ(bellows("train " + narrow + " --out " + path("narrow")).code, 0);
  const std::string base = path("narrow/model.safetensors");
  const Result result =
      bellows("train " + config(digits()) + " --extend " + base + " --out " + path("wide"));
  ASSERT_EQ(result.code, 0) << result.err;
  const auto groups_of = [](const std::string& model) {
    return Json::parse(bellows("inspect " + model + " --json").out).at("group_files");
  };
  const Json groups = groups_of(path("wide/model.safetensors"));
  ASSERT_EQ(groups.size(), 2U);
  EXPECT_EQ(groups[0], groups_of(base)[0]);
}

TEST_F(Command, EvaluateMeasuresEveryWidthOnDrawnDigitsWithoutAFolder) {
  const std::string model = trained();
  const Result text = bellows("evaluate " + model + " --threads 1 --confusion --check");
  EXPECT_EQ(text.code, 0) << text.err;
  for (const char* part :
       {"accuracy", "loss", "parameters", "MACs", "weights", "latency",
        "one image, one thread; median", "Width 2:", "right class", "conv1 + relu1"}) {
    EXPECT_THAT(text.out, HasSubstr(part));
  }
  const Result result =
      bellows("evaluate " + model + " --threads 1 --widths 2 --confusion --check --json");
  EXPECT_EQ(result.code, 0) << result.err;
  const Json json = Json::parse(result.out);
  ASSERT_EQ(json.at("widths").size(), 1U);
  const Json& width = json.at("widths")[0];
  EXPECT_EQ(width.at("width"), 2);
  EXPECT_GT(width.at("latency_us"), 0.0);
  std::int64_t right = 0;
  std::int64_t all = 0;
  for (std::size_t truth = 0; truth < 10; ++truth) {
    const auto row = width.at("confusion")[truth].get<std::vector<std::int64_t>>();
    all += std::accumulate(row.begin(), row.end(), std::int64_t{0});
    right += row[truth];
  }
  EXPECT_EQ(all, json.at("images").get<std::int64_t>());
  EXPECT_NEAR(width.at("accuracy").get<double>(),
              static_cast<double>(right) / static_cast<double>(all), 1e-12);
  EXPECT_TRUE(json.at("check").at("passed").get<bool>());
}

TEST_F(Command, EvaluateMeasuresNoLatencyWhenItNeedNot) {
  const Json json =
      Json::parse(bellows("evaluate " + trained() + " --threads 1 --no-latency --json").out);
  EXPECT_FALSE(json.contains("latency"));
  EXPECT_FALSE(json.at("widths")[0].contains("latency_us"));
}

TEST_F(Command, EvaluateTakesTheHeldOutImagesWhereThereAreNoTestImagesAndSaysSo) {
  const std::string images = png_folder();
  ASSERT_EQ(bellows("train " + config("") + " --data " + images + " --out " + path("run")).code, 0);
  const std::string model = path("run/model.safetensors");
  const Result result = bellows("evaluate " + model + " --no-latency --data " + images);
  EXPECT_EQ(result.code, 0) << result.err;
  EXPECT_THAT(result.out, HasSubstr("held out"));
  EXPECT_THAT(result.out, HasSubstr("because there are no test images"));
  expect_refused(bellows("evaluate " + model), 2, {"--data DIR"});
}

TEST_F(Command, EvaluateTakesAllImagesOfAFolderThatTheModelWasNotTrainedOn) {
  const std::string seen = png_folder();
  const std::string fresh = path("fresh");
  std::filesystem::copy(seen, fresh, std::filesystem::copy_options::recursive);
  const std::filesystem::path extra = *std::filesystem::directory_iterator(fresh);
  std::filesystem::copy_file(*std::filesystem::directory_iterator(extra), extra / "one_more.png");
  ASSERT_EQ(bellows("train " + config("") + " --data " + seen + " --out " + path("run")).code, 0);
  const auto images_of = [&](const std::string& folder) {
    const Result result = bellows("evaluate " + path("run/model.safetensors") +
                                  " --no-latency --json --data " + folder);
    EXPECT_EQ(result.code, 0) << result.err;
    return Json::parse(result.out).at("images").get<int>();
  };
  const int all = static_cast<int>(
      std::ranges::count_if(std::filesystem::recursive_directory_iterator(fresh),
                            [](const auto& entry) { return entry.path().extension() == ".png"; }));
  EXPECT_EQ(images_of(fresh), all);
  EXPECT_LT(images_of(seen), all / 2);
  // Too few to be held out as the model's own were.
  digit_png(0, "few/class0/0.png");
  digit_png(1, "few/class1/1.PNG");
  EXPECT_EQ(images_of(path("few")), 2);
}

TEST_F(Command, EvaluateNamesWhatIsWrongWithItsArguments) {
  const std::string model = trained();
  expect_refused(bellows("evaluate"), 2, {"MODEL"});
  expect_refused(bellows("evaluate " + path("none")), 1, {path("none")});
  expect_refused(bellows("evaluate " + path("run.toml")), 1, {path("run.toml")});
  expect_refused(bellows("evaluate " + model + " --widths 3"), 2, {"--widths", "1 to 2", "3"});
  expect_refused(bellows("evaluate " + model + " --split tests"), 2, {"'tests'", "validation"});
  expect_refused(bellows("evaluate " + model + " --format mnits"), 2, {"mnits", "fashion-mnist"});
  expect_refused(bellows("evaluate " + model + " --data " + path("none")), 1, {path("none")});
}

TEST_F(Command, EvaluateRefusesADataSetWithoutImagesByName) {
  write_idx_images(path("t10k-images-idx3-ubyte"), 0, 28, 28, {});
  write_idx_labels(path("t10k-labels-idx1-ubyte"), {});
  expect_refused(bellows("evaluate " + trained() + " --format mnist --data " + path("")), 1,
                 {path("t10k-")});
}

TEST_F(Command, EvaluateSaysOnlyOnceThatThereAreTooManyClasses) {
  for (int i = 0; i < 22; ++i) {
    digit_png(i, "pngs/class" + std::to_string(i % 11) + "/" + std::to_string(i) + ".png");
  }
  expect_refused(bellows("evaluate " + trained() + " --split train --data " + path("pngs")), 1,
                 {"11 classes"});
}

TEST_F(Command, InferRefinesUntilItIsSureEnough) {
  const std::string command = "infer " + trained() + " " + digit_png(7, "seven.png");
  const Result all = bellows(command);
  EXPECT_EQ(all.code, 0) << all.err;
  EXPECT_THAT(all.out, HasSubstr(path("seven.png") + "\n  width 1: "));
  EXPECT_THAT(all.out, HasSubstr("  width 2: "));
  EXPECT_THAT(bellows(command + " --threshold 0").out, Not(HasSubstr("width 2")));
  EXPECT_THAT(bellows(command + " --threshold 1").out, HasSubstr("width 2"));
  EXPECT_THAT(bellows(command + " --width 1").out, Not(HasSubstr("width 2")));
  expect_refused(bellows(command + " --width 3"), 2, {"--width", "3"});
  expect_refused(bellows(command + " --threshold 2"), 2, {"--threshold", "'2'"});
  EXPECT_EQ(bellows(command + " --top 10").code, 0);
  expect_refused(bellows(command + " --top 11"), 2, {"--top", "10 classes", "11"});
}

TEST_F(Command, InferLooksAtNoFurtherImageWhenNobodyReads) {
  const std::string model = trained();
  std::ostringstream out, err;
  out.setstate(std::ios::badbit);
  const auto arguments = {"infer"s, model, digit_png(7, "seven.png"), path("none.png")};
  EXPECT_EQ(run_command(arguments, out, err), 1);
  EXPECT_THAT(err.str(), HasSubstr("output could not be written"));
}

TEST_F(Command, InferReadsFoldersAndIdxFilesAlike) {
  const std::string model = trained();
  const Dataset images = make_digits({.train_images = 60, .test_images = 1, .threads = 1}, 0);
  std::vector<std::uint8_t> pixels;
  for (std::size_t i = 0; i < 3; ++i) {
    digit_png(static_cast<int>(i), "pngs/" + std::to_string(i) + ".png");
    const auto image = images.image(i);
    pixels.insert(pixels.end(), image.begin(), image.end());
  }
  write_idx_images(path("images.idx"), 3, 28, 28, pixels);
  const auto from_folder =
      json_lines(bellows("infer " + model + " " + path("pngs") + " --top 3 --json").out);
  const auto from_idx =
      json_lines(bellows("infer " + model + " " + path("images.idx") + " --top 3 --json").out);
  ASSERT_EQ(from_folder.size(), 3U);
  ASSERT_EQ(from_idx.size(), 3U);
  for (std::size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(from_folder[i].at("widths"), from_idx[i].at("widths"));
    EXPECT_EQ(from_idx[i].at("image"), path("images.idx") + "[" + std::to_string(i) + "]");
    const Json& answers = from_idx[i].at("widths")[1].at("answers");
    ASSERT_EQ(answers.size(), 3U);
    EXPECT_GE(answers[0].at("probability"), answers[1].at("probability"));
    EXPECT_GE(answers[1].at("probability"), answers[2].at("probability"));
  }
}

TEST_F(Command, InferTakesColourForAModelOfGreyImages) {
  const std::string model = trained();
  const std::string grey = digit_png(3, "grey.png");
  const PngImage colour = read_png(grey, 3);
  write_png(path("colour.png"), colour.shape, colour.pixels);
  const auto lines =
      json_lines(bellows("infer " + model + " " + grey + " " + path("colour.png") + " --json").out);
  ASSERT_EQ(lines.size(), 2U);
  EXPECT_EQ(lines[0].at("widths"), lines[1].at("widths"));
}

TEST_F(Command, InferNamesTheImageThatDoesNotFit) {
  const std::string model = trained();
  write_png(path("small.png"), {1, 5, 6}, std::vector<std::uint8_t>(30));
  expect_refused(bellows("infer " + model + " " + path("small.png")), 1,
                 {path("small.png"), "5x6", "28x28"});
  std::filesystem::create_directories(path("empty"));
  expect_refused(bellows("infer " + model + " " + path("empty")), 1, {path("empty"), "PNG"});
  expect_refused(bellows("infer " + model + " " + path("none.png")), 1, {path("none.png")});
  expect_refused(bellows("infer " + model + " " + path("run.toml")), 1, {path("run.toml")});
  expect_refused(bellows("infer " + model), 2, {"IMAGE"});
}

TEST_F(Command, InspectShowsAModelsWidthsHashesAndLayers) {
  const std::string model = trained();
  const Result text = bellows("inspect " + model + " --layers");
  EXPECT_EQ(text.code, 0) << text.err;
  const Json json = Json::parse(bellows("inspect " + model + " --layers --json").out);
  EXPECT_EQ(json.at("provenance").at("data_set"), "drawn digits");
  ASSERT_EQ(json.at("group_files").size(), 2U);
  for (const Json& group : json.at("group_files")) {
    EXPECT_THAT(text.out, HasSubstr(group.at("sha256").get<std::string>()));
  }
  std::int64_t macs = 0;
  std::int64_t parameters = 0;
  for (const Json& layer : json.at("layers")) {
    EXPECT_THAT(text.out, HasSubstr(layer.at("name").get<std::string>()));
    macs += layer.at("macs_by_width")[1].get<std::int64_t>();
    parameters += layer.at("parameters_by_width")[1].get<std::int64_t>();
  }
  const Json& widest = json.at("widths")[1];
  EXPECT_EQ(widest.at("macs"), macs);
  EXPECT_EQ(widest.at("parameters"), parameters);
  EXPECT_EQ(widest.at("weight_bytes"), 4 * parameters);
  if (json.at("channel_block") == 1) {
    EXPECT_EQ(widest.at("padded_macs").get<std::int64_t>(), macs);
  } else {
    EXPECT_GT(widest.at("padded_macs").get<std::int64_t>(), macs);
  }
  EXPECT_GE(json.at("packed_bytes").get<std::int64_t>(), 4 * parameters);
  EXPECT_FALSE(json.at("implementations").empty());
}

TEST_F(Command, InspectShowsAConfigurationAtTheCostOfItsModel) {
  const Json model = Json::parse(bellows("inspect " + trained() + " --json").out);
  const Result text = bellows("inspect " + path("run.toml"));
  EXPECT_EQ(text.code, 0) << text.err;
  EXPECT_THAT(text.out, HasSubstr("not trained"));
  const Json config = Json::parse(bellows("inspect " + path("run.toml") + " --json").out);
  for (const char* key : {"parameters", "macs", "padded_macs", "weight_bytes"}) {
    EXPECT_EQ(config.at("widths")[1].at(key), model.at("widths")[1].at(key)) << key;
  }
}

TEST_F(Command, InspectCountsALargeConfigurationFromItsShapesAlone) {
  const std::string text =
      "name = \"large\"\n[network]\ninput = [1, 28, 28]\nclasses = 10\ngroups = 1\nlayers = [\n"
      "{ kind = \"conv\", name = \"conv1\", channels = [100000], kernel = 1, bias = false },\n"
      "{ kind = \"conv\", name = \"conv2\", channels = [20000], kernel = 1, bias = false },\n"
      "{ kind = \"head\", name = \"head\" },\n]\n";
  const std::string large = write_file(folder_ / "large.toml", bytes_of(text));
  const Result result = bellows("inspect " + large + " --layers --json");
  EXPECT_EQ(result.code, 0) << result.err;
  const Json json = Json::parse(result.out);
  const std::int64_t head = std::int64_t{10} * 20000 * 28 * 28 + 10;
  EXPECT_EQ(json.at("widths")[0].at("parameters"), 100000 + std::int64_t{100000} * 20000 + head);
  EXPECT_FALSE(json.at("built").get<bool>());
  for (const char* key : {"packed_bytes", "reference_steps", "implementations"}) {
    EXPECT_FALSE(json.contains(key)) << key;
  }
  EXPECT_THAT(bellows("inspect " + large + " --layers").out, HasSubstr("was not built"));
}

TEST_F(Command, InspectShowsWhatAnImageMovesAndTakesOnADevice) {
  const std::string model = trained();
  const Result text = bellows("inspect " + model + " --layers --device generic-45nm");
  EXPECT_EQ(text.code, 0) << text.err;
  EXPECT_THAT(text.out, AllOf(HasSubstr("modelled: operations (generic-45nm)"),
                              HasSubstr("activations fit in"), HasSubstr("conv1+relu1")));
  const Json json =
      Json::parse(bellows("inspect " + model + " --layers --json --device generic-45nm").out);
  for (int width = 1; width <= 2; ++width) {
    std::int64_t macs = 0;
    std::int64_t written = 0;
    for (const Json& step : json.at("steps")) {
      for (int group = 0; group < width; ++group) {
        const Json& counts = step.at("by_group")[static_cast<std::size_t>(group)];
        macs += counts.at("macs").get<std::int64_t>();
        written += counts.at("written_bytes").get<std::int64_t>();
      }
    }
    const auto index = static_cast<std::size_t>(width - 1);
    const Json& shown = json.at("widths")[index];
    EXPECT_EQ(shown.at("macs").get<std::int64_t>(), macs);
    EXPECT_EQ(shown.at("operations").at("macs").get<std::int64_t>(), macs);
    EXPECT_EQ(shown.at("operations").at("written_bytes").get<std::int64_t>(), written);
    const Json& energy = json.at("device").at("energy_by_width")[index];
    EXPECT_DOUBLE_EQ(energy.at("mac_uj").get<double>(), 4.6e-6 * static_cast<double>(macs));
    EXPECT_GT(energy.at("energy_uj").get<double>(), energy.at("mac_uj").get<double>());
  }
  expect_refused(bellows("inspect " + model + " --device toaster"), 1, {"toaster", "server-cpu"});
  expect_refused(bellows("inspect " + model + " --device " + path("none.toml")), 1, {"none.toml"});
}

TEST_F(Command, InspectRefusesADamagedModelByName) {
  Bytes bytes = read_file(trained());
  bytes.back() ^= 1U;
  const std::string damaged = write_file(folder_ / "damaged.safetensors", bytes);
  expect_refused(bellows("inspect " + damaged), 1, {damaged});
}

TEST_F(Command, TrimDiffAndApplyGiveTheModelAgain) {
  const std::string wide = trained();
  const std::string narrow = path("narrow");
  const std::string growth = path("growth");
  const Result trim = bellows("trim " + wide + " --width 1 --out " + narrow);
  EXPECT_EQ(trim.code, 0) << trim.err;
  EXPECT_THAT(trim.out, HasSubstr(narrow + ": has 1 group; "));
  const Bytes before = read_file(narrow);
  const Result diff = bellows("diff " + wide + " --base " + narrow + " --out " + growth);
  EXPECT_EQ(diff.code, 0) << diff.err;
  EXPECT_THAT(diff.out, HasSubstr(growth + ": adds 1 group to a model of 1; "));
  const Result apart = bellows("apply " + growth + " " + narrow + " --out " + path("grown"));
  EXPECT_EQ(apart.code, 0) << apart.err;
  EXPECT_TRUE(read_file(path("grown")) == read_file(wide));
  EXPECT_TRUE(read_file(narrow) == before);
  const Result apply = bellows("apply " + growth + " " + narrow);
  EXPECT_EQ(apply.code, 0) << apply.err;
  EXPECT_THAT(apply.out, HasSubstr(narrow + ": now has 2 groups, 1 of them new; "));
  EXPECT_TRUE(read_file(narrow) == read_file(wide));
  expect_refused(bellows("apply " + growth + " " + narrow), 1, {narrow, "already has group 2"});
}

TEST_F(Command, DiffApplyAndTrimNameWhatIsWrongWithTheirArguments) {
  const std::string wide = trained();
  ASSERT_EQ(bellows("trim " + wide + " --width 1 --out " + path("narrow")).code, 0);
  ASSERT_EQ(bellows("diff " + wide + " --base " + path("narrow") + " --out " + path("growth")).code,
            0);
  expect_refused(bellows("diff " + wide), 2, {"--base DEPLOYED"});
  expect_refused(bellows("diff " + wide + " --base x"), 2, {"--out GROWTH"});
  expect_refused(bellows("diff --base x --out y"), 2, {"WIDE"});
  expect_refused(bellows("apply " + path("growth")), 2, {"GROWTH", "MODEL"});
  expect_refused(bellows("apply " + path("growth") + " x --out="), 2, {"--out"});
  expect_refused(bellows("trim " + wide + " --out x"), 2, {"--width K"});
  expect_refused(bellows("trim " + wide + " --width 1"), 2, {"--out FILE"});
  expect_refused(bellows("trim " + wide + " --width 0 --out x"), 2, {"--width", "'0'"});
  expect_refused(bellows("trim " + wide + " --width 2 --out x"), 2,
                 {"--width", "has 2 groups", "cannot be trimmed to 2"});
  expect_refused(bellows("apply " + path("narrow") + " " + path("growth")), 1,
                 {path("narrow"), "is a model, not a growth file"});
  expect_refused(bellows("inspect " + path("growth")), 1,
                 {path("growth"), "is a growth file", "bellows apply"});
  expect_refused(bellows("diff " + path("none") + " --base " + wide + " --out " + path("x")), 1,
                 {path("none")});
}

TEST_F(Command, ReportMakesOnePageOfWhatTrainingLeaves) {
  trained();
  const std::string page = path("a report.html");
  std::ostringstream out, err;
  ASSERT_EQ(run_command({"report", path("run"), "--out", page, "--title", "Of a <run>"}, out, err),
            0)
      << err.str();
  EXPECT_THAT(out.str(), HasSubstr("a report.html: 0 profiles, 1 model, 1 log of training, "));
  const std::string text = text_of(page);
  EXPECT_THAT(text, HasSubstr("<h1>Of a &lt;run&gt;</h1>"));
  // Two steps of two epochs, a title and a loss for each width at the end.
  EXPECT_THAT(text, HasSubstr("\"group 2, epoch 2\""));
  EXPECT_THAT(text, HasSubstr("Training of run"));
  EXPECT_THAT(text, HasSubstr("bellows report "));
}

TEST_F(Command, ReportKeepsAnOlderPageWhenItIsRefused) {
  const std::string page = write_file(path("report.html"), bytes_of("old"));
  const std::string log = write_file(path("log.jsonl"), bytes_of(training_log()));
  const std::string damaged =
      write_file(path("damaged.jsonl"), bytes_of("{\"event\":\"begin\"}\n{\n"));
  const std::string to_page = " --out " + page;
  expect_refused(bellows("report" + to_page), 2, {"PATH"});
  expect_refused(bellows("report " + log), 2, {"--out"});
  expect_refused(bellows("report " + log + " --out " + log), 2, {"--out", log});
  expect_refused(bellows("report " + log + to_page + " --picture a.jpg"), 2, {"a.jpg", "PNG"});
  expect_refused(bellows("report " + path("none") + to_page), 1, {path("none")});
  expect_refused(bellows("report " + damaged + to_page), 1, {"damaged.jsonl:1", "is missing"});
  expect_refused(bellows("report " + log + " --out " + path("no/where.html")), 1, {"no"});
  EXPECT_EQ(text_of(page), "old");
  EXPECT_EQ(text_of(log), training_log());
}

TEST_F(Command, ReportDrawsItsFirstChartsAsAPicture) {
  BELLOWS_SKIP_WITHOUT_BROWSER();
  const std::string log = write_file(path("log.jsonl"), bytes_of(training_log()));
  const Result result = bellows("report " + log + " --out " + path("report.html") + " --picture " +
                                path("widths.png"));
  ASSERT_EQ(result.code, 0) << result.err;
  const PngImage image = read_png(path("widths.png"), 3);
  EXPECT_EQ(image.shape.width, 2400);
  EXPECT_EQ(image.shape.height, 800);
  EXPECT_GT(std::set(image.pixels.begin(), image.pixels.end()).size(), 50U);
}

TEST_F(Command, DataListKnowsEveryFormatAndFindsWhatIsThere) {
  const std::string images = png_folder();
  const Json json = Json::parse(bellows("data list " + path("") + " --json").out);
  EXPECT_EQ(json.at("formats").size(), all_dataset_formats().size());
  const Result text = bellows("data list " + images);
  EXPECT_EQ(text.code, 0) << text.err;
  for (const DatasetFormat format : all_dataset_formats()) {
    EXPECT_THAT(text.out, HasSubstr(format_name(format)));
  }
  EXPECT_THAT(text.out, HasSubstr(images));
  expect_refused(bellows("data list " + path("none")), 1, {path("none")});
}

TEST_F(Command, DataVerifyFailsForFilesThatAreNotAsPublished) {
  const std::vector<std::uint8_t> pixels(28 * 28);
  write_idx_images(path("train-images-idx3-ubyte"), 1, 28, 28, pixels);
  write_idx_labels(path("train-labels-idx1-ubyte"), std::vector<std::int32_t>{3});
  const Result result = bellows("data verify " + path("") + " --format mnist --json");
  EXPECT_EQ(result.code, 1);
  const Json json = Json::parse(result.out);
  EXPECT_FALSE(json.at("as_published").get<bool>());
  EXPECT_FALSE(json.at("findings").empty());
  EXPECT_THAT(result.err, HasSubstr("not as published"));
}

TEST_F(Command, DataSheetDrawsOneRowForEachClass) {
  const Result result =
      bellows("data sheet --out " + path("sheet.png") + " --per-class 3 --scale 1");
  EXPECT_EQ(result.code, 0) << result.err;
  const PngImage sheet = read_png(path("sheet.png"));
  EXPECT_GE(sheet.shape.height, 10 * 28);
  EXPECT_GE(sheet.shape.width, 3 * 28);
  EXPECT_LT(sheet.shape.width, 5 * 28);
  const Result json = bellows("data sheet --json --per-class 1 --out " + path("json.png"));
  EXPECT_EQ(json.code, 0) << json.err;
  EXPECT_EQ(Json::parse(json.out).at("sheet"), path("json.png"));
  expect_refused(bellows("data sheet --scale 0 --out x.png"), 2, {"--scale", "1 to 16"});
  expect_refused(bellows("data sheet"), 2, {"--out FILE.png"});
  expect_refused(bellows("data sheet --format mnist --out x.png"), 2, {"DIR"});
  expect_refused(bellows("data sheet --out " + path("none/sheet.png")), 1,
                 {path("none/sheet.png")});
}

TEST_F(Command, DataDownloadFetchesWhatIsMissingAndSaysWhat) {
  const auto root = real_data();
  if (!root) BELLOWS_SKIP_WITHOUT_DATA();
  ::setenv("no_proxy", "127.0.0.1", 1);
  std::map<std::string, Bytes> files;
  for (const auto& entry : std::filesystem::directory_iterator(*root / "mnist")) {
    files[entry.path().filename()] = read_file(entry.path());
  }
  const WebServer server(files);
  const std::string command = "data download mnist " + path("mnist") + " --from " + server.url();
  const Result first = bellows(command);
  EXPECT_EQ(first.code, 0) << first.err;
  EXPECT_THAT(first.out, HasSubstr("fetched t10k-images-idx3-ubyte.gz\n"));
  EXPECT_THAT(first.out, HasSubstr("all 4 files are there"));
  std::filesystem::remove(path("mnist/t10k-labels-idx1-ubyte.gz"));
  const Json second = Json::parse(bellows(command + " --json").out);
  EXPECT_EQ(second.at("fetched"), Json::array({"t10k-labels-idx1-ubyte.gz"}));
  EXPECT_EQ(second.at("kept"), 3);
}

TEST_F(Command, DataDownloadNamesWhatItCannotFetch) {
  expect_refused(bellows("data download digits " + path("x")), 2, {"'digits'", "built in"});
  const Result unknown = bellows("data download minst " + path("x"));
  expect_refused(unknown, 2, {"'minst'", "did you mean 'mnist'", "cifar10"});
  for (const char* no_public_set : {"folder", "digits"}) {
    EXPECT_THAT(unknown.err, Not(HasSubstr(no_public_set)));
  }
  // Nobody listens on port 1.
  expect_refused(bellows("data download mnist " + path("x") + " --from http://127.0.0.1:1/"), 1,
                 {"http://127.0.0.1:1/"});
  EXPECT_FALSE(std::filesystem::exists(path("x")));
}

TEST_F(Command, ExportWritesTheWidthAskedForAsOnnxAndSaysWhatItTakes) {
  const std::string model = trained();
  const Result result =
      bellows("export " + model + " --width 1 --normalise --out " + path("narrow.onnx"));
  EXPECT_EQ(result.code, 0) << result.err;
  for (const char* part : {"narrow.onnx", "width 1 of 2", "images", "[N, 1, 28, 28]", "values 0..1",
                           "logits", "[N, 10]"}) {
    EXPECT_THAT(result.out, HasSubstr(part));
  }
  const ModelFile file = load_model(model);
  EXPECT_EQ(text_of(path("narrow.onnx")),
            onnx_model(file.network, file.weights, file.info, {.width = 1, .normalise = true}));
  // Widest and normalised outside unless asked otherwise; what was there is replaced.
  EXPECT_THAT(bellows("export " + model + " --form split --out " + path("narrow.onnx")).out,
              HasSubstr("normalised already"));
  EXPECT_EQ(text_of(path("narrow.onnx")),
            onnx_model(file.network, file.weights, file.info, {.form = OnnxForm::kSplit}));
}

TEST_F(Command, ExportRefusesWhatItCannotWriteByName) {
  const std::string model = trained();
  const std::string before = text_of(model);
  const std::string out = " --out " + path("model.onnx");
  expect_refused(bellows("export " + model), 2, {"--out"});
  expect_refused(bellows("export " + model + out + " --width 3"), 2, {"--width", "widths 1 to 2"});
  expect_refused(bellows("export " + model + out + " --form dense"), 2, {"--form", "dense"});
  expect_refused(bellows("export " + model + " --out " + model), 2, {"is a file that is read"});
  const std::string key = write_file(folder_ / "key.public", bytes_of("d75a980182b10ab7d54bfed3c964"
                                                                      "073a0ee172f3daa62325af021a68"
                                                                      "f707511a\n"));
  expect_refused(bellows("export " + model + " --require-signature " + key + " --out " + key), 1,
                 {"is not signed"});
  expect_refused(bellows("profile " + model + " --require-signature " + key + " --out " + key), 2,
                 {"is a file that is read"});
  expect_refused(bellows("export " + model + " --out " + path("none/model.onnx")), 1,
                 {"none/model.onnx"});
  expect_refused(bellows("export " + path("none.safetensors") + out), 1, {"none.safetensors"});
  ModelFile file = load_model(model);
  file.info.mean = file.info.stddev = {};
  save_model(path("plain.safetensors"), file.network, file.weights, file.info);
  expect_refused(bellows("export " + path("plain.safetensors") + out + " --normalise"), 2,
                 {"--normalise", "no normalisation"});
  EXPECT_FALSE(std::filesystem::exists(path("model.onnx")));
  EXPECT_EQ(text_of(model), before);
}

// Every key, at any depth; those under "extra" are names of what was recorded.
void collect_keys(const Json& value, std::set<std::string>& keys) {
  if (value.is_object()) {
    for (const auto& [key, inner] : value.items()) {
      keys.insert(key);
      if (key != "extra") collect_keys(inner, keys);
    }
  } else if (value.is_array()) {
    for (const Json& inner : value) collect_keys(inner, keys);
  }
}

// --- Profiles, and running by them.

TEST_F(Command, ProfileMeasuresEveryWidthOnEveryNumberOfThreads) {
  const std::string model = trained();
  const Result result = bellows("profile " + model + " --seconds 0.01 --threads 1,2 --device " +
                                "server-cpu --out " + path("profile.json"));
  ASSERT_EQ(result.code, 0) << result.err;
  EXPECT_THAT(result.out, HasSubstr("modelled: operations (server-cpu)"));
  const Json profile = Json::parse(text_of(path("profile.json")));
  ASSERT_EQ(profile["points"].size(), 4U);
  for (const Json& point : profile["points"]) {
    EXPECT_GT(point["latency_us"]["p50"], 0);
    EXPECT_GT(point["energy_uj"], 0);
    EXPECT_TRUE(point.contains("validation_accuracy"));
    EXPECT_TRUE(point.contains("test_accuracy"));
  }
}

TEST_F(Command, ProfileOfADeviceThatIsNotThereIsAnEstimate) {
  const std::string model = trained();
  const std::string estimate = path("estimate.json");
  ASSERT_EQ(
      bellows("profile " + model + " --estimate --device small-accelerator --out " + estimate).code,
      0);
  const std::string run = "run " + model + " --profile " + estimate;
  expect_refused(bellows(run), 1, {estimate, "another device", "small-accelerator"});
  EXPECT_EQ(bellows(run + " --estimate").code, 0);
  expect_refused(bellows("profile " + model + " --estimate --out x"), 2, {"--device"});
}

TEST_F(Command, RunServesEveryImageAndLogsIt) {
  const std::string model = trained();
  ASSERT_EQ(bellows("profile " + model + " --seconds 0.01 --out " + path("profile.json")).code, 0);
  const std::string run = "run " + model + " --profile " + path("profile.json");
  const Result result = bellows(run + " --max-latency 1e6 --repeat 2 --log " + path("log.jsonl"));
  ASSERT_EQ(result.code, 0) << result.err;
  EXPECT_THAT(result.out, HasSubstr("80 images"));
  EXPECT_THAT(result.out, HasSubstr("0 late"));
  const std::vector<Json> lines = json_lines(text_of(path("log.jsonl")));
  ASSERT_EQ(lines.size(), 82U);
  EXPECT_EQ(lines.front()["event"], "start");
  EXPECT_EQ(lines.back()["event"], "end");
  EXPECT_EQ(lines.back()["requests"], 80);
  int right = 0;
  for (std::size_t i = 1; i < 81; ++i) {
    EXPECT_EQ(lines[i]["index"], i - 1);
    right += lines[i]["label"] == lines[i]["true_label"] ? 1 : 0;
  }
  EXPECT_DOUBLE_EQ(lines.back()["accuracy"].get<double>(), right / 80.0);
}

TEST_F(Command, RunChangesTargetsByItsSchedule) {
  const std::string model = trained();
  ASSERT_EQ(bellows("profile " + model + " --seconds 0.01 --out " + path("profile.json")).code, 0);
  // Nothing is as quick as this: the quickest width is taken, and what fails is told.
  const std::string schedule =
      write_file(folder_ / "schedule", bytes_of("{\"time_s\": 0, \"max_latency_us\": 0.001}\n"));
  const Result result = bellows("run " + model + " --json --profile " + path("profile.json") +
                                " --schedule " + schedule);
  ASSERT_EQ(result.code, 0) << result.err;
  const std::vector<Json> lines = json_lines(result.out);
  EXPECT_EQ(lines[1]["event"], "targets");
  EXPECT_EQ(lines[2]["width"], 1);
  EXPECT_EQ(lines[2]["feasible"], false);
  EXPECT_EQ(lines[2]["failing"], "latency");
  EXPECT_EQ(lines[2]["missed"], true);
}

TEST_F(Command, RunServesFilesWithoutKnowingTheAnswers) {
  const std::string model = trained();
  ASSERT_EQ(bellows("profile " + model + " --seconds 0.01 --out " + path("profile.json")).code, 0);
  digit_png(0, "pngs/0.png");
  digit_png(1, "pngs/1.png");
  const Result result =
      bellows("run " + model + " " + path("pngs") + " --json --profile " + path("profile.json"));
  const std::vector<Json> lines = json_lines(result.out);
  ASSERT_EQ(lines.size(), 4U) << result.err;
  EXPECT_FALSE(lines.back().contains("accuracy"));
}

TEST_F(Command, RunServesRawImagesOnStandardInput) {
  const std::string model = trained();
  ASSERT_EQ(bellows("profile " + model + " --seconds 0.01 --out " + path("profile.json")).code, 0);
  const auto elements = Model::load(model).image_elements();
  const auto served = [&](std::size_t bytes, const std::string& options = "") {
    const std::string raw = write_file(folder_ / "raw", Bytes(bytes, 77));
    const std::string line = std::string("'") + BELLOWS_COMMAND + "' run '" + model +
                             "' - --json " + options + " --profile '" + path("profile.json") +
                             "' <'" + raw + "' >'" + path("out") + "' 2>'" + path("err") + "'";
    return std::system(line.c_str());
  };
  ASSERT_EQ(served(3 * elements), 0) << text_of(path("err"));
  const std::vector<Json> lines = json_lines(text_of(path("out")));
  ASSERT_EQ(lines.size(), 5U);
  EXPECT_EQ(lines.back()["requests"], 3);
  EXPECT_EQ(lines[1]["label"], lines[3]["label"]);
  ASSERT_EQ(served(3 * elements, "--requests 2"), 0) << text_of(path("err"));
  EXPECT_EQ(json_lines(text_of(path("out"))).back()["requests"], 2);
  ASSERT_EQ(served(0), 0) << text_of(path("err"));
  EXPECT_EQ(json_lines(text_of(path("out"))).back()["requests"], 0);
  // What was served before something went wrong is told all the same.
  EXPECT_NE(served(2 * elements + 5), 0);
  EXPECT_EQ(json_lines(text_of(path("out"))).back()["requests"], 2);
  EXPECT_THAT(text_of(path("err")), AllOf(HasSubstr("standard input"), HasSubstr("image 2")));
}

TEST_F(Command, RunShowsItselfLiveOnATerminal) {
  const std::string model = trained();
  ASSERT_EQ(bellows("profile " + model + " --seconds 0.01 --out " + path("profile.json")).code, 0);
  const std::string shown = shown_on_a_terminal(
      {"run", model, "--profile", path("profile.json"), "--rate", "40", "--watch"});
  const std::regex line(
      "[0-9]+ images  width [12] \\[=*> *\\] [0-9.]+ us .*late 0  switches [0-9]+");
  EXPECT_TRUE(std::regex_search(shown, line)) << shown;
  EXPECT_THAT(shown, HasSubstr("40 images in "));
}

TEST_F(Command, ProfileWritesItsPageToo) {
  const std::string model = trained();
  const std::string profile = "profile " + model + " --seconds 0.01 --out " + path("profile.json");
  ASSERT_EQ(bellows(profile + " --report " + path("page.html")).code, 0);
  EXPECT_THAT(text_of(path("page.html")), AllOf(HasSubstr("<html"), HasSubstr("profile.json")));
  expect_refused(bellows(profile + " --picture " + path("page.png")), 2, {"--report FILE.html"});
  expect_refused(bellows(profile + " --report " + path("profile.json")), 2, {"--report"});
}

TEST_F(Command, ProfileAtARateTellsIt) {
  const std::string model = trained();
  const Result result =
      bellows("profile " + model + " --seconds 0.01 --rate 1000 --out " + path("profile.json"));
  ASSERT_EQ(result.code, 0) << result.err;
  EXPECT_THAT(result.out, HasSubstr("1000 a second"));
  EXPECT_EQ(Json::parse(text_of(path("profile.json")))["measured"]["rate"], 1000);
}

TEST_F(Command, ProfileRunAndReportDoNotWriteOverWhatTheyRead) {
  const std::string model = trained();
  const std::string profile = path("profile.json");
  const std::string log = path("log.jsonl");
  ASSERT_EQ(bellows("profile " + model + " --seconds 0.01 --out " + profile).code, 0);
  const std::string schedule = write_file(folder_ / "schedule", bytes_of("{\"time_s\": 1}\n"));
  const std::string run = "run " + model + " --profile " + profile + " --schedule " + schedule;
  ASSERT_EQ(bellows(run + " --log " + log).code, 0);
  const std::vector<std::string> files = {model, profile, schedule, log};
  std::vector<std::string> before;
  before.reserve(files.size());
  for (const std::string& file : files) before.push_back(text_of(file));
  const std::vector<std::string> read = {"is a file that is read"};
  expect_refused(bellows("profile " + model + " --out " + model), 2, read);
  expect_refused(bellows("profile " + model + " --out x --report " + model), 2, read);
  expect_refused(bellows("profile " + model + " --out x --report x"), 2, read);
  expect_refused(bellows(run + " --log " + profile), 2, read);
  expect_refused(bellows(run + " --log " + model), 2, read);
  expect_refused(bellows(run + " --log " + schedule), 2, read);
  expect_refused(bellows("report " + path("run") + " --out " + model), 2, read);
  expect_refused(bellows("report " + log + " --out p.png --picture p.png"), 2, {"--out writes"});
  // And what is refused for another reason does not empty the log of the last run.
  expect_refused(bellows(run + " --energy sun --log " + log), 2, {"sun"});
  expect_refused(bellows(run + " --profile none --log " + log), 1, {"none"});
  for (std::size_t i = 0; i < files.size(); ++i) EXPECT_EQ(text_of(files[i]), before[i]);
  expect_refused(bellows("profile " + model + " --out " + path("none/p.json")), 1,
                 {"none/p.json", "folder"});
}

TEST_F(Command, RunRefusesScheduledTargetsBeforeTheRun) {
  const std::string model = trained();
  ASSERT_EQ(bellows("profile " + model + " --seconds 0.01 --out " + path("profile.json")).code, 0);
  const std::string run = "run " + model + " --profile " + path("profile.json") + " --schedule ";
  for (const auto& [line, problem] :
       {std::pair{R"({"time_s": 10, "max_latency_us": 300, "latency_percentile": 60})", "60"},
        {R"({"time_s": 10, "energy_left_j": 5})", "until_s"},
        {R"({"time_s": 10, "until_s": 50})", "energy_left_j"},
        {R"({"time_s": 10, "energy_left_j": 5, "until_s": 9})", "energy"},
        {R"({"time_s": 10, "max_energy_uj": 5})", "energy"}}) {
    const std::string schedule =
        write_file(folder_ / "schedule", bytes_of("{\"time_s\": 1}\n" + std::string(line)));
    expect_refused(bellows(run + schedule), 1, {schedule + ":2", problem});
  }
}

TEST_F(Command, ProfileNamesOptionsThatItWouldIgnore) {
  const std::string model = trained();
  const std::string profile = "profile " + model + " --out " + path("p.json");
  for (const char* option : {"--threads 2", "--seconds 2", "--rate 5", "--energy auto"}) {
    expect_refused(bellows(profile + " --estimate --device small-accelerator " + option), 2,
                   {words(option)[0], "--estimate"});
  }
  expect_refused(bellows(profile + " --format mnist"), 2, {"--format", "--data"});
  expect_refused(bellows(profile + " --energy none --device server-cpu"), 2, {"--device"});
  expect_refused(bellows(profile + " --energy rapl --rails VDD"), 2, {"--rails", "hwmon"});
  expect_refused(bellows(profile + " --subtract-idle --device server-cpu"), 2, {"--subtract-idle"});
  EXPECT_FALSE(std::filesystem::exists(path("p.json")));
}

TEST_F(Command, ProfileMeasuresANumberOfThreadsThatIsNamedTwiceOnce) {
  const std::string model = trained();
  ASSERT_EQ(
      bellows("profile " + model + " --seconds 0.01 --threads 1,1 --out " + path("p.json")).code,
      0);
  EXPECT_EQ(Profile::load(path("p.json")).points(Model::load(model)).size(), 2U);
}

TEST_F(Command, ProfileAndRunNameWhatIsWrongWithTheirArguments) {
  const std::string model = trained();
  const std::string profile = path("profile.json");
  ASSERT_EQ(bellows("profile " + model + " --seconds 0.01 --out " + profile).code, 0);
  const std::string run = "run " + model + " --profile " + profile;
  expect_refused(bellows("profile " + model), 2, {"--out FILE.json"});
  expect_refused(bellows("profile " + model + " --out x --energy sun"), 2, {"--energy", "'sun'"});
  expect_refused(bellows("profile " + model + " --out x --energy model"), 2, {"--device"});
  expect_refused(bellows("profile " + model + " --out x --energy rapl --sysfs " + path("none")), 1,
                 {"rapl"});
  expect_refused(bellows("run " + model), 2, {"--profile FILE.json"});
  expect_refused(bellows("run " + model + " --profile " + model), 1, {model});
  expect_refused(bellows(run + " --threads 7"), 1, {profile, "no points for 7 threads"});
  expect_refused(bellows(run + " --max-latency 9 --percentile 90"), 2, {"--percentile", "90"});
  expect_refused(bellows(run + " --percentile 95"), 2, {"--percentile", "--max-latency"});
  expect_refused(bellows(run + " --battery 5"), 2, {"--until"});
  expect_refused(bellows(run + " --other-power 5"), 2, {"--battery"});
  expect_refused(bellows(run + " --objective best"), 2, {"--objective", "'best'"});
  expect_refused(bellows(run + " --max-power 1"), 1, {"energy"});
  expect_refused(bellows(run + " --data x y.png"), 2, {"--data"});
  const std::string schedule =
      write_file(folder_ / "schedule", bytes_of("\n{\"time_s\": 1, \"max_speed\": 3}\n"));
  expect_refused(bellows(run + " --schedule " + schedule), 1, {schedule + ":2", "max_speed"});
}

TEST_F(Command, TuneFindsPoliciesByWhichRunServes) {
  const std::string model = trained();
  const std::string policies = path("policies.json");
  const Result tuned = bellows("tune " + model + " --out " + policies + " --table " +
                               path("table") + " --method quantile,sweep,bayesian,random" +
                               " --evaluations 12 --alpha 0.05 --model-out " + path("with") +
                               " --budget 90% --points 4 --temperature");
  ASSERT_EQ(tuned.code, 0) << tuned.err;
  EXPECT_THAT(tuned.out, AllOf(HasSubstr("tuned on 20 images"), HasSubstr("sweep"),
                               HasSubstr("40 test images"), HasSubstr("mixture of widths")));
  const PolicySet set = PolicySet::load(policies, Model::load(path("with")));
  EXPECT_GT(set.size(), 8U);
  // The groups are the same, so that policies without selectors fit the model as it was.
  EXPECT_EQ(text_of(path("with")).size() > text_of(model).size(), true);
  ASSERT_EQ(bellows("profile " + model + " --seconds 0.01 --out " + path("p.json")).code, 0);
  const Result run = bellows("run " + path("with") + " --profile " + path("p.json") + " --policy " +
                             policies + " --log " + path("log.jsonl"));
  EXPECT_EQ(run.code, 0) << run.err;
  EXPECT_THAT(run.out, HasSubstr("The last image was served by "));
  EXPECT_THAT(text_of(path("log.jsonl")), HasSubstr("\"policy\""));

  // The table is taken as it is, which the time of the file shows.
  const auto written = std::filesystem::last_write_time(path("table"));
  const Result again = bellows("tune " + model + " --method quantile --out " + policies +
                               " --table " + path("table"));
  EXPECT_EQ(again.code, 0) << again.err;
  EXPECT_EQ(std::filesystem::last_write_time(path("table")), written);
}

TEST_F(Command, TuneWritesItsPageWithEarlyAndLateImages) {
  const std::string model = trained();
  const Result result =
      bellows("tune " + model + " --method quantile,random --evaluations 12 --alpha 0.1 --out " +
              path("policies.json") + " --model-out " + path("with") + " --report " +
              path("page.html") + " --examples " + path("examples.png"));
  ASSERT_EQ(result.code, 0) << result.err;
  const std::string page = text_of(path("page.html"));
  for (const char* part :
       {"Policies of tiny", "Accuracy against cost", "Where images stop", "How sure and how right",
        "How searches went", "what is saved", "calibration", "learning of selectors",
        "early and late images", "data:image/png;base64,iVBOR"}) {
    EXPECT_THAT(page, HasSubstr(part));
  }
  // A row for each of two widths, at most 20 images.
  EXPECT_GT(read_png(path("examples.png")).shape.height, 100);

  // The page of the file alone has no images.
  const Result report = bellows("report " + path("policies.json") + " --out " + path("alone.html"));
  EXPECT_EQ(report.code, 0) << report.err;
  EXPECT_THAT(report.out, HasSubstr("1 file of policies"));
  EXPECT_THAT(text_of(path("alone.html")), Not(HasSubstr("data:image")));
  expect_refused(bellows("tune " + model + " --out " + path("x.json") + " --picture y.png"), 2,
                 {"--picture", "--report"});
  expect_refused(
      bellows("tune " + model + " --out " + path("x.json") + " --report " + path("x.json")), 2,
      {"x.json"});
}

TEST_F(Command, TuneTakesItsCostsFromAProfile) {
  const std::string model = trained();
  const std::string profile = path("p.json");
  ASSERT_EQ(
      bellows("profile " + model + " --seconds 0.01 --device server-cpu --out " + profile).code, 0);
  const std::string tune = "tune " + model + " --method quantile --confidence margin --out " +
                           path("policies.json") + " --profile " + profile;
  EXPECT_THAT(bellows(tune + " --cost latency").out, HasSubstr("Cost: median of one image on"));
  EXPECT_THAT(bellows(tune + " --cost energy").out, HasSubstr("server-cpu"));
  EXPECT_EQ(bellows(tune + " --budget 100% --time-budget 1e9 --requests 7").code, 0);
}

TEST_F(Command, TuneNamesWhatIsWrongWithItsArguments) {
  const std::string model = trained();
  const std::string tune = "tune " + model + " --method quantile --out " + path("policies.json");
  expect_refused(bellows("tune " + model), 2, {"--out FILE.json"});
  expect_refused(bellows("tune " + model + " --out " + model), 2, {"--out"});
  expect_refused(bellows(tune + " --method guess"), 2, {"--method", "'guess'"});
  expect_refused(bellows(tune + " --confidence mood"), 2, {"--confidence", "'mood'"});
  expect_refused(bellows(tune + " --cost money"), 2, {"--cost", "'money'"});
  expect_refused(bellows(tune + " --cost energy"), 2, {"--profile"});
  expect_refused(bellows(tune + " --threads 2"), 2, {"--threads", "--profile"});
  expect_refused(bellows(tune + " --alpha 0.1"), 2, {"--alpha", "--model-out"});
  expect_refused(bellows(tune + " --alpha -1 --model-out " + path("m")), 2, {"--alpha", "'-1'"});
  expect_refused(bellows(tune + " --selector-loss zeal --alpha 1 --model-out " + path("m")), 2,
                 {"'zeal'"});
  std::string prices = "0";
  for (int i = 0; i < 8000; ++i) prices += ",0.1";
  expect_refused(bellows(tune + " --model-out " + path("m") + " --alpha " + prices), 2,
                 {"--alpha", "8001 selectors", "give fewer", "header"});
  expect_refused(bellows(tune + " --requests 5"), 2, {"--requests", "--budget"});
  expect_refused(bellows(tune + " --budget 10 --switching-cost 5"), 2, {"--requests"});
  expect_refused(bellows(tune + " --budget 10"), 1, {"the budget", "below the cheapest point"});
  expect_refused(bellows(tune + " --budget x"), 2, {"--budget", "'x'"});
  expect_refused(bellows(tune + " --budget 50% --time-budget 5"), 2, {"--time-budget"});
  EXPECT_FALSE(std::filesystem::exists(path("policies.json")));
  // The table of another model.
  ASSERT_EQ(bellows(tune + " --table " + path("table")).code, 0);
  const std::string other = path("other");
  ASSERT_EQ(bellows("train " + config(digits()) + " --seed 7 --out " + path("other_run")).code, 0);
  expect_refused(bellows("tune " + path("other_run/model.safetensors") + " --out " + other +
                         " --table " + path("table")),
                 1, {"table", "another model"});
}

TEST_F(Command, TuneRefusesTuningImagesThatAreTestImages) {
  // The same digits for training and for testing.
  for (const char* part : {"train", "test"}) {
    for (int i = 0; i < 60; ++i) {
      digit_png(i, std::string("pngs/") + part + "/class" + std::to_string(i % 10) + "/" +
                       std::to_string(i) + ".png");
    }
  }
  const std::string data = " --data " + path("pngs");
  ASSERT_EQ(
      bellows("train " + config("format = \"folder\"\n") + data + " --out " + path("run")).code, 0);
  expect_refused(
      bellows("tune " + path("run/model.safetensors") + data + " --out " + path("policies.json")),
      1, {"12 of the 12 tuning images", "test images too"});
}

TEST_F(Command, RunRefusesThePoliciesOfAnotherModel) {
  const std::string model = trained();
  ASSERT_EQ(bellows("tune " + model + " --method quantile --out " + path("policies.json")).code, 0);
  ASSERT_EQ(bellows("train " + config(digits()) + " --seed 7 --out " + path("other")).code, 0);
  const std::string other = path("other/model.safetensors");
  ASSERT_EQ(bellows("profile " + other + " --seconds 0.01 --out " + path("p.json")).code, 0);
  expect_refused(bellows("run " + other + " --profile " + path("p.json") + " --policy " +
                         path("policies.json")),
                 1, {"policies.json", "another model"});
}

TEST_F(Command, SignMakesModelsThatOtherVerbsTellFromOlderAndUnsignedOnes) {
  const std::string model = path("run/model.safetensors");
  ASSERT_EQ(bellows("train " + config(digits()) + " --out " + path("run")).code, 0);
  const std::string evaluate = "evaluate " + model + " --json --require-signature ";
  ASSERT_EQ(bellows("sign --new-key " + path("key")).code, 0);
  ASSERT_EQ(bellows("sign --new-key " + path("other")).code, 0);
  expect_refused(bellows(evaluate + path("key.public")), 1, {"is not signed", model});
  // 2100-01-01: times in seconds outgrow 31 bits in 2038.
  const Result result =
      bellows("sign " + model + " --json --key " + path("key.secret") + " --generation 4102444800");
  ASSERT_EQ(result.code, 0) << result.err;
  EXPECT_EQ(Json::parse(result.out)["generation"], 4102444800);
  EXPECT_EQ(bellows(evaluate + path("key.public") + " --min-generation 4102444800").code, 0);
  EXPECT_EQ(bellows(evaluate + path("key.public") + " --check").code, 0);
  expect_refused(bellows(evaluate + path("key.public") + " --min-generation 4102444801"), 1,
                 {"generation 4102444800", "at least 4102444801"});
  expect_refused(bellows(evaluate + path("other.public")), 1, {"is signed by the key", model});
  expect_refused(bellows("evaluate " + model + " --min-generation 1"), 2,
                 {"--min-generation needs --require-signature"});
  // Digits are the key, whatever file may have come with the model under their name.
  std::string digits;
  std::ifstream(path("other.public")) >> digits;
  std::filesystem::copy_file(path("key.public"), digits);
  expect_refused(bellows(evaluate + digits), 1, {"is signed by the key", model});
  std::filesystem::remove(digits);
}

TEST_F(Command, NothingTakesThePlaceOfASignedModelThatItWouldNotFollow) {
  const std::string model = trained();
  const std::string deployed = path("deployed.safetensors");
  ASSERT_EQ(bellows("sign --new-key " + path("key")).code, 0);
  ASSERT_EQ(bellows("sign " + model + " --key " + path("key.secret") + " --out " + deployed).code,
            0);
  const Bytes before = read_file(deployed);
  for (const std::string& line :
       {"trim " + model + " --width 1 --out " + deployed,
        "tune " + model + " --out " + path("policies.json") + " --alpha 0.1 --model-out " +
            deployed,
        "sign " + model + " --key " + path("key.secret") + " --generation 1 --out " + deployed}) {
    SCOPED_TRACE(line);
    expect_refused(bellows(line), 1, {deployed, "which would be replaced; choose another name"});
    EXPECT_TRUE(read_file(deployed) == before);
  }
  EXPECT_FALSE(std::filesystem::exists(path("policies.json")));
}

TEST_F(Command, EveryVerbThatReadsAModelCanAskForASignature) {
  const std::string model = std::string(BELLOWS_SOURCE_DIR) + "/tests/golden/tiny.safetensors";
  const std::string growth =
      std::string(BELLOWS_SOURCE_DIR) + "/tests/golden/tiny_growth.safetensors";
  const std::string narrow = path("narrow");
  std::set<std::string> asked;
  ASSERT_EQ(bellows("trim " + model + " --width 1 --out " + narrow).code, 0);
  ASSERT_EQ(bellows("sign --new-key " + path("key")).code, 0);
  const std::string image = digit_png(0, "pngs/class0/0.png");
  for (const std::string& line :
       {"evaluate " + model, "infer " + model + " " + image, "inspect " + model,
        "export " + model + " --out " + path("result"),
        "profile " + model + " --seconds 0.01 --out " + path("result"),
        "tune " + model + " --out " + path("result"),
        "run " + model + " --profile " + path("none.json"),
        "apply " + growth + " " + narrow + " --out " + path("result"),
        "diff " + model + " --base " + narrow + " --out " + path("result"),
        "trim " + model + " --width 1 --out " + path("result"),
        "sign " + model + " --key " + path("key.secret") + " --out " + path("result"),
        "train " + config(digits()) + " --extend " + narrow + " --out " + path("result"),
        "train " + config(digits()) + " --out " + path("result") +
            " --set training.distillation.teacher='model';training.distillation.model='" + model +
            "'"}) {
    SCOPED_TRACE(line);
    asked.insert(line.substr(0, line.find(' ')));
    expect_refused(bellows(line + " --require-signature " + path("key.public")), 1,
                   {"is not signed"});
    EXPECT_FALSE(std::filesystem::exists(path("result")));
  }
  expect_refused(bellows("train " + config(digits()) + " --require-signature " +
                         path("key.public") + " --out " + path("result")),
                 2, {"--extend, --fine-tune or a teacher"});
  // No other verb takes weights from a model: charts are drawn of one.
  const std::set<std::string> others = {"search", "report", "data"};
  std::istringstream help(bellows("--help").out);
  std::size_t verbs = 0;
  for (std::string line; std::getline(help, line);) {
    std::istringstream words(line);
    std::string verb;
    words >> verb;
    if (!line.starts_with("  ") || line.starts_with("  bellows")) continue;
    ++verbs;
    EXPECT_TRUE(asked.contains(verb) != others.contains(verb)) << verb;
  }
  EXPECT_EQ(verbs, asked.size() + 2 + 4);  // `data` has four
}

TEST_F(Command, EveryKeyOfItsJsonIsOnItsPage) {
  const std::string run = config(digits());
  const std::string model = path("run/model.safetensors");
  const std::string image = digit_png(0, "pngs/class0/0.png");
  const std::string schedule =
      write_file(folder_ / "schedule", bytes_of("{\"time_s\": 0, \"max_energy_uj\": 1e-9}\n"));
  const std::string space = write_file(folder_ / "small.toml", bytes_of(kSmallSearch));
  std::set<std::string> keys;
  for (const std::string& line :
       {"train " + run + " --json --out " + path("run"),
        "search " + space + " --json --estimate --device small-accelerator --budget 2 --out " +
            path("search"),
        "sign --json --new-key " + path("key"),
        "sign " + model + " --json --key " + path("key.secret"),
        "evaluate " + model + " --confusion --check --json",
        "infer " + model + " --json " + image,
        "inspect " + model + " --layers --device server-cpu --json",
        "export " + model + " --normalise --json --out " + path("model.onnx"),
        "inspect " + run + " --layers --json",
        "trim " + model + " --width 1 --json --out " + path("narrow"),
        "diff " + model + " --json --base " + path("narrow") + " --out " + path("growth"),
        "apply " + path("growth") + " " + path("narrow") + " --json",
        "profile " + model + " --json --seconds 0.01 --device server-cpu --out " + path("p.json"),
        "tune " + model + " --json --method quantile --out " + path("policies.json"),
        "run " + model + " --json --policy " + path("policies.json") + " --profile " +
            path("p.json"),
        "run " + model + " --json --max-latency 1e6 --max-power 1e3 --min-accuracy 0.01 " +
            "--battery 1e6 --until 1e3 --profile " + path("p.json") + " --schedule " + schedule,
        "report " + model + " --json --out " + path("report.html"),
        "data list --json " + path(""),
        "data verify --json " + path("pngs"),
        "data sheet --json --per-class 1 --out " + path("sheet.png")}) {
    const Result result = bellows(line);
    EXPECT_NE(result.out, "") << line << ": " << result.err;
    for (const Json& value : json_lines(result.out)) collect_keys(value, keys);
  }
  for (const Json& value : json_lines(text_of(path("run/log.jsonl")))) collect_keys(value, keys);
  const std::string page =
      text_of(std::filesystem::path(BELLOWS_SOURCE_DIR) / "docs/json_output.md");
  EXPECT_GT(keys.size(), 60U);
  for (const std::string& key : keys) EXPECT_THAT(page, HasSubstr("`" + key + "`"));
}

}  // namespace
}  // namespace bellows::cli
