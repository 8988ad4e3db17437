#include "training/run_config.h"

#include <bellows/error.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <string>
#include <utility>
#include <vector>

#include "training/toml_reader.h"

namespace bellows {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::StartsWith;

constexpr const char* kName = "name = \"small\"\n";
constexpr const char* kNetwork =
    "[network]\n"
    "input = [1, 8, 8]\n"
    "classes = 3\n"
    "groups = 2\n"
    "layers = [\n"
    "  { kind = \"conv\", name = \"conv1\", channels = [4, 6], kernel = 3 },\n"
    "  { kind = \"head\", name = \"head\" },\n"
    "]\n";

class RunConfigFile : public testing::Test {
 protected:
  void SetUp() override {
    const auto* test = testing::UnitTest::GetInstance()->current_test_info();
    folder_ =
        std::filesystem::path(testing::TempDir()) / ("run_config_" + std::string(test->name()));
    std::filesystem::create_directories(folder_);
    file_ = folder_ / "run.toml";
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  RunConfig read(const std::string& text) const {
    std::ofstream(file_, std::ios::binary) << text;
    return read_run_config(file_);
  }
  // A run with the network above; `text` begins at line 10.
  RunConfig read_after_network(const std::string& text) const {
    return read(std::string(kName) + kNetwork + text);
  }

  // The message of the error that reading ends in, without the name of the file.
  std::string refusal(const std::string& text) const {
    try {
      read(text);
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::kInvalidArgument);
      const std::string message = error.what();
      EXPECT_THAT(message, StartsWith(file_.string()));
      EXPECT_EQ(message.find('\n'), std::string::npos) << message;
      return message.substr(file_.string().size());
    }
    return "accepted";
  }
  std::string refusal_after_network(const std::string& text) const {
    return refusal(std::string(kName) + kNetwork + text);
  }

