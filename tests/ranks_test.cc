// Several processes train as one does: real runs of the command under mpirun.
#include "training/ranks.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>

#include <bellows/bellows.h>

#include <cmath>
#include <cstdlib>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "tests/under_mpirun.h"

namespace bellows {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using Json = nlohmann::json;

TEST(Ranks, OneProcessAloneSumsNothingAndSharesNothing) {
  const Ranks ranks;
  EXPECT_TRUE(ranks.alone());
  EXPECT_TRUE(ranks.first());
  std::vector<float> values = {1, 2};
  ranks.sum(std::span(values));
  EXPECT_EQ(values, (std::vector<float>{1, 2}));
  EXPECT_EQ(Ranks::summing().bytes, 0U);
}

class RanksUnderMpirun : public UnderMpirun {
 protected:
  // One batch of 64 drawn digits is an epoch, so that the log has every batch's loss.
  [[nodiscard]] std::string config(int epochs) const {
    std::ofstream(path("run.toml")) << R"(name = "ranks"
[network]
input = [1, 28, 28]
classes = 10
groups = 2
layers = [
  { kind = "conv", name = "conv1", channels = [4, 6], kernel = 5, stride = 3, bias = false },
  { kind = "batch_norm", name = "norm1" },
  { kind = "relu", name = "relu1" },
  { kind = "linear", name = "linear2", features = [8, 8] },
  { kind = "relu", name = "relu2" },
  { kind = "head", name = "head" },
]
[data]
format = "digits"
validation = 0.2
[data.digits]
train_images = 80
test_images = 20
[data.augmentation]
crop_padding = 2
[training]
epochs = [)" << epochs << R"(]
batch_size = 64
threads = 1
checkpoint_every = 10
[training.optimiser]
learning_rate = 0.1
[training.learning_rate_schedule]
kind = "constant"
)";
    return path("run.toml");
  }

  [[nodiscard]] Result train(int ranks, const std::string& arguments) const {
    return run(ranks, "train " + arguments);
  }
  // The same by two ranks, which goes on beside this process; mpirun's id.
  [[nodiscard]] pid_t start_two(const std::string& arguments) const {
    return start(launcher(2), "train " + arguments);
  }
  // Until so many batches have been learned from, or for a minute.
  void wait_for_batches(const std::string& run, std::size_t count) const {
    wait_until([&] { return losses(run).size() >= count; });
  }

  [[nodiscard]] std::vector<double> losses(const std::string& run) const {
    std::ifstream log(folder_ / run / "log.jsonl");
    std::vector<double> result;
    for (std::string line; std::getline(log, line);) {
      const Json event = Json::parse(line);
      if (event["event"] == "epoch") result.push_back(event["loss"].get<double>());
    }
    return result;
  }
};

double largest_difference(const std::vector<double>& a, const std::vector<double>& b) {
  EXPECT_EQ(a.size(), b.size());
  double largest = 0;
  for (std::size_t i = 0; i < std::min(a.size(), b.size()); ++i) {
    largest = std::max(largest, std::abs(a[i] - b[i]));
  }
  return largest;
}

TEST_F(RanksUnderMpirun, TwoLearnWhatOneProcessLearnsOverFiftyBatches) {
  const std::string run = config(25);
  for (const int ranks : {1, 2}) {
    const Result result = train(ranks, run + " --out " + path(std::to_string(ranks)));
    ASSERT_EQ(result.code, 0) << result.text;
  }
  ASSERT_EQ(losses("1").size(), 50U);
  EXPECT_LT(largest_difference(losses("1"), losses("2")), 1e-4);
  EXPECT_LT(losses("1").back(), losses("1").front() / 2);
  // Statistics of each rank's own half are others.
  const Result own = train(
      2, run + " --out " + path("own") + " --set 'training.synchronised_normalisation = false'");
  ASSERT_EQ(own.code, 0) << own.text;
  EXPECT_GT(largest_difference(losses("1"), losses("own")), 1e-2);
}

