// A run gives the same bits however often it is stopped, leaves alone what is frozen and what is
// not its own, and says what is wrong. Runs here take a few hundredths of a second.
#include "training/trainer.h"

#include <bellows/bellows.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <functional>
#include <map>
#include <nlohmann/json.hpp>
#include <ostream>
#include <stdexcept>
#include <utility>

#include "engine/model_file.h"
#include "tests/data_fixtures.h"
#include "tests/grouped_networks.h"
#include "training/checkpoint.h"
#include "training/data/idx.h"
#include "training/data/png_image.h"
#include "training/initialise.h"

namespace bellows {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using Json = nlohmann::json;
using Path = std::filesystem::path;

constexpr int kClasses = 10;

// Every kind of state a run can have: running statistics, dropout, momentum, augmentation.
Network network(int groups, int kernel = 5) {
  std::vector<int> channels{5, 3, 4};
  channels.resize(static_cast<std::size_t>(groups));
  return Network::read(
      config::network({1, 28, 28}, kClasses, groups, "triangular", "per_width",
                      {config::layer("conv", "conv1",
                                     {{"channels", config::integers(channels)},
                                      {"kernel", config::integer(kernel)},
                                      {"stride", config::integer(4)},
                                      {"bias", config::flag(false)}}),
                       config::layer("batch_norm", "norm1"), config::layer("relu", "relu1"),
                       config::layer("dropout", "dropout1", {{"rate", config::real(0.25)}})}));
}

// 40 images to train, 10 held out, 15 to test: four batches an epoch.
RunConfig run_config(int groups) {
  RunConfig config{"tiny", network(groups), {}, {}, {}};
  config.data.format = "digits";
  config.data.validation = 0.2;
  config.data.digits.train_images = 50;
  config.data.digits.test_images = 15;
  config.data.augmentation = {
      .crop_padding = 2, .cutout = 5, .rotation_degrees = 10, .scale = 0.1F};
  config.training.epochs = {2};
  config.training.batch_size = 10;
  config.training.threads = 1;
  config.training.gradient_clip = 5;
  config.training.checkpoint_every = 0;
  return config;
}

RunConfig run_config(int groups, const std::string& schedule, const std::string& optimiser) {
  RunConfig config = run_config(groups);
  config.training.schedule = schedule;
  config.training.optimiser.kind = optimiser;
  config.training.optimiser.learning_rate = optimiser == "sgd" ? 0.05 : 0.003;
  return config;
}

// Healthy in the first epoch; from the second on the rate is multiplied by `factor`.
RunConfig exploding(double factor) {
  RunConfig config = run_config(1);
  config.training.gradient_clip = 0;
  config.training.optimiser.weight_decay = 100;
  config.training.optimiser.learning_rate = 1e-4;
  config.training.learning_rate_schedule.kind = "step";
  config.training.learning_rate_schedule.milestones = {0.5};
  config.training.learning_rate_schedule.factor = factor;
  return config;
}

const TrainingData& digits() {
  static const TrainingData kData = load_training_data(run_config(1).data, {});
  return kData;
}

// Calls `on_event` with the name of every event, in order, before anything else.
class Watcher : public TrainingObserver {
 public:
  using OnEvent = std::function<void(const std::string& event)>;
  explicit Watcher(OnEvent on_event = [](const std::string&) {}) : on_event_(std::move(on_event)) {}

  void begin(const TrainingPosition& position, bool resumed) override {
    begun.emplace_back(position, resumed);
    on_event_("begin");
  }
  void batch(const TrainingProgress& progress) override {
    last = progress;
    ++batches;
    on_event_("batch");
  }
  void epoch(const EpochReport& report) override {
    epochs.push_back(report);
    on_event_("epoch");
  }
  void checkpoint(const Path& /*path*/) override {
    ++checkpoints;
    on_event_("checkpoint");
  }
  void group(const TrainingPosition& /*position*/, const Path& model) override {
    models.push_back(read_file(model));
    on_event_("group");
  }
  void note(const std::string& text) override { notes.push_back(text); }
  bool should_stop() override { return batches == stop_after; }

  int stop_after = -1;
  int batches = 0;
  int checkpoints = 0;
  TrainingProgress last;
  std::vector<std::pair<TrainingPosition, bool>> begun;
  std::vector<EpochReport> epochs;
  std::vector<Bytes> models;  // the file after each step
  std::vector<std::string> notes;

 private:
  OnEvent on_event_;
};

// Every file below a folder with its content.
std::map<std::string, Bytes> content_of(const Path& folder) {
  std::map<std::string, Bytes> files;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) {
    if (entry.is_regular_file()) files[entry.path()] = read_file(entry.path());
  }
  return files;
}

// Logits of the first test images, one row for each width.
std::vector<std::vector<float>> outputs_of(const Path& path) {
  const Model model = Model::load(path);
  Session session(model, {.max_batch = 3});
  std::vector<float> images;
  for (std::size_t i = 0; i < 3; ++i) {
    for (const std::uint8_t pixel : digits().test->image(i)) {
      images.push_back(static_cast<float>(pixel) / 255.0F);
    }
  }
  session.run(images, model.groups());
  std::vector<std::vector<float>> outputs;
  for (int width = 1; width <= model.groups(); ++width) {
    const auto logits = session.logits(width);
    outputs.emplace_back(logits.begin(), logits.end());
  }
  return outputs;
}

// `wide` holds all groups of `narrow` bit for bit and answers like it at its widths.
void expect_grown_from(const Path& wide, const Path& narrow) {
  const ModelFile large = load_model(wide);
  const ModelFile small = load_model(narrow);
  for (int group = 1; group <= small.network.groups(); ++group) {
    const auto i = static_cast<std::size_t>(group - 1);
    EXPECT_EQ(large.facts.groups[i].sha256, small.facts.groups[i].sha256) << "group " << group;
    EXPECT_TRUE(
        std::ranges::equal(large.weights.group_bytes(group), small.weights.group_bytes(group)))
        << "group " << group;
  }
  auto outputs = outputs_of(wide);
  outputs.resize(static_cast<std::size_t>(small.network.groups()));
  EXPECT_EQ(outputs, outputs_of(narrow));
}

class Trainer : public ::testing::Test {
 protected:
  Path folder_ = fresh_folder();

  [[nodiscard]] Path path(const std::string& name) const { return folder_ / name; }
  [[nodiscard]] Path model(const std::string& run) const {
    return folder_ / run / "model.safetensors";
  }
  [[nodiscard]] TrainerOptions options(const std::string& run) const {
    TrainerOptions result;
    result.folder = folder_ / run;
    result.created_with = "a test";
    return result;
  }
  [[nodiscard]] TrainerOptions resuming(const std::string& run) const {
    TrainerOptions result = options(run);
    result.resume = true;
    return result;
  }

  [[nodiscard]] std::vector<Json> log_of(const std::string& run) const {
    std::ifstream log(folder_ / run / "log.jsonl");
    std::vector<Json> lines;
    for (std::string line; std::getline(log, line);) lines.push_back(Json::parse(line));
    return lines;
  }

  // A whole run; the bytes of its model.
  Bytes trained(const RunConfig& config, const TrainerOptions& wanted) {
    Watcher watcher;
    const TrainingOutcome outcome = train(config, digits(), wanted, watcher);
    EXPECT_TRUE(outcome.finished);
    EXPECT_FALSE(std::filesystem::exists(wanted.folder / "checkpoint"));
    return read_file(outcome.model);
  }
  Bytes trained(const RunConfig& config, const std::string& run) {
    return trained(config, options(run));
  }

