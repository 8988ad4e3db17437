#include <bellows/bellows.h>

#include <algorithm>
#include <chrono>
#include <nlohmann/json.hpp>
#include <utility>

#include "cli/command.h"
#include "cli/interrupt.h"
#include "cli/long_run.h"
#include "cli/numbers.h"
#include "cli/signing.h"
#include "cli/verb.h"
#include "cli/width_report.h"
#include "training/toml_reader.h"
#include "training/trainer.h"

namespace bellows::cli {
namespace {

using Json = nlohmann::ordered_json;

constexpr int kLeastBar = 6;
constexpr int kMostBar = 40;

Json position_json(const char* event, const TrainingPosition& position) {
  return {{"event", event},
          {"first_group", position.first_group},
          {"last_group", position.last_group},
          {"groups", position.groups},
          {"epoch", position.current_epoch()},
          {"epochs", position.epochs}};
}

Json scores_json(const std::vector<WidthScore>& scores) {
  auto list = Json::array();
  for (const WidthScore& score : scores) {
    list.push_back({{"width", score.width}, {"accuracy", score.accuracy}, {"loss", score.loss}});
  }
  return list;
}

std::string groups_text(const TrainingPosition& position) {
  const std::string last = std::to_string(position.last_group);
  if (position.first_group == position.last_group) {
    return "group " + last + "/" + std::to_string(position.groups);
  }
  return "groups " + std::to_string(position.first_group) + " to " + last;
}

// Shows a run: a status line on a terminal, a line an epoch, or JSON lines.
class TrainingDisplay final : public TrainingObserver {
 public:
  TrainingDisplay(Console& console, bool json) : console_(console), json_(json) {}

  void begin(const TrainingPosition& position, bool resumed) override {
    if (json_) {
      Json line = position_json("begin", position);
      line["resumed"] = resumed;
      line["batch"] = position.batch;
      line["batches"] = position.batches;
      console_.print_json(line);
    } else if (resumed) {
      console_.print("resumed: " + groups_text(position) + ", after " +
                     std::to_string(position.epoch) + " epochs and " +
                     std::to_string(position.batch) + " batches");
    }
  }

  void batch(const TrainingProgress& progress) override {
    if (json_ || !console_.status_due()) return;
    const TrainingPosition& at = progress.position;
    const double done = at.epoch + static_cast<double>(at.batch) /
                                       static_cast<double>(std::max<std::int64_t>(at.batches, 1));
    const std::string place = groups_text(at) + " epoch " + std::to_string(at.epoch + 1) + "/" +
                              std::to_string(at.epochs) + " ";
    const std::string figures = "loss " + fixed_text(progress.loss, 3) + ", " +
                                fixed_text(100 * progress.accuracy, 1) + " %, " +
                                count_text(static_cast<std::int64_t>(progress.images_per_second)) +
                                " img/s, " + duration_text(progress.seconds_left) + " left";
    // The bar takes the room that the words leave.
    const int room =
        console_.terminal().width - static_cast<int>(place.size() + figures.size()) - 2;
    const std::string bar =
        room < kLeastBar
            ? ""
            : progress_bar(done / std::max(at.epochs, 1), std::min(room, kMostBar)) + " ";
    console_.status(place + bar + figures);
  }

  void epoch(const EpochReport& report) override {
    const TrainingPosition& at = report.training.position;
    if (json_) {
      Json line = position_json("epoch", at);
      line["loss"] = report.training.loss;
      line["accuracy"] = report.training.accuracy;
      line["learning_rate"] = report.training.learning_rate;
      line["images_per_second"] = report.training.images_per_second;
      line["starved_seconds"] = report.training.starved_seconds;
      line["seconds"] = report.seconds;
      line["seconds_left"] = report.training.seconds_left;
      line["validation"] = scores_json(report.validation);
      console_.print_json(line);
      return;
    }
    std::string line = groups_text(at) + ", epoch " + std::to_string(at.epoch + 1) + "/" +
                       std::to_string(at.epochs) + ": " + figures(report.training);
    for (const WidthScore& score : report.validation) {
      line += score.width == report.validation.front().width ? "; validation " : ", ";
      line += percent_text(score.accuracy);
      if (report.validation.size() > 1) line += " at width " + std::to_string(score.width);
    }
    console_.print(line);
  }

  // Nothing is said about an interruption before this: what is said may not arrive, while the
  // checkpoint must.
  void checkpoint(const std::filesystem::path& path) override {
    if (stopping_) console_.note("stopping: the checkpoint is saved");
    if (json_) console_.print_json(Json{{"event", "checkpoint"}, {"path", path.string()}});
  }

  void group(const TrainingPosition& position, const std::filesystem::path& model) override {
    if (!json_) return;
    console_.print_json(Json{{"event", "group"},
                             {"first_group", position.first_group},
                             {"last_group", position.last_group},
                             {"groups", position.groups},
                             {"model", model.string()}});
  }