TEST_F(RanksUnderMpirun, OnlyTheGradientsOfTheTrainedGroupTravel) {
  const std::string run = config(5);
  ASSERT_EQ(train(2, run + " --out " + path("run")).code, 0);
  std::ifstream log(folder_ / "run" / "log.jsonl");
  std::vector<double> bytes;
  for (std::string line; std::getline(log, line);) {
    const Json event = Json::parse(line);
    if (event["event"] == "ranks") bytes.push_back(event["bytes_summed"].get<double>());
  }
  ASSERT_EQ(bytes.size(), 10U);
  const Model model = Model::load(path("run/model.safetensors"));
  // Every value of the group once a batch, and little beside it: sums of statistics and losses.
  const double first = static_cast<double>(model.width(1).weight_bytes);
  const double second = static_cast<double>(model.width(2).weight_bytes) - first;
  const double batch_of_first = (bytes[4] - bytes[0]) / 4;
  const double batch_of_second = (bytes[9] - bytes[5]) / 4;
  EXPECT_GT(batch_of_first, first);
  EXPECT_LT(batch_of_first, first + 500);
  EXPECT_GT(batch_of_second, second);
  EXPECT_LT(batch_of_second, second + 500);
}

// Two network namespaces with a cable between them: tests/two_hosts.sh.
TEST_F(RanksUnderMpirun, TwoHostsLearnWhatOneProcessLearnsAndSendOnlyTheTrainedGroup) {
  const std::string run = config(25);
  const int status =
      std::system(("'" BELLOWS_SOURCE_DIR "/tests/two_hosts.sh' '" BELLOWS_COMMAND "' train " +
                   run + " --out " + path("hosts") + " > '" + path("output") + "' 2>&1")
                      .c_str());
  const std::string text = output();
  if (WIFEXITED(status) && WEXITSTATUS(status) == 77) GTEST_SKIP() << text;
  ASSERT_EQ(status, 0) << text;
  ASSERT_EQ(train(1, run + " --out " + path("one")).code, 0);
  ASSERT_EQ(losses("hosts").size(), 50U);
  EXPECT_LT(largest_difference(losses("hosts"), losses("one")), 1e-4);
  const std::string label = "bytes sent through the cable: ";
  const double sent = std::stod(text.substr(text.rfind(label) + label.size()));
  // 25 batches of each group; frozen groups do not travel. The rest: statistics, start and end.
  const double gradients =
      25.0 * static_cast<double>(Model::load(path("one/model.safetensors")).width(2).weight_bytes);
  EXPECT_GT(sent, gradients);
  EXPECT_LT(sent, 1.15 * gradients + 200000);
}

TEST_F(RanksUnderMpirun, EveryWayOfTrainingWorksTogether) {
  const std::string run = config(2);
  ASSERT_EQ(train(1, run + " --out " + path("teacher")).code, 0);
  const std::string learned_from = path("teacher/model.safetensors");
  const std::vector<std::vector<std::string>> ways = {
      {"training.stacking = true", "training.average = 0.9"},
      {"training.look_ahead = 1"},
      {"training.schedule = 'joint'", "training.distillation.teacher = 'widest'"},
      {"training.schedule = 'joint'", "training.distillation.teacher = 'ensemble'",
       "training.width_weights = [1, 2]"},
      {"training.gradient_clip = 0.5", "training.label_smoothing = 0.1", "training.lateral = 0.3",
       "training.learning_rate_schedule = { kind = 'cosine', restarts = 1 }"},
      {"network.connectivity = 'grouped'", "network.layers.head.mode = 'additive'",
       "training.precision = 'bf16'"},
      {"training.optimiser.kind = 'adamw'", "training.distillation.teacher = 'model'",
       "training.distillation.model = '" + learned_from + "'"}};
  for (const std::vector<std::string>& keys : ways) {
    std::string set;
    for (const std::string& key : keys) set += key + "; ";
    for (const int ranks : {1, 2}) {
      const Result result = train(ranks, run + " --overwrite --out " + path(std::to_string(ranks)) +
                                             " --set \"" + set + "\"");
      ASSERT_EQ(result.code, 0) << set << '\n' << result.text;
    }
    EXPECT_LT(largest_difference(losses("1"), losses("2")), 1e-3) << set;
  }
}