  // A run that stops after `batches` batches.
  void stop(const RunConfig& config, const TrainerOptions& wanted, int batches) {
    Watcher watcher;
    watcher.stop_after = batches;
    EXPECT_FALSE(train(config, digits(), wanted, watcher).finished);
  }

  // Stops after every single batch until the run is finished; the files after each step.
  std::vector<Bytes> train_batch_by_batch(const RunConfig& config, TrainerOptions wanted,
                                          int batches) {
    std::vector<Bytes> models;
    for (int done = 0;; ++done) {
      Watcher watcher;
      watcher.stop_after = 1;
      const TrainingOutcome outcome = train(config, digits(), wanted, watcher);
      models.insert(models.end(), watcher.models.begin(), watcher.models.end());
      if (outcome.finished) {
        EXPECT_EQ(done, batches);
        return models;
      }
      wanted.resume = true;
      if (done > batches) throw std::logic_error("the run does not end");
    }
  }

  // No file changes by the call, which is refused with these parts in its message.
  void expect_refused_unchanged(ErrorCode code, std::initializer_list<std::string> parts,
                                const RunConfig& config, const TrainingData& data,
                                const TrainerOptions& wanted) {
    const auto before = content_of(folder_);
    Watcher watcher;
    expect_error(code, parts, [&] { train(config, data, wanted, watcher); });
    EXPECT_THAT(watcher.begun, IsEmpty());
    EXPECT_EQ(content_of(folder_), before);
  }
};

struct Schedule {
  const char* name;
  const char* schedule;
  const char* optimiser;
  bool extend;
  int batches;  // of the whole run
  int threads = 1;
  void (*change)(TrainingConfig&) = [](TrainingConfig&) {};
};

void PrintTo(const Schedule& schedule, std::ostream* out) { *out << schedule.name; }

void stacked(TrainingConfig& training) { training.stacking = true; }
void averaged(TrainingConfig& training) { training.average = 0.8; }

class TrainerSchedules : public Trainer, public ::testing::WithParamInterface<Schedule> {};

TEST_P(TrainerSchedules, StoppedAfterEveryBatchItEndsWithTheSameFileBitForBit) {
  const Schedule& schedule = GetParam();
  RunConfig config = run_config(3, schedule.schedule, schedule.optimiser);
  config.training.threads = schedule.threads;
  schedule.change(config.training);
  if (config.training.distillation.teacher == "model") {
    trained(run_config(2), "teacher");
    config.training.distillation.model = model("teacher").string();
  }
  TrainerOptions whole = options("whole");
  TrainerOptions stopped = options("stopped");
  if (schedule.extend) {
    trained(run_config(1), "base");
    whole.extend = stopped.extend = model("base");
  }
  Watcher watcher;
  ASSERT_TRUE(train(config, digits(), whole, watcher).finished);
  EXPECT_EQ(watcher.batches, schedule.batches);
  const std::vector<Bytes> models = train_batch_by_batch(config, stopped, schedule.batches);
  EXPECT_EQ(models, watcher.models);
  EXPECT_EQ(read_file(model("stopped")), read_file(model("whole")));
  for (std::size_t i = 0; i < models.size(); ++i) {
    expect_grown_from(model("stopped"), write_file(path("step.safetensors"), models[i]));
  }
  if (schedule.extend) expect_grown_from(model("stopped"), model("base"));
}

INSTANTIATE_TEST_SUITE_P(
    All, TrainerSchedules,
    ::testing::Values(Schedule{"IncrementalSgd", "incremental", "sgd", false, 24},
                      Schedule{"IncrementalAdamw", "incremental", "adamw", false, 24},
                      Schedule{"JointSgd", "joint", "sgd", false, 8},
                      Schedule{"JointAdamw", "joint", "adamw", false, 8},
                      Schedule{"ExtendSgd", "incremental", "sgd", true, 16},
                      Schedule{"ExtendJointAdamw", "joint", "adamw", true, 8},
                      Schedule{"Stacked", "incremental", "sgd", false, 24, 1, stacked},
                      Schedule{"ExtendStackedAdamw", "incremental", "adamw", true, 16, 1, stacked},
                      Schedule{"JointSelector", "joint", "sgd", false, 8, 1,
                               [](TrainingConfig& training) { training.selector.alpha = 0.3; }},
                      Schedule{"Averaged", "incremental", "sgd", false, 24, 1, averaged},
                      Schedule{"AveragedJointAdamw", "joint", "adamw", false, 8, 1, averaged},
                      Schedule{"AveragedStacked", "incremental", "sgd", false, 24, 1,
                               [](TrainingConfig& training) {
                                 averaged(training);
                                 stacked(training);
                               }},
                      Schedule{"LookingAheadAveraged", "incremental", "sgd", false, 24, 1,
                               [](TrainingConfig& training) {
                                 averaged(training);
                                 training.look_ahead = 1;
                               }},
                      Schedule{"ExtendLookingAheadFar", "incremental", "adamw", true, 16, 1,
                               [](TrainingConfig& training) { training.look_ahead = 5; }},
                      Schedule{"LateralDecorrelated", "incremental", "sgd", false, 24, 1,
                               [](TrainingConfig& training) {
                                 training.lateral = 0;
                                 training.decorrelation = 0.5;
                               }},
                      Schedule{"Restarts", "incremental", "sgd", false, 24, 1,
                               [](TrainingConfig& training) {
                                 training.learning_rate_schedule.restarts = 1;
                               }},
                      Schedule{"JointFromTheWidest", "joint", "sgd", false, 8, 1,
                               [](TrainingConfig& training) {
                                 training.distillation.teacher = "widest";
                               }},
                      Schedule{"JointFromTheEnsemble", "joint", "sgd", false, 8, 1,
                               [](TrainingConfig& training) {
                                 training.distillation.teacher = "ensemble";
                               }},
                      Schedule{"FromAModel", "incremental", "sgd", false, 24, 1,
                               [](TrainingConfig& training) {
                                 training.distillation.teacher = "model";
                               }},
                      Schedule{
                          "ExtendJointWeighed", "joint", "sgd", true, 8, 1,
                          [](TrainingConfig& training) {
                            training.width_weights = {1, 0.5, 2};
                          }},
                      Schedule{"Bf16", "incremental", "sgd", false, 24, 1,
                               [](TrainingConfig& training) { training.precision = "bf16"; }},
                      Schedule{"TwoThreads", "incremental", "sgd", false, 24, 2}),
    [](const auto& instance) { return std::string(instance.param.name); });

TEST_F(Trainer, ASelectorLearnedAlongIsInTheModelAndChangesWhatTheClassifiersLearn) {
  RunConfig config = run_config(3, "joint", "sgd");
  trained(config, "alone");
  EXPECT_THAT(load_model(model("alone")).info.selectors, IsEmpty());
  config.training.selector.alpha = 0.3;
  trained(config, "with");
  const ModelFile with = load_model(model("with"));
  ASSERT_THAT(with.info.selectors, SizeIs(1));
  EXPECT_EQ(with.info.selectors[0].alpha, 0.3);
  EXPECT_THAT(with.info.selectors[0].widths, SizeIs(2));
  EXPECT_NE(with.facts.groups[0].sha256, load_model(model("alone")).facts.groups[0].sha256);
  // With no share in the loss the classifiers learn as without it.
  config.training.selector.share = 0;
  trained(config, "aside");
  EXPECT_EQ(load_model(model("aside")).facts.groups[2].sha256,
            load_model(model("alone")).facts.groups[2].sha256);
  bool logged = false;
  for (const Json& line : log_of("with")) logged = logged || line["event"] == "selector";
  EXPECT_TRUE(logged);
}