  std::filesystem::path folder_;
  std::filesystem::path file_;
};

TEST_F(RunConfigFile, NeedsNoMoreThanANameAndANetwork) {
  const RunConfig run = read_after_network("");
  EXPECT_EQ(run.name, "small");
  EXPECT_EQ(run.network.groups(), 2);
  EXPECT_EQ(run.data.format, "auto");
  EXPECT_DOUBLE_EQ(run.data.validation, 0.1);
  EXPECT_FALSE(run.data.augmentation.any());
  EXPECT_EQ(run.training.schedule, "incremental");
  EXPECT_EQ(run.training.optimiser.kind, "sgd");
  EXPECT_TRUE(run.expected.test_accuracy.empty());
}

TEST_F(RunConfigFile, ReadsEveryTable) {
  const RunConfig run = read_after_network(
      "[data]\nformat = 'cifar10'\npath = 'some/where'\nvalidation = 0\nsplit_seed = 4\n"
      "train_limit = 500\n"
      "[data.digits]\ndifficulty = 0.5\n"
      "[data.augmentation]\ncrop_padding = 4\nflip = true\ncutout = 3\nrotation_degrees = 10\n"
      "shift_pixels = 1.5\nscale = 0.1\n"
      "[training]\nschedule = 'incremental'\nepochs = [3, 5]\nbatch_size = 64\nseed = 9\n"
      "threads = 2\nlabel_smoothing = 0.05\ngradient_clip = "
      "1.5\ncheckpoint_every = 10\n"
      "[training.optimiser]\nkind = 'adamw'\nlearning_rate = 0.002\nweight_decay = 0.01\n"
      "beta1 = 0.8\nbeta2 = 0.99\nepsilon = 1e-6\n"
      "[training.learning_rate_schedule]\nkind = 'step'\nmilestones = [0.25, 0.5]\nfactor = 0.2\n"
      "warmup_epochs = 0.5\n"
      "[expected]\ntest_accuracy = [0.9, 1]\nmeasured = 'by hand'\n");
  EXPECT_EQ(run.data.format, "cifar10");
  EXPECT_EQ(run.data.path, "some/where");
  EXPECT_EQ(run.data.validation, 0);
  EXPECT_EQ(run.data.split_seed, 4);
  EXPECT_EQ(run.data.train_limit, 500);
  EXPECT_EQ(run.data.digits.difficulty, 0.5);
  EXPECT_EQ(run.data.augmentation.crop_padding, 4);
  EXPECT_TRUE(run.data.augmentation.flip);
  EXPECT_EQ(run.data.augmentation.cutout, 3);
  EXPECT_EQ(run.data.augmentation.rotation_degrees, 10.0F);
  EXPECT_EQ(run.data.augmentation.shift_pixels, 1.5F);
  EXPECT_EQ(run.data.augmentation.scale, 0.1F);
  EXPECT_EQ(run.training.epochs_of(1), 3);
  EXPECT_EQ(run.training.epochs_of(2), 5);
  EXPECT_EQ(run.training.batch_size, 64);
  EXPECT_EQ(run.training.seed, 9);
  EXPECT_EQ(run.training.threads, 2);
  EXPECT_EQ(run.training.label_smoothing, 0.05);
  EXPECT_EQ(run.training.gradient_clip, 1.5);
  EXPECT_EQ(run.training.checkpoint_every, 10);
  EXPECT_EQ(run.training.optimiser.kind, "adamw");
  EXPECT_EQ(run.training.optimiser.learning_rate, 0.002);
  EXPECT_EQ(run.training.optimiser.weight_decay, 0.01);
  EXPECT_EQ(run.training.optimiser.beta1, 0.8);
  EXPECT_EQ(run.training.optimiser.beta2, 0.99);
  EXPECT_EQ(run.training.optimiser.epsilon, 1e-6);
  EXPECT_EQ(run.training.learning_rate_schedule.kind, "step");
  EXPECT_EQ(run.training.learning_rate_schedule.milestones, (std::vector<double>{0.25, 0.5}));
  EXPECT_EQ(run.training.learning_rate_schedule.factor, 0.2);
  EXPECT_EQ(run.training.learning_rate_schedule.warmup_epochs, 0.5);
  EXPECT_EQ(run.expected.test_accuracy, (std::vector<double>{0.9, 1}));
  EXPECT_EQ(run.expected.measured, "by hand");
}

TEST_F(RunConfigFile, OneNumberOfEpochsServesEveryGroup) {
  const RunConfig run = read_after_network("[training]\nepochs = [7]\n");
  EXPECT_EQ(run.training.epochs_of(1), 7);
  EXPECT_EQ(run.training.epochs_of(2), 7);
}

TEST_F(RunConfigFile, ReadsBackWhatItWrites) {
  const RunConfig run = read_after_network(
      "[data.augmentation]\nscale = 0.1\n[training.optimiser]\nkind = 'adamw'\n"
      "[training.learning_rate_schedule]\nkind = 'one_cycle'\npeak = 0.4\n");
  const ConfigValue written = run.write();
  EXPECT_EQ(read_run_config(written).write().to_json(), written.to_json());
  EXPECT_THAT(written.to_json(), AllOf(HasSubstr("\"scale\":0.1}"), HasSubstr("\"peak\":0.4"),
                                       HasSubstr("\"name\":\"conv1\"")));
}

TEST_F(RunConfigFile, RefusesUnknownKeysAtEveryLevelByFileAndLine) {
  EXPECT_THAT(refusal("colour = 1\n" + std::string(kName) + kNetwork),
              AllOf(StartsWith(":1: unknown key 'colour'"), HasSubstr("network, data, training")));
  EXPECT_THAT(refusal_after_network("[data]\nfromat = 'mnist'\n"),
              StartsWith(":11: unknown key 'data.fromat'"));
  EXPECT_THAT(refusal_after_network("[data.augmentation]\nflips = true\n"),
              StartsWith(":11: unknown key 'data.augmentation.flips'"));
  EXPECT_THAT(refusal_after_network("[training.optimiser]\n\nrate = 1\n"),
              StartsWith(":12: unknown key 'training.optimiser.rate'"));
  EXPECT_THAT(refusal(std::string(kName) + "[network]\nsize = 1\n"),
              StartsWith(":2: key 'network.input' is missing"));
}

TEST_F(RunConfigFile, RefusesKeysOfAnotherKindOfOptimiserOrSchedule) {
  EXPECT_THAT(refusal_after_network("[training.optimiser]\nkind = 'sgd'\nbeta1 = 0.5\n"),
              StartsWith(":12: unknown key 'training.optimiser.beta1'"));
  EXPECT_THAT(refusal_after_network("[training.optimiser]\nkind = 'adamw'\nnesterov = true\n"),
              StartsWith(":12: unknown key 'training.optimiser.nesterov'"));
  EXPECT_THAT(
      refusal_after_network("[training.learning_rate_schedule]\nkind = 'cosine'\npeak = 0.5\n"),
      StartsWith(":12: unknown key 'training.learning_rate_schedule.peak'"));
}

TEST_F(RunConfigFile, RefusesAMissingNameOrNetwork) {
  EXPECT_THAT(refusal(kNetwork), StartsWith(": key 'name' is missing"));
  EXPECT_THAT(refusal(kName), StartsWith(": key 'network' is missing"));
  EXPECT_THAT(refusal(std::string(kName) + "network = 3\n"),
              AllOf(StartsWith(":2: "), HasSubstr("'network' is an integer")));
}

TEST_F(RunConfigFile, RefusesANameThatCannotBeAFileName) {
  for (const char* name : {"", "a/b", "..", "a b", "ä"}) {
    EXPECT_THAT(refusal("name = \"" + std::string(name) + "\"\n" + kNetwork),
                StartsWith(":1: key 'name' is "))
        << name;
  }
}

TEST_F(RunConfigFile, RefusesValuesOfWrongTypeOrOutOfRange) {
  const std::vector<std::pair<std::string, std::string>> wrong = {
      {"[training]\nepochs = 3\n", "training.epochs"},
      {"[training]\nepochs = [0]\n", "training.epochs"},
      {"[training]\nbatch_size = 0\n", "training.batch_size"},
      {"[training]\nbatch_size = 64.5\n", "training.batch_size"},
      {"[training]\nschedule = 'all'\n", "training.schedule"},
      {"[training]\nthreads = -1\n", "training.threads"},
      {"[training]\nlabel_smoothing = 1.0\n", "training.label_smoothing"},
      {"[training.optimiser]\nlearning_rate = inf\n", "training.optimiser.learning_rate"},
      {"[training.optimiser]\nlearning_rate = nan\n", "training.optimiser.learning_rate"},
      {"[training.optimiser]\nkind = 'lion'\n", "training.optimiser.kind"},
      {"[data]\nformat = 'imagenet'\n", "data.format"},
      {"[data]\nvalidation = 1.0\n", "data.validation"},
      {"[data.augmentation]\nscale = -0.1\n", "data.augmentation.scale"},
      {"[data.augmentation]\nflip = 1\n", "data.augmentation.flip"},
      {"[data.digits]\ntrain_images = 0\n", "data.digits.train_images"},
  };
  for (const auto& [text, key] : wrong) {
    EXPECT_THAT(refusal_after_network(text), StartsWith(":11: key '" + key + "' is ")) << text;
  }
}

TEST_F(RunConfigFile, RefusesAugmentationThatTheImagesCannotTake) {
  const std::vector<std::pair<std::string, std::string>> wrong = {
      {"crop_padding = 9", "crop_padding' is 9, it must be 0..8"},
      {"cutout = 9", "cutout' is 9, it must be 0..8"},
      {"shift_pixels = 8.5", "shift_pixels' is 8.5, it must be 0..8"},
      {"shift_pixels = 1e300", "shift_pixels' is 3.4"},
      {"rotation_degrees = 181", "rotation_degrees' is 181"},
      {"scale = 0.96", "scale' is 0.96"},
  };
  for (const auto& [line, problem] : wrong) {
    EXPECT_THAT(refusal_after_network("[data.augmentation]\nflip = true\n" + line + "\n"),
                StartsWith(":12: key 'data.augmentation." + problem));
  }
  const RunConfig run = read_after_network(
      "[data.augmentation]\ncrop_padding = 8\ncutout = 8\nshift_pixels = 8\nscale = 0.95\n");
  EXPECT_EQ(run.data.augmentation.scale, 0.95F);
}

TEST_F(RunConfigFile, RefusesChannelsThatTheNetworkDoesNotTake) {
  EXPECT_THAT(refusal_after_network("[data]\nchannels = 2\n"),
              StartsWith(":11: key 'data.channels' is 2, it must be 1, 3, or 0"));
  EXPECT_THAT(refusal_after_network("[data]\nchannels = 3\n"),
              AllOf(StartsWith(":11: key 'data.channels' is 3"), HasSubstr("'network.input'")));
  EXPECT_EQ(read_after_network("[data]\nchannels = 1\n").data.channels, 1);
}

TEST_F(RunConfigFile, RefusesListsThatDoNotFitTheGroups) {
  EXPECT_THAT(refusal_after_network("[training]\nepochs = [1, 2, 3]\n"),
              AllOf(StartsWith(":11: key 'training.epochs' has 3 entries"), HasSubstr("2 groups")));
  EXPECT_THAT(refusal_after_network("[training]\nepochs = []\n"),
              StartsWith(":11: key 'training.epochs' has 0 entries"));
  EXPECT_THAT(refusal_after_network("[training]\nschedule = 'joint'\nepochs = [1, 2]\n"),
              AllOf(StartsWith(":12: key 'training.epochs'"), HasSubstr("joint")));
  EXPECT_THAT(refusal_after_network("[expected]\nmeasured = 'x'\ntest_accuracy = [0.5]\n"),
              AllOf(StartsWith(":12: key 'expected.test_accuracy'"), HasSubstr("2 widths")));
}

TEST_F(RunConfigFile, RefusesAnExpectationThatDoesNotSayHowItWasMeasured) {
  EXPECT_THAT(refusal_after_network("[expected]\ntest_accuracy = [0.5, 0.6]\n"),
              StartsWith(":10: key 'expected.measured'"));
  EXPECT_THAT(refusal_after_network("[expected]\nmeasured = 'x'\n"),
              StartsWith(":11: key 'expected.measured'"));
}

TEST_F(RunConfigFile, RefusesASelectorWhereGroupsAreFrozen) {
  const std::string joint = "[training]\nschedule = 'joint'\nepochs = [1]\n";
  const std::string selector = "[training.selector]\nalpha = 0.2\n";
  EXPECT_FALSE(read_after_network(joint).training.selector.alpha);
  EXPECT_EQ(read_after_network(joint + selector).training.selector.alpha, 0.2);
  EXPECT_THAT(refusal_after_network(selector),
              AllOf(StartsWith(":11: key 'training.selector.alpha'"), HasSubstr("joint"),
                    HasSubstr("bellows tune")));
  EXPECT_THAT(refusal_after_network(joint + "[training.selector]\nalpha = -1\n"),
              HasSubstr("alpha"));
  EXPECT_THAT(refusal_after_network(joint + selector + "share = 1.5\n"), HasSubstr("share"));
}

TEST_F(RunConfigFile, RefusesStackingWhereThereIsNothingToStackOrToFitItOn) {
  const std::string stacking = "[training]\nstacking = true\n";
  EXPECT_FALSE(read_after_network("").training.stacking);
  EXPECT_TRUE(read_after_network(stacking).training.stacking);
  EXPECT_THAT(refusal_after_network(stacking + "schedule = 'joint'\nepochs = [1]\n"),
              AllOf(StartsWith(":11: key 'training.stacking'"), HasSubstr("incremental")));
  EXPECT_THAT(refusal_after_network(stacking + "[data]\nvalidation = 0\n"),
              AllOf(StartsWith(":11: key 'training.stacking'"), HasSubstr("data.validation")));
  std::string network = kNetwork;
  network.replace(network.find("name = \"head\""), 13, "name = \"head\", mode = \"additive\"");
  EXPECT_THAT(refusal(kName + network + stacking),
              AllOf(StartsWith(":11: key 'training.stacking'"), HasSubstr("per_width")));
}

TEST_F(RunConfigFile, RefusesATeacherThatIsNotThere) {
  const std::string table = "[training.distillation]\n";
  const std::string joint = "[training]\nschedule = 'joint'\nepochs = [1]\n";
  EXPECT_TRUE(
      read_after_network(joint + table + "teacher = 'ensemble'\n").training.distillation.enabled());
  EXPECT_THAT(refusal_after_network(table + "teacher = 'model'\n"),
              AllOf(StartsWith(":10: key 'training.distillation.model'"), HasSubstr("teacher")));
  EXPECT_THAT(refusal_after_network(table + "model = 'x.safetensors'\n"),
              StartsWith(":11: key 'training.distillation.model'"));
  EXPECT_THAT(refusal_after_network(table + "teacher = 'widest'\n"),
              AllOf(StartsWith(":11: key 'training.distillation.teacher'"), HasSubstr("joint")));
}

TEST_F(RunConfigFile, RefusesLookingAheadWhereNothingComesAfter) {
  EXPECT_EQ(read_after_network("[training]\nlook_ahead = 1\n").training.look_ahead, 1);
  for (const std::string other : {"schedule = 'joint'\nepochs = [1]\n", "stacking = true\n"}) {
    EXPECT_THAT(refusal_after_network("[training]\nlook_ahead = 1\n" + other),
                StartsWith(":11: key 'training.look_ahead'"));
  }
}

TEST_F(RunConfigFile, RefusesWeightsOfWidthsThatDoNotFit) {
  const std::string joint = "[training]\nschedule = 'joint'\nepochs = [1]\nwidth_weights = ";
  EXPECT_EQ(read_after_network(joint + "[0, 1]\n").training.width_weights,
            (std::vector<double>{0, 1}));
  EXPECT_THAT(refusal_after_network("[training]\nwidth_weights = [1, 1]\n"),
              AllOf(StartsWith(":11: key 'training.width_weights'"), HasSubstr("joint")));
  EXPECT_THAT(refusal_after_network(joint + "[1, 1, 1]\n"),
              AllOf(StartsWith(":13: key 'training.width_weights' has 3"), HasSubstr("2 widths")));
  EXPECT_THAT(refusal_after_network(joint + "[0, 0]\n"), HasSubstr("nothing to learn"));
  EXPECT_THAT(refusal_after_network(joint + "[1, 1]\n[training.selector]\nalpha = 0.2\n"),
              HasSubstr("selector"));
}

TEST_F(RunConfigFile, ChangesKeysAndLayersByNameAndExpectsNothingOfTheOutcome) {
  const RunConfig run =
      read_after_network("[expected]\nmeasured = 'x'\ntest_accuracy = [0.5, 0.6]\n");
  const auto with = [&run](const std::string& text) {
    return changed(run, parse_toml(text, "--set"));
  };
  const RunConfig other = with(
      "training.epochs = [3, 4]\nnetwork.layers.conv1.channels = [8, 16]\n"
      "training.learning_rate_schedule = { kind = 'step', factor = 0.5 }\n");
  EXPECT_EQ(other.training.epochs, (std::vector<int>{3, 4}));
  EXPECT_EQ(other.training.learning_rate_schedule.factor, 0.5);
  EXPECT_EQ(other.network.macs(1), run.network.macs(1) * 2);
  EXPECT_TRUE(other.expected.test_accuracy.empty());
  EXPECT_EQ(other.source, run.source);
  // Fewer groups than the expectation has entries.
  EXPECT_EQ(with("network.groups = 1\nnetwork.layers.conv1.channels = [8]\n").network.groups(), 1);
  for (const auto& [text, part] : std::vector<std::pair<std::string, std::string>>{
           {"network.layers.conv9.channels = [8, 16]", "there is no layer 'conv9'"},
           {"network.layers.conv1.canals = [8, 16]", "canals"},
           {"training.epoch = [1]", "epoch"},
           {"training.epochs = 'many'", "epochs"}}) {
    try {
      static_cast<void>(with(text));
      ADD_FAILURE() << text;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::kInvalidArgument);
      EXPECT_THAT(error.what(), AllOf(StartsWith("--set:1"), HasSubstr(part)));
    }
  }
}