// The first rank writes, the others do not: either may be the one.
TEST_F(RanksUnderMpirun, AKilledOneEndsAllAndTheCheckpointGoesOnToTheSameBits) {
  const std::string run = config(300) + " --out ";
  ASSERT_EQ(train(2, run + path("whole")).code, 0);
  for (const std::size_t killed : {0U, 1U}) {
    SCOPED_TRACE(killed);
    const std::string name = "run" + std::to_string(killed);
    const pid_t mpirun = start_two(run + path(name));
    ASSERT_GT(mpirun, 0);
    wait_for_batches(name, 50);
    const std::vector<pid_t> ranks = ranks_of(mpirun);
    ASSERT_EQ(ranks.size(), 2U);
    ::kill(ranks[killed], SIGKILL);
    int status = 0;
    ASSERT_EQ(::waitpid(mpirun, &status, 0), mpirun);
    EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) != 0);
    EXPECT_THAT(output(), AllOf(HasSubstr("another rank has failed"), HasSubstr("--resume")));
    EXPECT_LT(losses(name).size(), 600U);
    EXPECT_FALSE(std::filesystem::exists(path(name) + "/model.safetensors") &&
                 Model::load(path(name) + "/model.safetensors").groups() == 2);
    const Result again = train(2, run + path(name) + " --resume");
    ASSERT_EQ(again.code, 0) << again.text;
    EXPECT_TRUE(read_file(path(name) + "/model.safetensors") ==
                read_file(path("whole/model.safetensors")));
  }
}

TEST_F(RanksUnderMpirun, RanksWithOtherConfigurationsAreRefused) {
  const std::string run = config(2);
  std::ifstream text(run);
  std::string other((std::istreambuf_iterator<char>(text)), {});
  other.replace(other.find("learning_rate = 0.1"), 19, "learning_rate = 0.2");
  std::ofstream(path("other.toml")) << other;
  const std::string command = std::string("'") + BELLOWS_COMMAND + "' train ";
  const int status = std::system(("mpirun --oversubscribe -n 1 " + command + run + " --out '" +
                                  path("run") + "' : -n 1 " + command + path("other.toml") +
                                  " --out '" + path("run") + "' > '" + path("output") + "' 2>&1")
                                     .c_str());
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 1);
  EXPECT_THAT(output(), HasSubstr("1 of 2 ranks found another configuration than the first"));
  EXPECT_FALSE(std::filesystem::exists(path("run")));
}

TEST_F(RanksUnderMpirun, AnotherNumberOfRanksCannotGoOnToTheSameBits) {
  const std::string run = config(100000) + " --out '" + path("run") + "'";
  const pid_t mpirun = start_two(run);
  ASSERT_GT(mpirun, 0);
  wait_for_batches("run", 20);
  // Told to end by others than mpirun they take their time, and say how to go on.
  for (const pid_t rank : ranks_of(mpirun)) ::kill(rank, SIGTERM);
  int status = 0;
  ASSERT_EQ(::waitpid(mpirun, &status, 0), mpirun);
  EXPECT_THAT(output(), AllOf(HasSubstr("by the same mpirun"), HasSubstr("--resume")));
  const Result alone = train(1, run + " --resume");
  EXPECT_EQ(alone.code, 1);
  EXPECT_THAT(alone.text, HasSubstr("was made by 2 ranks, now there are 1"));
}

TEST_F(RanksUnderMpirun, WhatIsWrongIsSaidOnceAndEndsAll) {
  const Result uneven = train(2, config(1) + " --batch-size 63 --out " + path("run"));
  EXPECT_EQ(uneven.code, 1);
  EXPECT_THAT(uneven.text, HasSubstr("batch_size' is 63, which cannot be shared equally by 2"));
  EXPECT_EQ(uneven.text.find("error:"), uneven.text.rfind("error:"));
  EXPECT_FALSE(std::filesystem::exists(path("run")));
  for (const std::string key : {"training.decorrelation = 1.0",
                                "training.schedule = 'joint'; training.selector.alpha = 0.1"}) {
    const Result alone = train(2, config(1) + " --out " + path("run") + " --set \"" + key + "\"");
    EXPECT_EQ(alone.code, 1) << key;
    EXPECT_THAT(alone.text, HasSubstr("needs one rank alone")) << key;
    EXPECT_FALSE(std::filesystem::exists(path("run"))) << key;
  }
  const Result usage = train(2, config(1) + " --threads none");
  EXPECT_EQ(usage.code, 2);
  EXPECT_THAT(usage.text, HasSubstr("--threads"));
  EXPECT_EQ(usage.text.find("error:"), usage.text.rfind("error:"));
  // Only the first sees the folder; the other is ended with it.
  ASSERT_EQ(train(1, config(1) + " --out " + path("run")).code, 0);
  const Result taken = train(2, config(1) + " --out " + path("run"));
  EXPECT_EQ(taken.code, 1);
  EXPECT_THAT(taken.text, AllOf(HasSubstr("holds a run"), HasSubstr("--overwrite")));
}

}  // namespace
}  // namespace bellows