TEST_F(Trainer, WidthsThatCountNothingTeachNothing) {
  RunConfig joint = run_config(3, "joint", "sgd");
  joint.training.width_weights = {2, 0, 0};
  joint.training.optimiser.weight_decay = 0;
  joint.training.gradient_clip = 0;
  trained(joint, "joint");
  // A group that no loss asks for keeps its initial weights; those of convolutions are compared.
  const ModelFile file = load_model(model("joint"));
  WeightSet initial(joint.network, 3);
  for (int group = 1; group <= 3; ++group) {
    initialise_group(joint.network, group, static_cast<std::uint64_t>(joint.training.seed), 1,
                     initial);
  }
  constexpr int kConvolution = 0;
  for (int group = 1; group <= 3; ++group) {
    const auto learned = file.weights.values(group, kConvolution, ParameterRole::kWeight);
    const auto before = std::as_const(initial).values(group, kConvolution, ParameterRole::kWeight);
    EXPECT_EQ(std::ranges::equal(learned, before), group > 1) << group;
  }
  // Twice the loss at half the rate is the same run.
  RunConfig doubled = run_config(2, "joint", "sgd");
  RunConfig plain = run_config(2, "joint", "sgd");
  doubled.training.width_weights = {2, 2};
  for (RunConfig* config : {&doubled, &plain}) {
    config->training.gradient_clip = 0;
    config->training.optimiser.weight_decay = 0;
  }
  doubled.training.optimiser.learning_rate = plain.training.optimiser.learning_rate / 2;
  trained(doubled, "doubled");
  trained(plain, "plain");
  const auto a = outputs_of(model("doubled"));
  const auto b = outputs_of(model("plain"));
  for (std::size_t width = 0; width < a.size(); ++width) {
    for (std::size_t i = 0; i < a[width].size(); ++i) {
      EXPECT_NEAR(a[width][i], b[width][i], 1e-4) << width << ' ' << i;
    }
  }
}

// The weights after each update are what a run of so many updates ends with.
TEST_F(Trainer, AnAverageIsThatOfTheWeightsAfterEachUpdate) {
  RunConfig config = run_config(1);
  config.training.epochs = {1};
  config.training.learning_rate_schedule.kind = "constant";
  const auto updates = static_cast<int>(digits().training.size()) / config.training.batch_size;
  std::vector<std::vector<float>> after;
  TrainerOptions stopping = options("stopped");
  for (int update = 1; update <= updates; ++update) {
    Watcher watcher;
    watcher.stop_after = 1;
    static_cast<void>(train(config, digits(), stopping, watcher));
    stopping.resume = true;
    const Checkpoint checkpoint = load_checkpoint(stopping.folder / "checkpoint");
    ASSERT_EQ(checkpoint.arrays.front().name, "weights.group.1");
    after.push_back(checkpoint.arrays.front().values);
  }
  config.training.average = 0.15;
  trained(config, "averaged");
  const ModelFile file = load_model(model("averaged"));
  const auto averaged_values = file.weights.group_values(1);
  WeightSet initial(config.network, 1);
  initialise_group(config.network, 1, static_cast<std::uint64_t>(config.training.seed), 1, initial);
  for (std::size_t i = 0; i < averaged_values.size(); ++i) {
    double average = static_cast<double>(initial.group_values(1)[i]);
    for (int update = 1; update <= updates; ++update) {
      const double keep = std::min(0.15, update / (update + 9.0));
      const double weight = static_cast<double>(after[static_cast<std::size_t>(update - 1)][i]);
      average = keep * average + (1 - keep) * weight;
    }
    ASSERT_NEAR(static_cast<double>(averaged_values[i]), average, 1e-5) << i;
  }
}

TEST_F(Trainer, LookingAheadChangesWhatAGroupLearnsAndLeavesNothingBehind) {
  RunConfig config = run_config(3);
  trained(config, "alone");
  config.training.look_ahead = 1;
  trained(config, "ahead");
  const ModelFile alone = load_model(model("alone"));
  const ModelFile ahead = load_model(model("ahead"));
  EXPECT_EQ(ahead.network.groups(), 3);
  EXPECT_NE(ahead.facts.groups[0].sha256, alone.facts.groups[0].sha256);
  // The last group looks at nothing; over the same frozen groups it learns the same.
  config.training.look_ahead = 0;
  const ModelFile two = load_model(model("ahead"), 2);
  save_model(path("two.safetensors"), two.network, two.weights, two.info);
  TrainerOptions extending = options("extended");
  extending.extend = path("two.safetensors");
  Watcher watcher;
  ASSERT_TRUE(train(config, digits(), extending, watcher).finished);
  EXPECT_EQ(load_model(model("extended")).facts.groups[2].sha256, ahead.facts.groups[2].sha256);
}

TEST_F(Trainer, ATeacherChangesWhatIsLearnedAndMustBeTheSameToGoOn) {
  RunConfig config = run_config(1);
  trained(config, "teacher");
  trained(config, "alone");
  config.training.distillation.teacher = "model";
  config.training.distillation.model = model("teacher").string();
  trained(config, "taught");
  EXPECT_NE(load_model(model("taught")).facts.groups[0].sha256,
            load_model(model("alone")).facts.groups[0].sha256);
  Watcher watcher;
  watcher.stop_after = 2;
  static_cast<void>(train(config, digits(), options("stopped"), watcher));
  RunConfig other = run_config(1);
  other.training.seed = 9;
  trained(other, "other");
  std::filesystem::copy_file(model("other"), model("teacher"),
                             std::filesystem::copy_options::overwrite_existing);
  TrainerOptions resuming = options("stopped");
  resuming.resume = true;
  expect_refused_unchanged(ErrorCode::kInvalidArgument, {"another teacher"}, config, digits(),
                           resuming);
}

TEST_F(Trainer, FineTuningGoesOnWithTheLastGroupAndKeepsThoseBefore) {
  RunConfig config = run_config(3);
  config.training.stacking = true;
  trained(config, "first");
  TrainerOptions tuning = options("tuned");
  tuning.extend = model("first");
  tuning.fine_tune = true;
  // At no rate at all nothing moves but the running statistics of batch_norm.
  config.training.optimiser.learning_rate = 1e-12;
  trained(config, tuning);
  ModelFile first = load_model(model("first"));
  ModelFile tuned = load_model(model("tuned"));
  ASSERT_EQ(tuned.network.groups(), 3);
  EXPECT_EQ(tuned.facts.groups[0].sha256, first.facts.groups[0].sha256);
  EXPECT_EQ(tuned.facts.groups[1].sha256, first.facts.groups[1].sha256);
  EXPECT_NE(tuned.facts.groups[2].sha256, first.facts.groups[2].sha256);
  for (const ParameterKey& key : first.network.parameters(3)) {
    if (!key.spec.learned()) continue;
    const auto before = std::as_const(first.weights).values(key);
    const auto after = std::as_const(tuned.weights).values(key);
    for (std::size_t i = 0; i < before.size(); ++i) EXPECT_NEAR(after[i], before[i], 1e-6);
  }
  // Stopped after every batch it ends with the same bits.
  config.training.optimiser.learning_rate = 0.05;
  tuning.folder = path("whole");
  const Bytes whole = trained(config, tuning);
  tuning.folder = path("stopped");
  train_batch_by_batch(config, tuning, 8);
  EXPECT_EQ(read_file(model("stopped")), whole);
  tuning.folder = path("refused");
  RunConfig wider = run_config(2);
  expect_refused_unchanged(ErrorCode::kInvalidArgument, {"3 groups", "as many"}, wider, digits(),
                           tuning);
  expect_refused_unchanged(ErrorCode::kInvalidArgument, {"training.schedule", "last group"},
                           run_config(3, "joint", "sgd"), digits(), tuning);
}