TEST_F(RunConfigFile, TakesFromItsBaseWhatItDoesNotSay) {
  std::ofstream(folder_ / "base.toml")
      << kName << kNetwork << "[training]\nepochs = [3, 5]\nbatch_size = 32\n";
  const RunConfig run = read(
      "name = 'other'\nbase = 'base.toml'\n[training]\nbatch_size = 64\n"
      "[network.layers.conv1]\nchannels = [8, 8]\n");
  EXPECT_EQ(run.name, "other");
  EXPECT_EQ(run.source, file_.string());
  EXPECT_EQ(run.training.batch_size, 64);
  EXPECT_EQ(run.training.epochs, (std::vector<int>{3, 5}));
  EXPECT_EQ(run.network.tensors()[1].shape.channels, (std::vector<int>{8, 8}));

  const RunConfig plain = read("name = 'plain'\nbase = 'base.toml'\nplain_width = 2\n");
  EXPECT_EQ(plain.network.write().to_json(),
            read_run_config(folder_ / "base.toml").network.as_one_group().write().to_json());
  EXPECT_EQ(plain.training.epochs, (std::vector<int>{5}));
}

TEST_F(RunConfigFile, RefusesABaseThatDoesNotServe) {
  std::ofstream(folder_ / "base.toml") << kName << kNetwork;
  std::ofstream(folder_ / "middle.toml") << "name = 'middle'\nbase = 'base.toml'\n";
  const std::string name = "name = 'other'\n";
  EXPECT_THAT(refusal(name + "base = 'middle.toml'\n"),
              AllOf(StartsWith(":2: key 'base'"), HasSubstr("middle.toml"), HasSubstr("itself")));
  EXPECT_THAT(refusal("base = 'base.toml'\n"), HasSubstr("key 'name' is missing"));
  EXPECT_THAT(refusal(name + "base = 'base.toml'\nplain_width = 3\n"),
              AllOf(StartsWith(":3: key 'plain_width' is 3"), HasSubstr("2 widths")));
  EXPECT_THAT(refusal(name + "base = 'base.toml'\n[training]\nepoch = [1]\n"),
              AllOf(StartsWith(":4"), HasSubstr("epoch")));
  EXPECT_THAT(refusal(name + "base = 7\n"), StartsWith(":2: key 'base'"));
  // What only the base and the changes together make wrong is told with the file.
  EXPECT_THAT(refusal(name + "base = 'base.toml'\n[training]\nbatch_size = 5\n"
                             "[training.distillation]\nteacher = 'model'\n"),
              HasSubstr("training.distillation.model"));
  EXPECT_THAT(refusal(name + "plain_width = 1\n"),
              StartsWith(":2: key 'plain_width' needs key 'base'"));
  try {
    static_cast<void>(read(name + "base = 'none.toml'\n"));
    ADD_FAILURE();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kNotFound);
    EXPECT_THAT(error.what(), HasSubstr("none.toml"));
  }
}