  void note(const std::string& text) override { console_.note("bellows train: warning: " + text); }

  bool should_stop() override {
    stopping_ = InterruptWatch::interrupted();
    return stopping_;
  }

 private:
  static std::string figures(const TrainingProgress& progress) {
    return "loss " + fixed_text(progress.loss, 4) + ", accuracy " +
           percent_text(progress.accuracy) + ", " +
           count_text(static_cast<std::int64_t>(progress.images_per_second)) + " images/s, " +
           duration_text(progress.seconds_left) + " left";
  }

  Console& console_;
  bool json_;
  bool stopping_ = false;
};

// The configuration with what the command line changes, checked again as a whole.
RunConfig configure(const Arguments& arguments) {
  RunConfig config = read_run_config(arguments.plain()[0]);
  if (const auto keys = arguments.text("set")) {
    // A line of a file for each.
    std::string text = *keys;
    std::ranges::replace(text, ';', '\n');
    try {
      config = changed(config, parse_toml(text, "--set"));
    } catch (const Error& error) {
      throw UsageError(error.what());
    }
  }
  TrainingConfig& training = config.training;
  bool changes = false;
  const auto change = [&](const char* option, int minimum, int maximum, int& value) {
    const auto given = arguments.integer(option, minimum, maximum);
    if (!given) return;
    value = *given;
    changes = true;
  };
  change("threads", 1, 1024, training.threads);
  change("seed", 0, std::numeric_limits<int>::max(), training.seed);
  change("batch-size", 1, 65536, training.batch_size);
  if (const auto epochs = arguments.integers("epochs", 1); !epochs.empty()) {
    training.epochs = epochs;
    changes = true;
  }
  if (const auto alpha = arguments.real("selector", 0, 1e6)) {
    if (!training.joint()) {
      throw UsageError("--selector: " + config.source +
                       " trains group after group; set key 'training.schedule' to \"joint\", or "
                       "learn selectors of frozen groups by 'bellows tune'");
    }
    training.selector.alpha = alpha;
    changes = true;
  }
  if (!changes) return config;
  try {
    RunConfig changed_config = read_run_config(config.write());
    changed_config.source = config.source;
    return changed_config;
  } catch (const Error& error) {
    std::string message = error.what();
    // What was written for checking has no place of its own.
    if (message.starts_with(": ")) message.erase(0, 2);
    throw UsageError("with the options given: " + message);
  }
}

std::string headline(const RunConfig& config, const TrainingData& data) {
  const std::size_t test = data.test ? data.test->size() : 0;
  const auto count = [](std::size_t images) {
    return count_text(static_cast<std::int64_t>(images));
  };
  return config.name + ": " + std::to_string(config.network.groups()) + " groups, schedule " +
         config.training.schedule + "; " + data.training.name() + " " +
         data.training.shape().text() + ": " + count(data.training.size()) + " training, " +
         count(data.validation.size()) + " validation, " + count(test) + " test images" +
         (multiplies_in_bf16(config.training) ? "; products in bfloat16" : "");
}

void print_outcome(const TrainingOutcome& outcome, bool json, Console& console) {
  const Model model = Model::load(outcome.model.string());
  std::vector<WidthRow> rows;
  for (int width = 1; width <= model.groups(); ++width) {
    WidthRow row{.width = width, .cost = model.width(width)};
    const auto index = static_cast<std::size_t>(width - 1);
    if (index < outcome.validation.size()) {
      row.validation_accuracy = outcome.validation[index].accuracy;
    }
    if (index < outcome.test.size()) row.test_accuracy = outcome.test[index].accuracy;
    rows.push_back(row);
  }
  if (json) {
    console.print_json(Json{{"event", "finished"},
                            {"model", outcome.model.string()},
                            {"seconds", outcome.seconds},
                            {"widths", width_json(rows)}});
    return;
  }
  console.print("\n" + width_table(rows, console));
  console.print("The model is " + outcome.model.string() + " (" + duration_text(outcome.seconds) +
                ").");
}

// Said by a rank that is told to end where the others do not answer.
constexpr const char* kAbandonedByOthers =
    "bellows train: ended by mpirun: another rank has failed (then it says why) or is gone, or "
    "mpirun itself was told to end. If this run had begun, its last checkpoint is whole: go on "
    "with the same command and --resume\n";

int train_as_one_of(const Ranks& ranks, const Arguments& arguments, Console& console) {
  const auto out = arguments.text("out");
  if (out && out->empty()) {
    throw UsageError("--out: an empty name is no folder; leave it out for the default");
  }
  if (arguments.has("resume") && arguments.has("overwrite")) {
    throw UsageError("--resume goes on with a run and --overwrite begins anew; give one of them");
  }
  if (arguments.has("extend") && arguments.has("fine-tune")) {
    throw UsageError(
        "--extend adds groups and --fine-tune goes on with the last; give one of them");
  }
  const bool json = arguments.has("json");
  const RunConfig config = configure(arguments);
  const LoadLimits trusted = load_limits(arguments);
  if (trusted.public_key && !arguments.has("extend") && !arguments.has("fine-tune") &&
      config.training.distillation.model.empty()) {
    throw UsageError(
        "--require-signature asks it of models that training begins with or learns from; give "
        "--extend, --fine-tune or a teacher, or leave it out");
  }
  const std::string data_path = image_folder(arguments, config.data);
  if (ranks.first()) console.status("loading images ...", true);
  const TrainingData data = load_training_data(config.data, data_path);
  if (json && ranks.first()) {
    Json line = {{"event", "data"},
                 {"name", config.name},
                 {"data_set", data.training.name()},
                 {"training_images", data.training.size()},
                 {"validation_images", data.validation.size()},
                 {"test_images", data.test ? data.test->size() : 0},
                 {"bf16", multiplies_in_bf16(config.training)}};
    if (!data.test) line["without_test"] = data.without_test;
    console.print_json(line);
  } else if (ranks.first()) {
    console.print(headline(config, data));
    if (!data.test) console.print("no test images: " + printable(data.without_test));
    if (config.training.precision == "bf16" && !multiplies_in_bf16(config.training)) {
      console.print("this processor does not multiply bfloat16 faster than f32: products in f32");
    }
  }

  TrainerOptions options;
  options.folder = out.value_or("runs/" + config.name);
  if (const auto base = arguments.text("extend")) options.extend = *base;
  if (const auto model = arguments.text("fine-tune")) {
    options.extend = *model;
    options.fine_tune = true;
  }
  options.trusted = trusted;
  options.resume = arguments.has("resume");
  options.overwrite = arguments.has("overwrite");
  options.created_with = std::string("bellows ") + version();
  options.ranks = ranks;

  TrainingDisplay display(console, json);
  const InterruptWatch watch(patience_ms(ranks), kAbandonedByOthers);
  const TrainingOutcome outcome = train(config, data, options, display);
  console.clear_status();
  if (!ranks.first()) return outcome.finished ? kDone : kFailed;
  if (outcome.finished) {
    print_outcome(outcome, json, console);
    return kDone;
  }
  print_stopped(arguments, ranks, outcome.seconds, console);
  return kFailed;
}

int run_train(const Arguments& arguments, Console& console) {
  return run_as_ranks(
      [&](const Ranks& ranks) { return train_as_one_of(ranks, arguments, console); });
}

}  // namespace

Verb train_verb() {
  Usage usage;
  usage.verb = "train";
  usage.summary = "Train a network group by group";
  usage.arguments = "CONFIG.toml [options]";
  usage.details =
      "Writes model.safetensors, after each group anew, and log.jsonl into one folder. Ctrl-C\n"
      "saves a checkpoint, says how to go on, and ends with exit code 1; a second ends at once.\n"
      "--overwrite leaves the former model in its place until the first new group replaces it.\n"
      "Started by mpirun, all ranks share every batch and the first one writes.";
  usage.example =
      "bellows train configs/digits/lenet.toml\n"
      "bellows train configs/mnist/lenet.toml --data DATA/mnist --epochs 6,4,4,4\n"
      "mpirun -n 2 bellows train configs/mnist/lenet.toml --data DATA/mnist --threads 1\n"
      "bellows train wider.toml --data DATA/mnist --extend runs/mnist-lenet/model.safetensors";
  usage.least = usage.most = 1;
  usage.wanted = "the configuration file (CONFIG.toml)";
  usage.options = {
      {"data", "DIR", "Folder of the images; not needed for the built-in digits"},
      {"out", "DIR",
       "Folder for model, log and checkpoint (default: runs/ and the configured name)"},
      {"resume", "", "Go on from the checkpoint in the folder"},
      {"overwrite", "", "Begin anew in a folder that holds a run"},
      {"extend", "MODEL",
       "Keep the groups of this model and train those that follow; the configuration is the "
       "model's with more groups"},
      {"fine-tune", "MODEL",
       "Keep the groups of this model but the last, which goes on learning from these images; the "
       "configuration is the model's"},
      {"threads", "N", "Threads that compute (default: as configured, else one for each core)"},
      {"epochs", "N,..", "Epochs of every group, or one number for each group"},
      {"set", "KEY=VALUE;..",
       "Change keys of the configuration, written as in the file; layers are found by their names "
       "(network.layers.head.mode = 'additive')"},
      {"seed", "N", "Seed of weights, order and augmentation"},
      {"batch-size", "N", "Images to an update"},
      {"selector", "A",
       "With a joint schedule: learn a selector along, at this price of the widest width"},
      {"json", "", "Print JSON lines"},
  };
  add_signature_options(usage);
  return {usage, run_train};
}

}  // namespace bellows::cli