TEST_F(Trainer, ASelectorNeedsAllGroupsTrainedTogether) {
  trained(run_config(1), "base");
  RunConfig config = run_config(3, "joint", "sgd");
  config.training.selector.alpha = 0.3;
  TrainerOptions extending = options("run");
  extending.extend = model("base");
  expect_refused_unchanged(ErrorCode::kInvalidArgument, {"training.selector.alpha", "--extend"},
                           config, digits(), extending);
}

TEST_F(Trainer, CutShortAtAnyEventItCanBeResumedToTheSameFileBitForBit) {
  RunConfig config = run_config(2);
  int events = 0;
  Watcher counting([&](const std::string&) { ++events; });
  config.training.checkpoint_every = 3;
  ASSERT_TRUE(train(config, digits(), options("whole"), counting).finished);
  const Bytes whole = read_file(model("whole"));
  EXPECT_EQ(counting.checkpoints, 4 + 2);  // one every three batches of a step's 8; one at its end
  for (int cut = 1; cut <= events; ++cut) {
    SCOPED_TRACE("event " + std::to_string(cut));
    config.training.checkpoint_every = cut % 2 == 0 ? 3 : 0;
    int left = cut;
    Watcher cutting([&](const std::string&) {
      if (--left == 0) throw std::runtime_error("cut");
    });
    TrainerOptions fresh = options("cut");
    fresh.overwrite = true;
    try {
      // Fewer events come without checkpoints on the way: then it is not cut.
      EXPECT_TRUE(train(config, digits(), fresh, cutting).finished);
      EXPECT_GT(left, 0);
      EXPECT_EQ(read_file(model("cut")), whole);
      continue;
    } catch (const std::runtime_error& error) {
      EXPECT_STREQ(error.what(), "cut");
    }
    EXPECT_EQ(trained(config, resuming("cut")), whole);
  }
}

TEST_F(Trainer, KilledBeforeItsCheckpointIsRemovedItEndsWithTheSameFile) {
  const RunConfig config = run_config(2);
  Path kept = path("kept");
  Watcher watcher([&](const std::string& event) {
    if (event == "group") {
      std::filesystem::copy_file(path("run/checkpoint"), kept,
                                 std::filesystem::copy_options::overwrite_existing);
    }
  });
  ASSERT_TRUE(train(config, digits(), options("run"), watcher).finished);
  const Bytes whole = read_file(model("run"));
  std::filesystem::copy_file(kept, path("run/checkpoint"));
  EXPECT_EQ(trained(config, resuming("run")), whole);
  EXPECT_EQ(outputs_of(model("run")).size(), 2U);
}

TEST_F(Trainer, ResumingSaysWhereItGoesOn) {
  const RunConfig config = run_config(2);
  stop(config, options("run"), 4);
  Watcher watcher;
  EXPECT_TRUE(train(config, digits(), resuming("run"), watcher).finished);
  ASSERT_THAT(watcher.begun, SizeIs(2));
  EXPECT_TRUE(watcher.begun[0].second);
  EXPECT_EQ(watcher.begun[0].first.epoch, 0);
  EXPECT_EQ(watcher.begun[0].first.batch, 4);
  EXPECT_FALSE(watcher.begun[1].second);
  // The epoch that had been trained whole is validated and told with its figures.
  ASSERT_THAT(watcher.epochs, SizeIs(4));
  EXPECT_GT(watcher.epochs[0].training.loss, 0);
  EXPECT_GT(watcher.epochs[0].training.learning_rate, 0);
  EXPECT_EQ(watcher.epochs[0].training.position.batch, 4);
}

TEST_F(Trainer, GivesTheSameFileForTheSameSeedAndAnotherForAnother) {
  for (const int threads : {1, 2}) {
    RunConfig config = run_config(2);
    config.training.threads = threads;
    const std::string name = std::to_string(threads);
    const Bytes first = trained(config, "first" + name);
    EXPECT_EQ(trained(config, "second" + name), first);
    config.training.seed = 2;
    EXPECT_NE(trained(config, "third" + name), first);
  }
}

TEST_F(Trainer, ReportsTheAccuraciesThatAreInTheFile) {
  const RunConfig config = run_config(2);
  Watcher watcher;
  const TrainingOutcome outcome = train(config, digits(), options("run"), watcher);
  const ModelFile file = load_model(outcome.model);
  const auto expect_scores = [](const std::vector<WidthScore>& scores,
                                const std::vector<double>& accuracies) {
    ASSERT_EQ(scores.size(), accuracies.size());
    for (std::size_t i = 0; i < scores.size(); ++i) EXPECT_EQ(scores[i].accuracy, accuracies[i]);
  };
  ASSERT_THAT(outcome.test, SizeIs(2));
  expect_scores(outcome.validation, file.info.validation_accuracy);
  expect_scores(outcome.test, file.info.test_accuracy);
  expect_scores(evaluate(Model::load(outcome.model), *digits().test), file.info.test_accuracy);
  // A frozen width's accuracy is final when its step ends.
  const Path step = write_file(path("step.safetensors"), watcher.models[0]);
  EXPECT_THAT(load_model(step).info.validation_accuracy,
              ElementsAre(file.info.validation_accuracy[0]));
  EXPECT_EQ(file.info.classes, digits().training.class_names());
  EXPECT_EQ(file.info.created_with, "a test");
}

TEST_F(Trainer, TrainsWithoutHeldOutAndTestImages) {
  TrainingData data;
  data.training = digits().training;
  Watcher watcher;
  const TrainingOutcome outcome = train(run_config(2), data, options("run"), watcher);
  EXPECT_TRUE(outcome.finished);
  EXPECT_THAT(outcome.validation, IsEmpty());
  EXPECT_THAT(outcome.test, IsEmpty());
  const ModelInfo info = load_model(outcome.model).info;
  EXPECT_THAT(info.validation_accuracy, IsEmpty());
  EXPECT_THAT(info.test_accuracy, IsEmpty());
  // What is held out has no say in the weights.
  trained(run_config(2), "validated");
  EXPECT_EQ(outputs_of(model("run")), outputs_of(model("validated")));
}