TEST_F(RunConfigFile, RefusesANetworkWhoseShapesDoNotFit) {
  std::string text = std::string(kName) + kNetwork;
  text.replace(text.find("kernel = 3"), 10, "kernel = 9");
  EXPECT_THAT(refusal(text), AllOf(StartsWith(":"), HasSubstr("'conv1'"), HasSubstr("vanishes")));
}

TEST(RunConfigDocumentation, HasEveryKeyOnceAndWithAMeaning) {
  std::vector<std::string> keys;
  for (const FieldDocumentation& entry : run_config_documentation()) {
    EXPECT_FALSE(entry.help.empty()) << entry.key;
    keys.push_back(entry.key);
  }
  for (const char* key :
       {"name", "data.augmentation.flip", "training.optimiser.nesterov", "training.optimiser.beta2",
        "training.learning_rate_schedule.peak", "training.learning_rate_schedule.milestones",
        "network.groups", "network.layers.kind", "network.layers.name", "conv.kernel",
        "head.mode"}) {
    EXPECT_EQ(std::count(keys.begin(), keys.end(), key), 1) << key;
  }
  std::sort(keys.begin(), keys.end());
  EXPECT_EQ(std::adjacent_find(keys.begin(), keys.end()), keys.end());
}

TEST(RunConfigDocumentation, GivesTheDefaultsOfAFreshRun) {
  int found = 0;
  for (const FieldDocumentation& entry : run_config_documentation()) {
    if (entry.key == "training.optimiser.kind") {
      EXPECT_EQ(entry.initial, "\"sgd\"");
      ++found;
    }
    if (entry.key == "training.learning_rate_schedule.kind") {
      EXPECT_EQ(entry.initial, "\"cosine\"");
      ++found;
    }
  }
  EXPECT_EQ(found, 2);
}

}  // namespace
}  // namespace bellows