TEST_F(Trainer, TrainsEveryGroupForItsOwnNumberOfEpochs) {
  RunConfig config = run_config(3);
  config.training.epochs = {1, 3, 2};
  Watcher watcher;
  EXPECT_TRUE(train(config, digits(), options("run"), watcher).finished);
  std::map<int, int> epochs;
  for (const EpochReport& report : watcher.epochs) ++epochs[report.training.position.first_group];
  EXPECT_EQ(epochs, (std::map<int, int>{{1, 1}, {2, 3}, {3, 2}}));
  EXPECT_EQ(load_model(model("run")).info.epochs, "1, 3, 2");
  train_batch_by_batch(config, options("stopped"), 24);
  EXPECT_EQ(read_file(model("stopped")), read_file(model("run")));
}

// What width 2 reads of group 1 is what width 1 makes of it, times one number.
TEST_F(Trainer, AStackedWidthTakesInTheNarrowerAnswerAsAWhole) {
  RunConfig config = run_config(2);
  config.training.stacking = true;
  trained(config, "stacked");
  const ModelFile file = load_model(model("stacked"));
  const int head = static_cast<int>(file.network.nodes().size()) - 1;
  const auto narrow = file.weights.values(1, head, ParameterRole::kWeight);
  const auto wide = file.weights.values(2, head, ParameterRole::kWeight);
  const std::size_t features = narrow.size() / kClasses;
  double narrower = 0;
  for (const Json& line : log_of("stacked")) {
    if (line.at("event") == "stacked") narrower = line.at("narrower").get<double>();
  }
  EXPECT_NE(narrower, 0);
  for (std::size_t row = 0; row < kClasses; ++row) {
    for (std::size_t i = 0; i < features; ++i) {
      EXPECT_NEAR(wide[row * wide.size() / kClasses + i], narrower * narrow[row * features + i],
                  1e-6);
    }
  }
  config.training.stacking = false;
  trained(config, "learned");
  EXPECT_EQ(load_model(model("learned")).facts.groups[0].sha256, file.facts.groups[0].sha256);
  EXPECT_NE(load_model(model("learned")).facts.groups[1].sha256, file.facts.groups[1].sha256);
}

TEST_F(Trainer, RefusesToStackWithoutHeldOutImages) {
  RunConfig config = run_config(2);
  config.training.stacking = true;
  TrainingData data = digits();
  data.validation = {};
  expect_refused_unchanged(ErrorCode::kInvalidArgument, {"training.stacking", "data.validation"},
                           config, data, options("refused"));
}

TEST_F(Trainer, KeepsCheckpointsAsOftenAsAskedFor) {
  RunConfig config = run_config(1);
  for (const auto& [every, expected] : std::map<int, int>{{0, 1}, {1, 9}, {3, 3}, {8, 2}}) {
    config.training.checkpoint_every = every;
    Watcher watcher;
    const std::string run = "run" + std::to_string(every);
    EXPECT_TRUE(train(config, digits(), options(run), watcher).finished);
    EXPECT_EQ(watcher.checkpoints, expected) << every;
  }
}

TEST_F(Trainer, ExtendingKeepsTheClassesAndTheNormalisationOfTheBase) {
  trained(run_config(1), "base");
  TrainerOptions extending = options("wide");
  extending.extend = model("base");
  // Darker images, which would be normalised differently.
  DatasetContent content;
  content.name = "dark digits";
  content.shape = digits().training.shape();
  content.class_names = digits().training.class_names();
  for (std::size_t i = 0; i < digits().training.size(); ++i) {
    for (const std::uint8_t pixel : digits().training.image(i)) {
      content.pixels.push_back(pixel / 2);
    }
    content.labels.push_back(digits().training.label(i));
  }
  TrainingData data;
  data.training = Dataset(content);
  Watcher watcher;
  EXPECT_TRUE(train(run_config(3), data, extending, watcher).finished);
  const ModelInfo base = load_model(model("base")).info;
  const ModelInfo wide = load_model(model("wide")).info;
  EXPECT_EQ(wide.mean, base.mean);
  EXPECT_EQ(wide.stddev, base.stddev);
  EXPECT_EQ(wide.classes, base.classes);
  expect_grown_from(model("wide"), model("base"));
  EXPECT_EQ(watcher.begun[0].first.first_group, 2);
}

TEST_F(Trainer, ExtendingABaseWithoutNormalisationGoesOnWithoutIt) {
  trained(run_config(1), "base");
  ModelFile base = load_model(model("base"));
  base.info.mean.clear();
  base.info.stddev.clear();
  base.info.validation_accuracy.clear();
  const Path plain = path("plain.safetensors");
  save_model(plain, base.network, base.weights, base.info);
  TrainerOptions extending = options("wide");
  extending.extend = plain;
  Watcher watcher;
  EXPECT_TRUE(train(run_config(3), digits(), extending, watcher).finished);
  expect_grown_from(model("wide"), plain);
  EXPECT_THAT(load_model(model("wide")).info.mean, IsEmpty());
  // The base's own width was not measured before the end, so nothing is said of it.
  const Path step = write_file(path("step.safetensors"), watcher.models[0]);
  EXPECT_THAT(load_model(step).info.validation_accuracy, IsEmpty());
  EXPECT_THAT(load_model(model("wide")).info.validation_accuracy, SizeIs(3));
  TrainerOptions stopped = options("stopped");
  stopped.extend = plain;
  train_batch_by_batch(run_config(3), stopped, 16);
  EXPECT_EQ(read_file(model("stopped")), read_file(model("wide")));
}

TEST_F(Trainer, ExtendingRecordsHowTheBaseWasMade) {
  RunConfig config = run_config(1);
  config.training.epochs = {3};
  trained(config, "base");
  TrainerOptions extending = options("wide");
  extending.extend = model("base");
  trained(run_config(2), extending);
  TrainerOptions again = options("wider");
  again.extend = model("wide");
  trained(run_config(3), again);
  const ModelFile wide = load_model(model("wide"));
  const ModelFile wider = load_model(model("wider"));
  EXPECT_EQ(wide.info.epochs, "3, 2");
  EXPECT_EQ(wider.info.epochs, "3, 2, 2");
  const auto base_of = [](const ModelFile& file) {
    for (const auto& [key, value] : file.info.extra) {
      if (key == "base_sha256") return value;
    }
    return std::string("none");
  };
  const auto& groups = wider.facts.groups;
  EXPECT_EQ(base_of(wide), groups[0].sha256);
  EXPECT_EQ(base_of(wider), groups[0].sha256 + ", " + groups[1].sha256);
  EXPECT_EQ(base_of(load_model(model("base"))), "none");
}

TEST_F(Trainer, RefusesABaseThatItCannotExtend) {
  trained(run_config(2), "base");
  const std::string base = model("base");
  TrainerOptions extending = options("wide");
  extending.extend = base;
  std::filesystem::create_directories(extending.folder);
  const auto invalid = ErrorCode::kInvalidArgument;
  expect_refused_unchanged(invalid, {base, "2 groups", "more"}, run_config(2), digits(), extending);
  RunConfig other = run_config(3);
  other.network = network(3, 4);
  expect_refused_unchanged(invalid, {base, "first 2 groups"}, other, digits(), extending);
  ModelFile file = load_model(base);
  std::swap(file.info.classes[0], file.info.classes[1]);
  extending.extend = path("renamed.safetensors");
  save_model(*extending.extend, file.network, file.weights, file.info);
  expect_refused_unchanged(invalid, {"renamed.safetensors", "classes", "drawn digits"},
                           run_config(3), digits(), extending);
  extending.extend = path("none");
  expect_refused_unchanged(ErrorCode::kNotFound, {path("none")}, run_config(3), digits(),
                           extending);
  // Its own model would be lost with the first group trained, and could not be resumed from.
  TrainerOptions itself = options("base");
  itself.extend = base;
  itself.overwrite = true;
  expect_refused_unchanged(invalid, {base, "another folder"}, run_config(3), digits(), itself);
}

TEST_F(Trainer, ResumesAnExtensionOnlyOfTheSameBase) {
  trained(run_config(1), "base");
  RunConfig other = run_config(1);
  other.training.seed = 7;
  trained(other, "other");
  const RunConfig config = run_config(2);
  TrainerOptions extending = options("wide");
  extending.extend = model("base");
  stop(config, extending, 3);
  stop(config, options("plain"), 3);
  const auto invalid = ErrorCode::kInvalidArgument;
  TrainerOptions wrong = resuming("wide");
  expect_refused_unchanged(invalid, {path("wide"), "--extend"}, config, digits(), wrong);
  wrong.extend = model("other");
  expect_refused_unchanged(invalid, {path("wide"), model("other"), "began"}, config, digits(),
                           wrong);
  ModelFile shifted = load_model(model("base"));
  shifted.info.mean[0] += 0.125;
  wrong.extend = path("shifted.safetensors");
  save_model(*wrong.extend, shifted.network, shifted.weights, shifted.info);
  expect_refused_unchanged(invalid,
                           {path("wide"), "normalisation", path("shifted.safetensors"), "began"},
                           config, digits(), wrong);
  wrong.folder = path("plain");
  expect_refused_unchanged(invalid, {path("plain"), "without --extend"}, config, digits(), wrong);
}

TEST_F(Trainer, ResumesOnlyTheVeryRunAndNamesWhatDiffers) {
  const RunConfig config = run_config(2);
  stop(config, options("run"), 3);
  const auto refused = [&](std::initializer_list<std::string> parts, const auto& change) {
    RunConfig other = run_config(2);
    TrainingData data = digits();
    change(other, data);
    expect_refused_unchanged(ErrorCode::kInvalidArgument, parts, other, data, resuming("run"));
  };
  refused({path("run"), "'training.seed' was 1, now it is 5"},
          [](RunConfig& other, TrainingData&) { other.training.seed = 5; });
  refused({path("run"), "'training.optimiser.kind'", "adamw"},
          [](RunConfig& other, TrainingData&) { other.training.optimiser.kind = "adamw"; });
  refused({path("run"), "'network.layers[0].kernel'", "4"},
          [](RunConfig& other, TrainingData&) { other.network = network(2, 4); });
  refused({path("run"), "'network.groups' was 2, now it is 3"},
          [](RunConfig& other, TrainingData&) { other.network = network(3); });
  refused({path("run"), "40 images", "30 images"},
          [](RunConfig&, TrainingData& data) { data.training = data.training.first(30); });
  refused({path("run"), "40 images", "other content"}, [](RunConfig&, TrainingData& data) {
    std::vector<std::uint32_t> turned(data.training.size());
    for (std::uint32_t i = 0; i < turned.size(); ++i) turned[turned.size() - 1 - i] = i;
    data.training = data.training.subset(turned);
  });
  refused({path("run"), "1 threads", "--threads 1"},
          [](RunConfig& other, TrainingData&) { other.training.threads = 2; });
  // What does not decide the bits may differ.
  RunConfig same = run_config(2);
  same.training.checkpoint_every = 5;
  same.data.path = "elsewhere";
  same.expected = {.test_accuracy = {0.1, 0.2}, .measured = "never"};
  EXPECT_EQ(trained(same, resuming("run")), trained(config, "whole"));
}

TEST_F(Trainer, LeavesAFolderThatHoldsARunAloneUnlessToldOtherwise) {
  const RunConfig config = run_config(1);
  const auto invalid = ErrorCode::kInvalidArgument;
  trained(config, "finished");
  stop(config, options("stopped"), 3);
  for (const char* run : {"finished", "stopped"}) {
    expect_refused_unchanged(invalid, {path(run), "--resume", "--overwrite"}, config, digits(),
                             options(run));
  }
  expect_refused_unchanged(invalid, {path("finished"), "finished already"}, config, digits(),
                           resuming("finished"));
  // Nor is anything replaced by a run that cannot begin.
  TrainerOptions replacing = options("finished");
  replacing.overwrite = true;
  RunConfig large = run_config(1);
  large.training.batch_size = 41;
  expect_refused_unchanged(invalid, {"training.batch_size"}, large, digits(), replacing);
  RunConfig bent = run_config(1);
  bent.data.augmentation.cutout = 99;
  expect_refused_unchanged(invalid, {"cutout"}, bent, digits(), replacing);
  replacing.extend = path("none");
  expect_refused_unchanged(ErrorCode::kNotFound, {path("none")}, config, digits(), replacing);
}

TEST_F(Trainer, SaysHowToKeepTheGroupsOfARunWhoseCheckpointIsDamagedOrGone) {
  const RunConfig config = run_config(2);
  Watcher watcher;
  watcher.stop_after = 9;  // one batch into group 2
  ASSERT_FALSE(train(config, digits(), options("run"), watcher).finished);
  ASSERT_EQ(watcher.models.size(), 1U);
  const Path checkpoint = path("run") / "checkpoint";
  Bytes damaged = read_file(checkpoint);
  damaged[40] ^= 1;  // in its header
  write_file(checkpoint, damaged);
  expect_refused_unchanged(ErrorCode::kCorruptData,
                           {checkpoint, "--overwrite", model("run"), "--extend"}, config, digits(),
                           resuming("run"));
  std::filesystem::remove(checkpoint);
  expect_refused_unchanged(ErrorCode::kInvalidArgument,
                           {"no checkpoint", "1 of 2 groups", "--extend", model("run")}, config,
                           digits(), resuming("run"));
  TrainerOptions extending = options("wider");
  extending.extend = model("run");
  Watcher wider;
  EXPECT_TRUE(train(config, digits(), extending, wider).finished);
}

TEST_F(Trainer, SaysBeforeItTrainsThatTheLastGroupDoesNotFitIntoMemory) {
  RunConfig config = run_config(2);
  // Group 2 has 40 x 1,048,576 maps of 28 x 28 pixels: 131 GB.
  config.network = Network::read(config::network(
      {1, 28, 28}, kClasses, 2, "grouped", "per_width",
      {config::conv("conv1", {4, 1048576}, 1, 0), config::layer("global_avg_pool", "pool1")}));
  config.training.batch_size = 40;
  expect_refused_unchanged(ErrorCode::kOutOfMemory, {"training group 2", "not enough memory"},
                           config, digits(), options("run"));
}

TEST_F(Trainer, ResumesNothingWhereNoRunHasBegun) {
  std::filesystem::create_directories(path("empty"));
  for (const char* run : {"empty", "mistyped"}) {
    expect_refused_unchanged(ErrorCode::kNotFound,
                             {path(run), "no run to resume", "without --resume"}, run_config(1),
                             digits(), resuming(run));
  }
  EXPECT_FALSE(std::filesystem::exists(path("mistyped")));
}

TEST_F(Trainer, OverwritingKeepsTheFormerModelUntilTheFirstNewGroupReplacesIt) {
  RunConfig former = run_config(1);
  former.training.seed = 9;
  const Bytes before = trained(former, "run");
  TrainerOptions replacing = options("run");
  replacing.overwrite = true;
  const auto expect_kept = [&] { EXPECT_EQ(read_file(model("run")), before); };
  Watcher cutting([](const std::string&) { throw std::runtime_error("cut"); });
  EXPECT_THROW(train(run_config(1), digits(), replacing, cutting), std::runtime_error);
  expect_kept();
  Watcher failing;
  expect_error(ErrorCode::kInvalidArgument, {"no longer finite"},
               [&] { train(exploding(1e24), digits(), replacing, failing); });
  EXPECT_GT(failing.batches, 4);
  expect_kept();
  // What lies there now is a run in the middle, and not the former one.
  const auto invalid = ErrorCode::kInvalidArgument;
  expect_refused_unchanged(invalid, {path("run"), "holds a run"}, former, digits(), options("run"));
  expect_refused_unchanged(invalid, {path("run"), "another configuration"}, former, digits(),
                           resuming("run"));
  EXPECT_NE(trained(run_config(1), replacing), before);
}

TEST_F(Trainer, OverwritingReplacesAllOfTheFormerRun) {
  const RunConfig config = run_config(1);
  RunConfig other = run_config(1);
  other.training.seed = 9;
  const Bytes expected = trained(other, "fresh");
  for (const bool finished : {true, false}) {
    TrainerOptions replacing = options(finished ? "finished" : "stopped");
    if (finished) {
      trained(config, replacing);
    } else {
      stop(config, replacing, 3);
    }
    replacing.overwrite = true;
    // Cut short before anything of its own is saved, it is not taken for the former run.
    Watcher cutting([](const std::string&) { throw std::runtime_error("cut"); });
    EXPECT_THROW(train(other, digits(), replacing, cutting), std::runtime_error);
    replacing.overwrite = false;
    replacing.resume = true;
    EXPECT_EQ(trained(other, replacing), expected);
  }
}

TEST_F(Trainer, NamesDataThatDoNotFitTheNetwork) {
  const auto invalid = ErrorCode::kInvalidArgument;
  const auto refused = [&](std::initializer_list<std::string> parts, const RunConfig& config) {
    expect_refused_unchanged(invalid, parts, config, digits(), options("run"));
    EXPECT_FALSE(std::filesystem::exists(path("run")));
  };
  RunConfig config = run_config(1);
  config.network = Network::read(config::network({3, 28, 28}, kClasses, 1, "triangular", "additive",
                                                 {config::conv("conv1", {4}, 3, 0)}));
  refused({"network.input", "[3, 28, 28]", "[1, 28, 28]", "drawn digits"}, config);
  config.network = Network::read(config::network({1, 28, 28}, 7, 1, "triangular", "additive",
                                                 {config::conv("conv1", {4}, 3, 0)}));
  refused({"network.classes", "7", "10", "drawn digits"}, config);
  config = run_config(1);
  config.training.batch_size = 41;
  refused({"training.batch_size", "41", "40"}, config);
}

TEST_F(Trainer, NamesTestImagesThatDoNotFitTheNetworkBeforeItTrains) {
  const auto images = [](int side, int classes) {
    DatasetContent content;
    content.name = "odd";
    content.provenance = "odd files";
    content.shape = {1, side, side};
    content.pixels.resize(content.shape.elements());
    content.labels = {0};
    for (int i = 0; i < classes; ++i) content.class_names.push_back(std::to_string(i));
    return Dataset(content);
  };
  const auto invalid = ErrorCode::kInvalidArgument;
  TrainingData data = digits();
  data.test = images(14, kClasses);
  expect_refused_unchanged(invalid, {"network.input", "odd files", "[1, 14, 14]"}, run_config(1),
                           data, options("run"));
  data.test = images(28, 11);
  expect_refused_unchanged(invalid, {"network.classes", "odd files", "11"}, run_config(1), data,
                           options("run"));
  data = digits();
  data.validation = images(14, kClasses);
  expect_refused_unchanged(invalid, {"network.input", "odd files", "[1, 14, 14]"}, run_config(1),
                           data, options("run"));
}

TEST_F(Trainer, NamesAFolderThatCannotBeMadeAndACheckpointThatCannotBeRead) {
  write_file(path("file"), bytes_of("mine"));
  expect_refused_unchanged(ErrorCode::kIoError, {path("file") / "run"}, run_config(1), digits(),
                           options("file/run"));
  expect_refused_unchanged(ErrorCode::kIoError, {path("file")}, run_config(1), digits(),
                           options("file"));
  write_file(path("run/checkpoint"), noise(500));
  expect_refused_unchanged(ErrorCode::kCorruptData, {path("run/checkpoint")}, run_config(1),
                           digits(), resuming("run"));
  std::filesystem::create_directories(path("odd/checkpoint"));
  expect_refused_unchanged(ErrorCode::kIoError, {path("odd/checkpoint")}, run_config(1), digits(),
                           resuming("odd"));
}

TEST_F(Trainer, RefusesACheckpointThatStandsWhereTheRunNeverIs) {
  const RunConfig config = run_config(2);
  stop(config, options("run"), 3);
  const Checkpoint good = load_checkpoint(path("run/checkpoint"));
  const std::vector<std::function<void(Checkpoint&)>> changes{
      [](Checkpoint& bad) { bad.state.first_group = bad.state.last_group = 3; },
      [](Checkpoint& bad) { bad.state.last_group = 2; },
      [](Checkpoint& bad) { bad.state.epoch = 3; },
      [](Checkpoint& bad) { bad.state.batch = 5; },
      [](Checkpoint& bad) { bad.arrays.pop_back(); },
      [](Checkpoint& bad) { bad.arrays.front().values.pop_back(); }};
  for (const auto& change : changes) {
    Checkpoint bad = good;
    change(bad);
    save_checkpoint(path("run/checkpoint"), bad);
    expect_refused_unchanged(ErrorCode::kCorruptData, {"checkpoint"}, config, digits(),
                             resuming("run"));
  }
}

TEST_F(Trainer, StopsWhenTheLossIsNoLongerFiniteAndKeepsTheCheckpoint) {
  const RunConfig config = exploding(1e24);
  stop(config, options("run"), 4);
  expect_refused_unchanged(ErrorCode::kInvalidArgument, {}, run_config(1), digits(),
                           resuming("run"));
  const Bytes before = read_file(path("run/checkpoint"));
  for (int attempt = 0; attempt < 2; ++attempt) {
    Watcher watcher;
    expect_error(
        ErrorCode::kInvalidArgument,
        {"loss of width 1", "epoch 2", "no longer finite", "training.optimiser.learning_rate"},
        [&] { train(config, digits(), resuming("run"), watcher); });
    EXPECT_EQ(read_file(path("run/checkpoint")), before);
    EXPECT_FALSE(std::filesystem::exists(model("run")));
  }
}

TEST_F(Trainer, NeverSavesWeightsThatAreNotFinite) {
  RunConfig config = exploding(1e42);
  stop(config, options("run"), 4);
  const Bytes before = read_file(path("run/checkpoint"));
  config.training.checkpoint_every = 1;
  Watcher watcher;
  expect_error(ErrorCode::kInvalidArgument, {"group.1", "5 updates", "no longer finite"},
               [&] { train(config, digits(), resuming("run"), watcher); });
  EXPECT_EQ(read_file(path("run/checkpoint")), before);
}

TEST_F(Trainer, WritesALogOfJsonLinesAlsoAfterACrash) {
  const RunConfig config = run_config(2);
  stop(config, options("run"), 5);
  std::ofstream(path("run/log.jsonl"), std::ios::app) << "{\"event\":\"epo";
  trained(config, resuming("run"));
  const std::vector<Json> lines = log_of("run");
  std::vector<std::string> events;
  events.reserve(lines.size());
  for (const Json& line : lines) events.push_back(line.at("event").get<std::string>());
  EXPECT_THAT(events, ElementsAre("begin", "epoch", "stopped", "begin", "epoch", "group", "begin",
                                  "epoch", "epoch", "group", "finished"));
  for (const Json& line : lines) {
    if (line.at("event") != "epoch") continue;
    EXPECT_GT(line.at("loss").get<double>(), 0);
    EXPECT_THAT(line.at("validation"), SizeIs(1));
  }
  EXPECT_THAT(lines.back().at("test"), SizeIs(2));
  // Epochs are counted from 1 by every event, batches are those done.
  std::vector<std::pair<int, int>> places;
  for (const std::size_t i : {0U, 2U, 3U, 6U}) {
    places.emplace_back(lines[i].at("epoch").get<int>(), lines[i].at("batch").get<int>());
  }
  EXPECT_THAT(places,
              ElementsAre(std::pair(1, 0), std::pair(2, 1), std::pair(2, 1), std::pair(1, 0)));
}

TEST_F(Trainer, RefusesALogThatCannotBeOpened) {
  std::filesystem::create_directories(path("run/log.jsonl"));
  expect_refused_unchanged(ErrorCode::kIoError, {path("run/log.jsonl")}, run_config(1), digits(),
                           options("run"));
}

TEST_F(Trainer, SaysOnceThatItsLogCannotBeWrittenAndGoesOn) {
  std::filesystem::create_directories(path("run"));
  std::filesystem::create_symlink("/dev/full", path("run/log.jsonl"));
  Watcher watcher;
  EXPECT_TRUE(train(run_config(2), digits(), options("run"), watcher).finished);
  ASSERT_THAT(watcher.notes, SizeIs(1));
  EXPECT_THAT(watcher.notes[0], HasSubstr(path("run/log.jsonl")));
  EXPECT_EQ(read_file(model("run")), trained(run_config(2), "other"));
}

TEST_F(Trainer, CountsWhatIsLeftDownToNothing) {
  std::vector<double> left;
  Watcher watcher([&](const std::string& event) {
    if (event == "batch") left.push_back(watcher.last.seconds_left);
  });
  EXPECT_TRUE(train(run_config(2), digits(), options("run"), watcher).finished);
  ASSERT_THAT(left, SizeIs(16));
  EXPECT_EQ(std::ranges::count(left, 0), 1);  // at the very end only
  EXPECT_EQ(watcher.last.seconds_left, 0);
  EXPECT_EQ(watcher.last.position.batch, watcher.last.position.batches);
}

TEST(TrainingDataOfARun, HoldsOutAndLimitsImagesOfEveryClass) {
  // A folder of images comes class by class.
  const Path folder = fresh_folder();
  const Dataset all = make_digits({.train_images = 60, .test_images = 1, .threads = 1}, 0);
  for (std::size_t i = 0; i < all.size(); ++i) {
    const Path file = folder / ("class" + std::to_string(i % 10)) / (std::to_string(i) + ".png");
    std::filesystem::create_directories(file.parent_path());
    write_png(file, all.shape(), all.image(i));
  }
  DataConfig config;
  config.format = "folder";
  config.validation = 0.5;
  config.train_limit = 20;
  const TrainingData data = load_training_data(config, folder);
  EXPECT_EQ(data.training.count_per_class(), std::vector<std::size_t>(10, 2));
  EXPECT_EQ(data.validation.count_per_class(), std::vector<std::size_t>(10, 3));
  EXPECT_FALSE(data.test.has_value());
  EXPECT_THAT(data.without_test, HasSubstr("train"));
  config.train_limit = 31;
  config.validation = 0;
  EXPECT_THAT(load_training_data(config, folder).training.size(), 31U);
  EXPECT_TRUE(load_training_data(config, folder).validation.empty());
  config.train_limit = 100;
  EXPECT_THAT(load_training_data(config, folder).training.size(), 60U);
}

TEST(TrainingDataOfARun, TakesHalfATestPartForAnErrorAndNoneForNone) {
  const Path folder = fresh_folder();
  const Bytes pixels = noise(20 * 28 * 28);
  std::vector<std::int32_t> labels(20);
  for (std::size_t i = 0; i < 20; ++i) labels[i] = static_cast<std::int32_t>(i % 10);
  DataConfig config;
  config.format = "mnist";
  config.validation = 0.5;
  const auto load = [&](const Path& where) { return load_training_data(config, where); };

  const Path idx = folder / "idx";
  std::filesystem::create_directories(idx);
  write_idx_images(idx / "train-images-idx3-ubyte", 20, 28, 28, pixels);
  write_idx_labels(idx / "train-labels-idx1-ubyte", labels);
  EXPECT_FALSE(load(idx).test.has_value());
  EXPECT_THAT(load(idx).without_test, HasSubstr("t10k-images-idx3-ubyte"));
  write_idx_images(idx / "t10k-images-idx3-ubyte", 20, 28, 28, pixels);
  expect_error(ErrorCode::kNotFound, {idx / "t10k-labels-idx1-ubyte"},
               [&] { static_cast<void>(load(idx)); });
  write_idx_labels(idx / "t10k-labels-idx1-ubyte", labels);
  EXPECT_EQ(load(idx).test.value().size(), 20U);
  EXPECT_EQ(load(idx).without_test, "");
  std::filesystem::remove(idx / "t10k-images-idx3-ubyte");
  expect_error(ErrorCode::kNotFound, {idx / "t10k-images-idx3-ubyte"},
               [&] { static_cast<void>(load(idx)); });

  config.format = "folder";
  const Path pngs = folder / "pngs";
  for (const char* file : {"train/a/1.png", "train/a/2.png", "train/b/1.png", "train/b/2.png"}) {
    std::filesystem::create_directories((pngs / file).parent_path());
    write_png(pngs / file, {1, 28, 28}, std::span(pixels).first(28 * 28));
  }
  EXPECT_THAT(load(pngs).without_test, HasSubstr(pngs / "test"));
  std::filesystem::create_directories(pngs / "test/a");
  expect_error(ErrorCode::kNotFound, {pngs / "test"}, [&] { static_cast<void>(load(pngs)); });
  // Without a folder train/ it is a class that is called so.
  const Path classes = folder / "classes";
  std::filesystem::create_directories(classes);
  std::filesystem::copy(pngs / "train/a", classes / "test");
  std::filesystem::copy(pngs / "train/b", classes / "rest");
  EXPECT_FALSE(load(classes).test.has_value());
}

TEST(TrainingDataOfARun, AsksForAFolderWhereOneIsNeeded) {
  DataConfig config;
  config.format = "mnist";
  expect_error(ErrorCode::kInvalidArgument, {"--data", "data.path"},
               [&] { static_cast<void>(load_training_data(config, {})); });
}

}  // namespace
}  // namespace bellows
