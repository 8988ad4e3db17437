#include "training/trainer.h"

#include <bellows/error.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <fstream>
#include <memory>
#include <utility>

#include "engine/json_value.h"
#include "engine/model_file.h"
#include "engine/model_state.h"
#include "engine/sha256.h"
#include "engine/threads.h"
#include "layers/bf16_conv_learning_onednn.h"
#include "training/checkpoint.h"
#include "training/data/archive_reader.h"
#include "training/data/loader.h"
#include "training/data/normalisation.h"
#include "training/data/split.h"
#include "training/initialise.h"
#include "training/learning_plan_onednn.h"
#include "training/learning_rate.h"
#include "training/optimiser.h"
#include "training/stacking.h"
#include "training/teacher.h"
#include "training/weight_average.h"

namespace bellows {
namespace {

using Clock = std::chrono::steady_clock;

constexpr const char* kModelName = "model.safetensors";
constexpr const char* kCheckpointName = "checkpoint";
constexpr const char* kLogName = "log.jsonl";

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

[[noreturn]] void refuse(const std::string& problem) {
  throw Error(ErrorCode::kInvalidArgument, problem);
}

void drop(ConfigValue& table, std::initializer_list<const char*> keys) {
  std::erase_if(std::get<ConfigValue::Table>(table.data()), [&](const auto& member) {
    return std::ranges::any_of(keys, [&](const char* key) { return member.first == key; });
  });
}

// What decides the bits of a run, as text: the configuration without paths, expectations, and what
// only says how it is run.
std::string identity(const RunConfig& config) {
  ConfigValue written = config.write();
  drop(written, {"expected"});
  for (auto& [key, value] : std::get<ConfigValue::Table>(written.data())) {
    if (key == "data") drop(value, {"path", "format"});
    if (key == "training") drop(value, {"threads", "checkpoint_every"});
    auto* inner = std::get_if<ConfigValue::Table>(&value.data());
    if (inner == nullptr) continue;
    for (auto& [name, members] : *inner) {
      if (name == "street_digits") drop(members, {"fonts"});
      if (name == "distillation") drop(members, {"model"});
    }
  }
  return written.to_json();
}

// Where two configurations first differ, in words; empty when they do not.
std::string difference(const ConfigValue& before, const ConfigValue& now, const std::string& key) {
  if (before.to_json() == now.to_json()) return {};
  const auto* table = std::get_if<ConfigValue::Table>(&now.data());
  if (table != nullptr && std::holds_alternative<ConfigValue::Table>(before.data())) {
    for (const auto& [name, value] : *table) {
      const std::string inner = key.empty() ? name : key + "." + name;
      const ConfigValue* other = before.find(name);
      if (other == nullptr) return "key '" + inner + "' was not there";
      if (std::string found = difference(*other, value, inner); !found.empty()) return found;
    }
  }
  const auto* array = std::get_if<ConfigValue::Array>(&now.data());
  const auto* old = std::get_if<ConfigValue::Array>(&before.data());
  if (array != nullptr && old != nullptr && !array->empty() &&
      std::holds_alternative<ConfigValue::Table>(array->front().data())) {
    if (array->size() != old->size()) {
      return "key '" + key + "' had " + std::to_string(old->size()) + " entries, now it has " +
             std::to_string(array->size());
    }
    for (std::size_t i = 0; i < array->size(); ++i) {
      const std::string inner = key + "[" + std::to_string(i) + "]";
      if (std::string found = difference((*old)[i], (*array)[i], inner); !found.empty()) {
        return found;
      }
    }
  }
  return "key '" + key + "' was " + before.to_json() + ", now it is " + now.to_json();
}

// Append-only JSON lines. It must be possible to open; after that a run without its log is still a
// run, and whoever writes is told whether the line is there.
class Log {
 public:
  // What the file holds stays. Throws Error(kIoError) when it cannot be opened for writing.
  explicit Log(std::filesystem::path path) : path_(std::move(path)) {
    if (std::ofstream(path_, std::ios::app)) return;
    throw Error(ErrorCode::kIoError, "cannot write the log '" + path_.string() +
                                         "'; remove it, or choose another folder");
  }

  void clear() const { std::ofstream(path_, std::ios::trunc); }

  // A crash may have cut the last line; the next one must not be glued to it.
  void drop_partial_line() const {
    std::error_code ignored;
    if (!std::filesystem::is_regular_file(path_, ignored)) return;
    std::uintmax_t whole = 0;
    std::uintmax_t length = 0;
    std::ifstream file(path_, std::ios::binary);
    for (char c = 0; file.get(c);) {
      ++length;
      if (c == '\n') whole = length;
    }
    if (whole != length) std::filesystem::resize_file(path_, whole, ignored);
  }

  // False when the line could not be written; nothing of it is left then.
  [[nodiscard]] bool line(const char* event, ConfigValue::Table members) const {
    members.insert(members.begin(), {"event", ConfigValue(std::string(event))});
    std::ofstream file(path_, std::ios::app);
    file << ConfigValue(std::move(members)).to_json() << '\n';
    file.close();
    if (!file) drop_partial_line();
    return !file.fail();
  }

 private:
  std::filesystem::path path_;
};

// JSON has no number for what is not finite.
ConfigValue number(double value) {
  if (std::isfinite(value)) return ConfigValue(value);
  return ConfigValue(std::string(std::isnan(value) ? "nan" : "inf"));
}
ConfigValue number(int value) { return ConfigValue(std::int64_t{value}); }

ConfigValue scores_value(const std::vector<WidthScore>& scores) {
  ConfigValue::Array array;
  for (const WidthScore& score : scores) {
    array.emplace_back(ConfigValue::Table{{"width", number(score.width)},
                                          {"accuracy", number(score.accuracy)},
                                          {"loss", number(score.loss)}});
  }
  return ConfigValue(std::move(array));
}

[[noreturn]] void refuse_infinite(const std::string& what) {
  refuse(what +
         " is no longer finite; lower 'training.optimiser.learning_rate' or set "
         "'training.gradient_clip'");
}

// Name and files, since the parts of a data set have one name.
std::string described(const Dataset& images) {
  return images.name() + " (" + images.provenance() + ")";
}

// Of a checkpoint.
std::string selector_array(std::size_t number) { return "selector." + std::to_string(number); }
std::string average_array(std::size_t number) { return "average." + std::to_string(number); }

// What a step learns with, besides weights and images. Only the trainable groups' blocks are handed
// to the optimiser: the others are frozen by construction.
struct Learner {
  Learner(const RunConfig& config, WeightSet& weights, GroupRange range, bool alone, int threads,
          std::uint64_t seed, const Ranks& ranks)
      : gradients(config.network, range.last),
        optimiser(config.training.optimiser, learned_blocks(config.network, weights, range)),
        plan(config.network, weights, gradients,
             {.trainable = range,
              .alone = alone,
              .batch = config.training.batch_size / ranks.size(),
              .threads = threads,
              .bf16 = multiplies_in_bf16(config.training),
              .label_smoothing = config.training.label_smoothing,
              .decorrelation = config.training.decorrelation,
              .seed = seed ^ static_cast<std::uint64_t>(ranks.rank()),
              .ranks = config.training.synchronised_normalisation ? ranks : Ranks()}) {
    if (config.training.average <= 0) return;
    std::vector<std::span<float>> learned;
    for (int group = range.first; group <= range.last; ++group) {
      learned.push_back(weights.group_values(group));
    }
    average.emplace(config.training.average, std::move(learned));
  }

  std::vector<ParameterBlock> learned_blocks(const Network& network, WeightSet& weights,
                                             GroupRange range) {
    std::vector<ParameterBlock> blocks;
    for (int group = range.first; group <= range.last; ++group) {
      for (const ParameterKey& key : network.parameters(group)) {
        if (!key.spec.learned()) continue;
        gradient_spans.push_back(gradients.values(key));
        blocks.push_back({network.parameter_name(key), weights.values(key), gradients.values(key),
                          key.spec.decays()});
      }
    }
    return blocks;
  }

  WeightSet gradients;
  std::vector<std::span<float>> gradient_spans;  // of the trainable groups
  Optimiser optimiser;
  LearningPlan plan;
  std::optional<WeightAverage> average;  // until it takes the weights' place
};

// One call of train(): the state shared by its steps.
class Run {
 public:
  Run(const RunConfig& config, const TrainingData& data, const TrainerOptions& options,
      TrainingObserver& observer)
      : config_(config),
        data_(data),
        options_(options),
        observer_(options.ranks.first() ? observer : silent_),
        ranks_(options.ranks) {
    const int wanted = config.training.threads;
    threads_ = wanted > 0 ? wanted : available_cores();
    check_data();
    if (ranks_.first()) {
      open_folder();
      load_base();
      prepare_state();
      if (checkpoint_) take_over();
    }
    share_state();
    check_memory();
  }

  TrainingOutcome go();

 private:
  void check_data() const;
  void check_shape(const Dataset& images) const;
  void open_folder();
  [[noreturn]] void refuse_without_checkpoint() const;
  void load_base();
  void prepare_state();
  void load_teacher();
  void take_over();
  void share_state();
  void compare_with_first(const std::string& own, const char* what, const char* fix) const;
  void share(CheckpointState& state) const;
  void check_memory() const;
  void begin_writing(GroupRange range, Learner& learner, const TrainingPosition& position);
  void log_event(const char* event, ConfigValue::Table members);
  [[nodiscard]] ModelInfo info(int groups) const;
  [[nodiscard]] Model model_of(int groups) const;
  bool train_step(GroupRange range);
  void stack_group(int group);
  [[nodiscard]] std::vector<WidthLoss> over_ranks(std::vector<WidthLoss> losses) const;
  void average_over_ranks(Learner& learner, GroupRange learned);
  void learn_from_teacher(LearningPlan& plan, const Batch& batch, GroupRange learned);
  void weigh_by_selector(LearningPlan& plan, const Batch& batch, std::int64_t step,
                         const TrainingPosition& position);
  void save(GroupRange range, Learner& learner, const TrainingPosition& next, double epoch_loss,
            double epoch_correct);
  void restore(Learner& learner);
  [[nodiscard]] double step_work(GroupRange range) const;
  [[nodiscard]] double seconds_left(const TrainingPosition& position) const;

  [[nodiscard]] std::filesystem::path model_path() const { return options_.folder / kModelName; }
  [[nodiscard]] std::filesystem::path checkpoint_path() const {
    return options_.folder / kCheckpointName;
  }
  [[nodiscard]] int groups() const { return config_.network.groups(); }
  [[nodiscard]] GroupRange range_from(int first) const {
    return {first, config_.training.joint() ? groups() : first};
  }

  // Those of `range` and, with looking ahead, some beyond, which are not kept.
  [[nodiscard]] GroupRange learned_with(GroupRange range) const {
    return {range.first, std::min(groups(), range.last + config_.training.look_ahead)};
  }

  // Where a key of the configuration stands, for messages.
  [[nodiscard]] std::string source() const {
    return config_.source.empty() ? "" : config_.source + ": ";
  }

  [[nodiscard]] bool learns_alone(int group) const {
    return config_.training.stacking && group > 1 && !options_.fine_tune;
  }

  // Whether the group reads nothing of those before it, neither by its layers nor by its head.
  [[nodiscard]] bool stands_alone(int group) const {
    return learns_alone(group) && config_.training.decorrelation == 0 &&
           config_.network.connectivity() == Connectivity::kGrouped;
  }

  const RunConfig& config_;
  const TrainingData& data_;
  const TrainerOptions& options_;
  TrainingObserver silent_;
  TrainingObserver& observer_;
  Ranks ranks_;
  int threads_ = 1;
  int base_groups_ = 0;
  std::string base_epochs_;    // how long the base was trained, in words
  std::string base_hashes_;    // SHA-256 of each of its groups
  std::string images_hashes_;  // SHA-256 of the training images, those of the base first
  std::optional<Checkpoint> checkpoint_;
  std::optional<Log> log_;
  bool log_is_whole_ = true;
  CheckpointState state_;
  WeightSet weights_;
  Normalisation normalisation_;
  std::optional<JointSelector> selector_;  // learned along with the groups
  std::optional<Teacher> teacher_;         // a model that is learned from
  std::vector<float> fine_tuned_;          // where the last group begins, with fine-tuning
  std::vector<float> targets_;             // a teacher's probabilities for a batch
  std::vector<double> validation_;         // accuracy of the widths finished so far
  double seconds_before_ = 0;              // of earlier calls
  Clock::time_point start_ = Clock::now();
  double work_done_ = 0;  // multiply-accumulates of this call, for the estimate
};

void Run::check_shape(const Dataset& images) const {
  const MapShape& input = config_.network.input();
  const ImageShape& shape = images.shape();
  if (shape.channels != input.channels_of(1) || shape.height != input.height ||
      shape.width != input.width) {
    refuse(source() + "key 'network.input' is [" + std::to_string(input.channels_of(1)) + ", " +
           std::to_string(input.height) + ", " + std::to_string(input.width) + "], the images of " +
           described(images) + " are [" + std::to_string(shape.channels) + ", " +
           std::to_string(shape.height) + ", " + std::to_string(shape.width) + "]");
  }
  if (images.classes() != config_.network.classes()) {
    refuse(source() + "key 'network.classes' is " + std::to_string(config_.network.classes()) +
           ", " + described(images) + " has " + std::to_string(images.classes()) + " classes");
  }
}

void Run::check_data() const {
  check_shape(data_.training);
  if (!data_.validation.empty()) check_shape(data_.validation);
  if (data_.test && !data_.test->empty()) check_shape(*data_.test);
  if (config_.training.stacking && data_.validation.empty()) {
    refuse(source() +
           "key 'training.stacking' is true, but no images are held out; raise 'data.validation'");
  }
  if (config_.training.batch_size % ranks_.size() != 0) {
    refuse(source() + "key 'training.batch_size' is " +
           std::to_string(config_.training.batch_size) + ", which cannot be shared equally by " +
           std::to_string(ranks_.size()) + " ranks");
  }
  if (!ranks_.alone() && config_.training.selector.alpha) {
    refuse(source() + "key 'training.selector.alpha' is set, which needs one rank alone");
  }
  if (!ranks_.alone() && config_.training.decorrelation > 0) {
    refuse(source() + "key 'training.decorrelation' is set, which needs one rank alone");
  }
  if (data_.training.size() < static_cast<std::size_t>(config_.training.batch_size)) {
    refuse(source() + "key 'training.batch_size' is " +
           std::to_string(config_.training.batch_size) + ", there are only " +
           std::to_string(data_.training.size()) + " training images");
  }
}

void Run::open_folder() {
  std::error_code failed;
  const bool has_checkpoint = std::filesystem::exists(checkpoint_path(), failed);
  const bool has_model = std::filesystem::exists(model_path(), failed);
  if (options_.resume && !has_checkpoint && !has_model) {
    throw Error(ErrorCode::kNotFound, "there is no run to resume in '" + options_.folder.string() +
                                          "'; name the folder of one, or start without --resume");
  }
  if (options_.resume) {
    if (!has_checkpoint) refuse_without_checkpoint();
    try {
      checkpoint_ = load_checkpoint(checkpoint_path());
    } catch (const Error& error) {
      if (error.code() != ErrorCode::kCorruptData || !has_model) throw;
      throw Error(error.code(), std::string(error.what()) + ", or keep the groups of '" +
                                    model_path().string() + "' with --extend and another folder");
    }
  } else if ((has_checkpoint || has_model) && !options_.overwrite) {
    refuse("the folder '" + options_.folder.string() +
           "' holds a run; go on with --resume, replace it with --overwrite, or choose another "
           "folder");
  }
}

// A model alone is a finished run, or what is left of one whose checkpoint was taken away.
void Run::refuse_without_checkpoint() const {
  const int finished = load_model(model_path()).network.groups();
  if (finished >= groups()) {
    refuse("the run in '" + options_.folder.string() +
           "' is finished already; begin anew with --overwrite, or choose another folder");
  }
  refuse("the run in '" + options_.folder.string() + "' has no checkpoint, and its model " +
         std::to_string(finished) + " of " + std::to_string(groups()) +
         " groups; keep them with --extend '" + model_path().string() +
         "' and another folder, or begin anew with --overwrite");
}

void Run::load_base() {
  if (!options_.extend) return;
  std::error_code ignored;
  if (std::filesystem::equivalent(*options_.extend, model_path(), ignored)) {
    refuse("the model '" + options_.extend->string() +
           "' lies where this run writes its own; choose another folder");
  }
  ModelFile base = load_model(*options_.extend, std::nullopt, options_.trusted);
  base_groups_ = base.network.groups();
  if (config_.training.selector.alpha) {
    refuse(source() +
           "key 'training.selector.alpha' is set, which needs all groups to be trained together; "
           "leave it out with --extend, and learn selectors by 'bellows tune'");
  }
  if (options_.fine_tune) {
    if (base_groups_ != groups()) {
      refuse("the model '" + options_.extend->string() + "' has " + std::to_string(base_groups_) +
             " groups, the configuration " + std::to_string(groups()) +
             "; fine-tuning needs as many");
    }
    if (config_.training.joint()) {
      refuse(source() +
             "key 'training.schedule' is \"joint\"; fine-tuning trains the last group alone");
    }
  } else if (base_groups_ >= groups()) {
    refuse("the model '" + options_.extend->string() + "' has " + std::to_string(base_groups_) +
           " groups, the configuration " + std::to_string(groups()) +
           "; extending needs a configuration with more" +
           (base_groups_ == groups() ? ", going on with the last group --fine-tune" : ""));
  }
  if (config_.network.first_groups(base_groups_).write().to_json() !=
      base.network.write().to_json()) {
    refuse("the model '" + options_.extend->string() + "' is not the first " +
           std::to_string(base_groups_) + " groups of the configured network");
  }
  if (base.info.classes != data_.training.class_names()) {
    refuse("the model '" + options_.extend->string() + "' was trained on other classes than " +
           data_.training.name());
  }
  Sha256 digest;
  for (const GroupFacts& group : base.facts.groups) {
    digest.update(group.sha256);
    base_hashes_ += (base_hashes_.empty() ? "" : ", ") + group.sha256;
  }
  state_.base = digest.hex();
  base_epochs_ = base.info.epochs;
  if (const std::string* hashes = base.info.find_extra(kTrainingImagesSha256)) {
    images_hashes_ = *hashes;
  }
  weights_ = std::move(base.weights);
  // The frozen groups have learned with this normalisation, or without one; new ones must live with
  // it.
  state_.mean = base.info.mean;
  state_.stddev = base.info.stddev;
  const auto channels = static_cast<std::size_t>(config_.network.input().channels_of(1));
  normalisation_ = {.mean = std::vector<float>(channels, 0.0F),
                    .stddev = std::vector<float>(channels, 1.0F)};
  std::ranges::copy(base.info.mean, normalisation_.mean.begin());
  std::ranges::copy(base.info.stddev, normalisation_.stddev.begin());
  validation_ = base.info.validation_accuracy;
  if (options_.fine_tune) {
    const std::span<const float> last = std::as_const(weights_).group_values(base_groups_);
    fine_tuned_.assign(last.begin(), last.end());
    weights_.keep_groups(--base_groups_);
    if (!validation_.empty()) validation_.pop_back();
  }
}

void Run::prepare_state() {
  state_.config = identity(config_);
  const std::string hash = data_.training.sha256();
  state_.data =
      data_.training.name() + ", " + std::to_string(data_.training.size()) + " images, " + hash;
  if (images_hashes_.find(hash) == std::string::npos) {
    images_hashes_ += (images_hashes_.empty() ? "" : ", ") + hash;
  }
  state_.threads = threads_;
  state_.ranks = ranks_.size();
  if (!options_.extend) {
    normalisation_ = compute_normalisation(data_.training);
    state_.mean.assign(normalisation_.mean.begin(), normalisation_.mean.end());
    state_.stddev.assign(normalisation_.stddev.begin(), normalisation_.stddev.end());
  }
  state_.first_group = base_groups_ + 1;
  load_teacher();
}

void Run::load_teacher() {
  const DistillationConfig& distillation = config_.training.distillation;
  if (distillation.teacher != "model") return;
  teacher_.emplace(distillation.model, options_.trusted, config_.network, normalisation_,
                   config_.training.batch_size / ranks_.size(), threads_);
  state_.teacher = teacher_->sha256();
  if (teacher_->training_images().find(data_.training.sha256()) == std::string::npos) {
    observer_.note(
        "the teacher was not trained on these very images; if it has seen the held-out ones, "
        "accuracies on them will be too good");
  }
}

// Everything that the first rank has found in files, given to the others, which compare what they
// have of their own.
void Run::share_state() {
  if (ranks_.alone()) return;
  compare_with_first(data_.training.sha256(), "other images", "give all of them the same data");
  compare_with_first(identity(config_) + (options_.fine_tune ? ", fine-tuning" : ""),
                     "another configuration", "give all of them the same file and options");
  compare_with_first(std::to_string(channel_block()), "another instruction set",
                     "take machines of one kind, or set ONEDNN_MAX_CPU_ISA for all of them");
  share(state_);
  ranks_.share(base_groups_);
  const auto channels = static_cast<std::size_t>(config_.network.input().channels_of(1));
  for (std::vector<float>* values : {&normalisation_.mean, &normalisation_.stddev}) {
    values->resize(channels);
    ranks_.share(std::span(*values));
  }
  int groups = weights_.groups();
  ranks_.share(groups);
  while (weights_.groups() < groups) weights_.add_group(config_.network);
  for (int group = 1; group <= groups; ++group) {
    ranks_.share(weights_.group_values(group));
  }
  int fine_tuned = static_cast<int>(fine_tuned_.size());
  ranks_.share(fine_tuned);
  fine_tuned_.resize(static_cast<std::size_t>(fine_tuned));
  ranks_.share(std::span(fine_tuned_));
  int resumes = checkpoint_ ? 1 : 0;
  ranks_.share(resumes);
  if (resumes != 0) {
    if (!checkpoint_) checkpoint_.emplace();
    share(checkpoint_->state);
    int arrays = static_cast<int>(checkpoint_->arrays.size());
    ranks_.share(arrays);
    checkpoint_->arrays.resize(static_cast<std::size_t>(arrays));
    for (NamedArray& array : checkpoint_->arrays) {
      ranks_.share(array.name);
      int size = static_cast<int>(array.values.size());
      ranks_.share(size);
      array.values.resize(static_cast<std::size_t>(size));
      ranks_.share(std::span(array.values));
    }
  }
  if (!ranks_.first()) {
    const std::string teacher = state_.teacher;
    load_teacher();
    if (state_.teacher != teacher) {
      refuse("the teacher '" + config_.training.distillation.model + "' of rank " +
             std::to_string(ranks_.rank()) + " is not that of the first");
    }
  }
}

// Every rank throws where any one has something else than the first.
void Run::compare_with_first(const std::string& own, const char* what, const char* fix) const {
  std::string first = own;
  ranks_.share(first);
  std::vector<double> others = {first == own ? 0.0 : 1.0};
  ranks_.sum(others);
  if (others[0] > 0) {
    refuse(std::to_string(static_cast<int>(others[0])) + " of " + std::to_string(ranks_.size()) +
           " ranks found " + what + " than the first; " + fix);
  }
}

void Run::share(CheckpointState& state) const {
  FieldWriter writer;
  state.visit_fields(writer);
  std::string text = writer.value().to_json();
  ranks_.share(text);
  const ConfigValue value = read_json(text, "state of the first rank");
  FieldReader reader(value, "");
  state.visit_fields(reader);
}

// Goes on from the checkpoint that was found, if it is of this very run.
void Run::take_over() {
  const CheckpointState& found = checkpoint_->state;
  const std::string checkpoint = "the checkpoint in '" + options_.folder.string() + "' ";
  if (found.config != state_.config) {
    refuse(checkpoint + "is of another configuration: " +
           difference(read_json(found.config, checkpoint_path().string()),
                      read_json(state_.config, "configuration"), "") +
           "; take that one or choose another folder");
  }
  if (found.data != state_.data) {
    const auto without_checksum = [](const std::string& text) {
      return text.substr(0, text.rfind(','));
    };
    const std::string before = without_checksum(found.data);
    const std::string now = without_checksum(state_.data);
    refuse(checkpoint + "is of another data set: it had " + before + ", now there are " +
           (before == now ? "as many of other content" : now) +
           "; take that one or choose another folder");
  }
  if (found.base != state_.base) {
    if (found.base.empty()) refuse(checkpoint + "extends no model; resume without --extend");
    if (state_.base.empty()) {
      refuse(checkpoint + "goes on from a model; resume with its --extend or --fine-tune");
    }
    refuse(checkpoint + "extends another base model than '" + options_.extend->string() +
           "'; resume with the one it began with");
  }
  if (found.teacher != state_.teacher) {
    refuse(checkpoint + "learns from another teacher; resume with the one it began with");
  }
  // Not part of the weights, so that another model with the very groups of the base may differ
  // here.
  if (found.mean != state_.mean || found.stddev != state_.stddev) {
    refuse(checkpoint + "has another normalisation of the input than " +
           (options_.extend
                ? "the model '" + options_.extend->string() + "'; resume with the one it began with"
                : "these images have; begin anew with --overwrite"));
  }
  if (found.threads != threads_) {
    refuse(checkpoint + "was made with " + std::to_string(found.threads) +
           " threads, now there are " + std::to_string(threads_) + "; resume with --threads " +
           std::to_string(found.threads) + " for the same bits");
  }
  if (found.ranks != ranks_.size()) {
    refuse(checkpoint + "was made by " + std::to_string(found.ranks) + " ranks, now there are " +
           std::to_string(ranks_.size()) + "; resume by as many for the same bits");
  }
  if (found.first_group <= base_groups_ || found.first_group > groups() ||
      found.last_group != learned_with(range_from(found.first_group)).last ||
      found.epoch > config_.training.epochs_of(found.first_group)) {
    throw Error(ErrorCode::kCorruptData,
                checkpoint + "stands where this run never is; begin anew with --overwrite");
  }
  for (int group = weights_.groups() + 1; group <= found.last_group; ++group) {
    weights_.add_group(config_.network);
    const std::span<float> values = weights_.group_values(group);
    std::ranges::copy(checkpoint_->array("weights.group." + std::to_string(group), values.size()),
                      values.begin());
  }
  validation_ = found.validation;
  seconds_before_ = found.seconds;
  state_.first_group = found.first_group;
}

// The step that learns up to the last group is the largest: that it does not fit is said now, not
// when those before it have been trained.
void Run::check_memory() const {
  const GroupRange last =
      learned_with(range_from(std::max(1, groups() - config_.training.look_ahead)));
  if (config_.training.joint() || state_.first_group >= last.first) return;
  internal::with_every_failure_an_error(
      "training group " + std::to_string(groups()) + " of '" + config_.name + "'",
      "use smaller groups or a smaller 'training.batch_size'", [&] {
        WeightSet weights(config_.network, groups());
        return Learner(config_, weights, last, stands_alone(last.first), threads_, 0, ranks_)
            .optimiser.updates();
      });
}

// Called once a step; the first time nothing can be refused any more, and until then a run that is
// to be replaced stays as it was.
void Run::begin_writing(GroupRange range, Learner& learner, const TrainingPosition& position) {
  if (log_ || !ranks_.first()) return;
  std::error_code failed;
  std::filesystem::create_directories(options_.folder, failed);
  if (failed || !std::filesystem::is_directory(options_.folder)) {
    throw Error(ErrorCode::kIoError, "cannot make the folder '" + options_.folder.string() +
                                         "': " + failed.message() + "; choose another");
  }
  Log opened(options_.folder / kLogName);
  if (checkpoint_) {
    opened.drop_partial_line();
  } else {
    // From here on the folder holds this run, whatever lies there of the one before: its checkpoint
    // is replaced, and beside a checkpoint no model passes for finished.
    save(range, learner, position, 0, 0);
    opened.clear();
  }
  log_ = std::move(opened);
}

void Run::log_event(const char* event, ConfigValue::Table members) {
  if (!ranks_.first()) return;
  if (log_->line(event, std::move(members)) || !log_is_whole_) return;
  log_is_whole_ = false;
  observer_.note("'" + (options_.folder / kLogName).string() +
                 "' cannot be written (disk full?); the run goes on, its log lacks lines");
}

ModelInfo Run::info(int groups) const {
  ModelInfo info;
  info.classes = data_.training.class_names();
  info.mean = state_.mean;
  info.stddev = state_.stddev;
  info.data_set = data_.training.name();
  info.seed = config_.training.seed;
  info.schedule = options_.fine_tune ? "fine-tune"
                  : options_.extend  ? "extend"
                                     : config_.training.schedule;
  info.epochs = base_epochs_;
  for (int group = base_groups_ + 1; group <= groups; ++group) {
    if (config_.training.joint() && group > base_groups_ + 1) break;
    info.epochs +=
        (info.epochs.empty() ? "" : ", ") + std::to_string(config_.training.epochs_of(group));
  }
  info.created_with = options_.created_with;
  if (validation_.size() == static_cast<std::size_t>(groups))
    info.validation_accuracy = validation_;
  if (selector_ && groups == this->groups()) info.selectors = {selector_->selector()};
  info.extra.emplace_back("configuration", config_.name);
  info.extra.emplace_back("training_images", std::to_string(data_.training.size()));
  info.extra.emplace_back(kTrainingImagesSha256, images_hashes_);
  if (config_.training.stacking) info.extra.emplace_back("stacking", "true");
  if (multiplies_in_bf16(config_.training)) info.extra.emplace_back("precision", "bf16");
  if (options_.extend) info.extra.emplace_back("base_sha256", base_hashes_);
  // So that the same images can be found again: how the generator drew, what was held out.
  ConfigValue data = *config_.write().find("data");
  drop(data, {"path"});
  info.extra.emplace_back("data", data.to_json());
  return info;
}

Model Run::model_of(int groups) const {
  return internal::make_model(std::make_shared<internal::ModelState>(
      config_.network.first_groups(groups), info(groups), weights_));
}

// Multiply-accumulates of one image's forward and backward pass, which takes two more where there
// are gradients: frozen groups have none. For the estimate of the time left only.
double Run::step_work(GroupRange range) const {
  const GroupRange learned = learned_with(range);
  double work = 0;
  for (int group = stands_alone(range.first) ? learned.first : 1; group <= learned.last; ++group) {
    work += static_cast<double>(config_.network.macs(group)) * (group < learned.first ? 1 : 3);
  }
  return work;
}

double Run::seconds_left(const TrainingPosition& position) const {
  if (work_done_ <= 0) return 0;
  const auto epoch_images = static_cast<double>(position.batches);
  double work = 0;
  for (int first = position.first_group; first <= groups();) {
    const GroupRange range = range_from(first);
    double epochs = config_.training.epochs_of(first);
    if (first == position.first_group) {
      epochs -= position.epoch + static_cast<double>(position.batch) / epoch_images;
    }
    work += epochs * epoch_images * step_work(range);
    first = range.last + 1;
  }
  return work / work_done_ * seconds_since(start_);
}

void Run::save(GroupRange range, Learner& learner, const TrainingPosition& next, double epoch_loss,
               double epoch_correct) {
  if (!ranks_.first()) return;
  Optimiser& optimiser = learner.optimiser;
  const int last_group = learned_with(range).last;
  Checkpoint checkpoint{.state = state_, .arrays = {}};
  checkpoint.state.first_group = range.first;
  checkpoint.state.last_group = last_group;
  checkpoint.state.epoch = next.epoch;
  checkpoint.state.batch = static_cast<int>(next.batch);
  checkpoint.state.updates = static_cast<int>(optimiser.updates());
  checkpoint.state.seconds = seconds_before_ + seconds_since(start_);
  checkpoint.state.epoch_loss = epoch_loss;
  checkpoint.state.epoch_correct = epoch_correct;
  checkpoint.state.validation = validation_;
  for (int group = base_groups_ + 1; group <= last_group; ++group) {
    const std::span<const float> values = std::as_const(weights_).group_values(group);
    checkpoint.arrays.push_back(
        {"weights.group." + std::to_string(group), {values.begin(), values.end()}});
  }
  for (const Optimiser::StateArray& array : optimiser.state()) {
    checkpoint.arrays.push_back(
        {"optimiser." + array.name, {array.values.begin(), array.values.end()}});
  }
  if (selector_) {
    std::size_t number = 0;
    for (const std::span<float> values : selector_->state()) {
      checkpoint.arrays.push_back({selector_array(number++), {values.begin(), values.end()}});
    }
  }
  if (learner.average) {
    std::size_t number = 0;
    for (const std::span<float> values : learner.average->state()) {
      checkpoint.arrays.push_back({average_array(number++), {values.begin(), values.end()}});
    }
  }
  // The last update may have been the one too many: then the checkpoint before is the better one.
  for (const NamedArray& array : checkpoint.arrays) {
    if (std::ranges::all_of(array.values, [](float value) { return std::isfinite(value); })) {
      continue;
    }
    refuse_infinite("'" + array.name + "' after " + std::to_string(optimiser.updates()) +
                    " updates");
  }
  save_checkpoint(checkpoint_path(), checkpoint);
}

void Run::restore(Learner& learner) {
  Optimiser& optimiser = learner.optimiser;
  for (Optimiser::StateArray& array : optimiser.state()) {
    std::ranges::copy(checkpoint_->array("optimiser." + array.name, array.values.size()),
                      array.values.begin());
  }
  optimiser.set_updates(checkpoint_->state.updates);
  // In a finished step the average stands where the weights were.
  if (checkpoint_->state.epoch == config_.training.epochs_of(checkpoint_->state.first_group)) {
    learner.average.reset();
  }
  if (learner.average) {
    std::size_t number = 0;
    for (const std::span<float> values : learner.average->state()) {
      std::ranges::copy(checkpoint_->array(average_array(number++), values.size()), values.begin());
    }
  }
  if (!selector_) return;
  std::size_t number = 0;
  for (const std::span<float> values : selector_->state()) {
    std::ranges::copy(checkpoint_->array(selector_array(number++), values.size()), values.begin());
  }
  selector_->set_updates(checkpoint_->state.updates);
}

// Trains the groups of `range`; false when the observer stopped it (a checkpoint is saved then).
bool Run::train_step(GroupRange range) {
  const TrainingConfig& training = config_.training;
  const bool resumed = checkpoint_ && checkpoint_->state.first_group == range.first;
  const GroupRange learned = learned_with(range);
  for (int group = weights_.groups() + 1; group <= learned.last; ++group) {
    weights_.add_group(config_.network);
    initialise_group(config_.network, group, static_cast<std::uint64_t>(training.seed),
                     training.lateral, weights_);
    if (learns_alone(group)) forget_narrower(config_.network, group, weights_);
    if (!fine_tuned_.empty()) std::ranges::copy(fine_tuned_, weights_.group_values(group).begin());
  }

  // Batches and dropout of every step are drawn anew, and differently for every group.
  const auto step_seed = static_cast<std::uint64_t>(training.seed) * 1000003U +
                         static_cast<std::uint64_t>(range.first);
  Learner learner(config_, weights_, learned, stands_alone(range.first), threads_, step_seed,
                  ranks_);
  Optimiser& optimiser = learner.optimiser;
  BatchLoader loader(data_.training, {.batch_size = training.batch_size,
                                      .seed = step_seed,
                                      .shuffle = true,
                                      .drop_last = true,
                                      .part = ranks_.rank(),
                                      .parts = ranks_.size(),
                                      .augmentation = config_.data.augmentation,
                                      .normalisation = normalisation_});

  TrainingPosition position{.first_group = range.first,
                            .last_group = range.last,
                            .groups = groups(),
                            .epochs = training.epochs_of(range.first),
                            .batches = static_cast<std::int64_t>(loader.batches_per_epoch())};
  double epoch_loss = 0;
  double epoch_correct = 0;
  if (training.selector.alpha) {
    selector_.emplace(config_.network, training.selector, step_seed);
  }
  if (resumed) {
    restore(learner);
    position.epoch = checkpoint_->state.epoch;
    position.batch = checkpoint_->state.batch;
    epoch_loss = checkpoint_->state.epoch_loss;
    epoch_correct = checkpoint_->state.epoch_correct;
    if (position.batch > position.batches) {
      throw Error(ErrorCode::kCorruptData, "the checkpoint '" + checkpoint_path().string() +
                                               "' stands behind the end of an epoch; begin anew "
                                               "with --overwrite");
    }
    // After the last batch of an epoch its validation is still to come, but no batch of it.
    const bool epoch_is_trained = position.batch == position.batches;
    const auto epoch = static_cast<std::uint64_t>(position.epoch);
    if (epoch_is_trained) {
      loader.seek(epoch + 1, 0);
    } else {
      loader.seek(epoch, static_cast<std::uint64_t>(position.batch));
    }
  }
  begin_writing(range, learner, position);
  observer_.begin(position, resumed);
  log_event("begin", {{"first_group", number(range.first)},
                      {"last_group", number(range.last)},
                      {"epoch", number(position.current_epoch())},
                      {"batch", number(static_cast<int>(position.batch))},
                      {"threads", number(threads_)}});

  std::int64_t since_checkpoint = 0;
  for (; position.epoch < position.epochs; ++position.epoch, position.batch = 0) {
    const Clock::time_point epoch_start = Clock::now();
    std::int64_t batches_now = 0;
    TrainingProgress progress;
    const auto note_means = [&] {
      const auto done = static_cast<double>(position.batch);
      progress.position = position;
      progress.loss = epoch_loss / done;
      progress.accuracy = epoch_correct / (done * training.batch_size);
    };
    const auto rate_of = [&](std::int64_t step) {
      return learning_rate(training.learning_rate_schedule, training.optimiser.learning_rate, step,
                           position.batches, position.epochs);
    };
    if (position.batch == position.batches) {  // stopped right after the epoch's last batch
      note_means();
      progress.learning_rate = rate_of(position.epoch * position.batches + position.batch - 1);
    }
    while (position.batch < position.batches) {
      const Batch batch = loader.next();
      const std::int64_t step = position.epoch * position.batches + position.batch;
      const std::vector<WidthLoss> losses = over_ranks(learner.plan.forward(
          batch.images.data(), batch.labels.data(), static_cast<std::uint64_t>(step)));
      for (const WidthLoss& width : losses) {
        if (!std::isfinite(width.loss)) {
          refuse_infinite("the loss of width " + std::to_string(width.width) + " in epoch " +
                          std::to_string(position.epoch + 1) + ", batch " +
                          std::to_string(position.batch + 1) + ",");
        }
      }
      const WidthLoss widest = losses[static_cast<std::size_t>(range.size() - 1)];
      if (training.distillation.enabled()) learn_from_teacher(learner.plan, batch, learned);
      if (selector_) weigh_by_selector(learner.plan, batch, step, position);
      for (int width = range.first; width <= range.last && !training.width_weights.empty();
           ++width) {
        const double weight = training.width_weights[static_cast<std::size_t>(width - 1)];
        learner.plan.weigh(width, std::vector<float>(static_cast<std::size_t>(batch.size),
                                                     static_cast<float>(weight)));
      }
      learner.plan.backward();
      average_over_ranks(learner, learned);
      if (learns_alone(range.last)) {
        forget_narrower(config_.network, range.last, learner.gradients);
      }
      if (training.gradient_clip > 0) {
        clip_gradients(learner.gradient_spans, training.gradient_clip);
      }
      const double rate = rate_of(step);
      optimiser.step(rate);
      if (learner.average) learner.average->update(optimiser.updates());
      epoch_loss += widest.loss;
      epoch_correct += widest.correct;
      ++position.batch;
      ++batches_now;
      ++since_checkpoint;
      work_done_ += step_work(range);

      note_means();
      progress.learning_rate = rate;
      progress.images_per_second = static_cast<double>(batches_now) * training.batch_size /
                                   std::max(1e-9, seconds_since(epoch_start));
      progress.seconds_left = seconds_left(position);
      progress.starved_seconds = loader.starved_seconds();
      observer_.batch(progress);

      int asked_to_stop = observer_.should_stop() ? 1 : 0;
      ranks_.share(asked_to_stop);
      const bool stop = asked_to_stop != 0;
      const bool due =
          training.checkpoint_every > 0 && since_checkpoint >= training.checkpoint_every;
      if (stop || due) {
        save(range, learner, position, epoch_loss, epoch_correct);
        observer_.checkpoint(checkpoint_path());
        since_checkpoint = 0;
      }
      if (stop) {
        log_event("stopped", {{"epoch", number(position.current_epoch())},
                              {"batch", number(static_cast<int>(position.batch))}});
        return false;
      }
    }
    const bool finished = position.epoch + 1 == position.epochs;
    // The average is what is judged, and what stays in the end.
    if (learner.average) learner.average->swap();
    // Only now, so that whoever resumes finds a group that is trained or not, but not stacked.
    if (learns_alone(range.last) && finished) stack_group(range.last);
    EpochReport report;
    report.training = progress;
    report.training.position = position;
    if (!data_.validation.empty() && ranks_.first()) {
      report.validation =
          evaluate(model_of(range.last), data_.validation,
                   {.first_width = range.first, .last_width = range.last, .threads = threads_});
    }
    if (learner.average && !finished) learner.average->swap();
    if (finished) learner.average.reset();
    report.seconds = seconds_since(epoch_start);
    if (!ranks_.alone()) {
      const Ranks::Summing summed = Ranks::summing();
      log_event("ranks", {{"epoch", number(position.current_epoch())},
                          {"ranks", number(ranks_.size())},
                          {"bytes_summed", number(static_cast<double>(summed.bytes))},
                          {"seconds_summing", number(summed.seconds)}});
    }
    log_event("epoch", {{"first_group", number(range.first)},
                        {"last_group", number(range.last)},
                        {"epoch", number(position.current_epoch())},
                        {"loss", number(progress.loss)},
                        {"accuracy", number(progress.accuracy)},
                        {"learning_rate", number(progress.learning_rate)},
                        {"images_per_second", number(progress.images_per_second)},
                        {"starved_seconds", number(progress.starved_seconds)},
                        {"seconds", number(report.seconds)},
                        {"validation", scores_value(report.validation)}});
    if (selector_) {
      const JointSelector::Means means = selector_->take_means();
      // None where the run was stopped right after the epoch's last batch.
      if (means.batches > 0) {
        log_event("selector", {{"epoch", number(position.current_epoch())},
                               {"cost", number(means.cost)},
                               {"accuracy", number(1 - means.error)}});
      }
    }
    observer_.epoch(report);
    if (finished) {
      // A base without accuracies leaves the list empty: it has one for every width or none.
      for (const WidthScore& score : report.validation) {
        if (validation_.size() + 1 == static_cast<std::size_t>(score.width)) {
          validation_.push_back(score.accuracy);
        }
      }
    }
    epoch_loss = 0;
    epoch_correct = 0;
  }
  // The checkpoint goes first: whoever is killed between the two finds a run to resume, and never
  // takes the model of this step for a finished run.
  save(range, learner, position, 0, 0);
  observer_.checkpoint(checkpoint_path());
  if (ranks_.first()) {
    save_model(model_path(), config_.network.first_groups(range.last), weights_, info(range.last));
  }
  log_event("group", {{"first_group", number(range.first)}, {"last_group", number(range.last)}});
  observer_.group(position, model_path());
  weights_.keep_groups(range.last);
  checkpoint_.reset();
  return true;
}

// Losses of the batch of all ranks.
std::vector<WidthLoss> Run::over_ranks(std::vector<WidthLoss> losses) const {
  if (ranks_.alone()) return losses;
  std::vector<double> sums;
  for (const WidthLoss& width : losses) {
    sums.push_back(width.loss);
    sums.push_back(width.correct);
  }
  ranks_.sum(sums);
  for (std::size_t i = 0; i < losses.size(); ++i) {
    losses[i].loss = sums[2 * i] / ranks_.size();
    losses[i].correct = static_cast<int>(sums[2 * i + 1]);
  }
  return losses;
}

// Gradients of the batch of all ranks, in one message for each group. Running statistics go along
// in the places of gradients that they do not have, so that they stay the same everywhere.
void Run::average_over_ranks(Learner& learner, GroupRange learned) {
  if (ranks_.alone()) return;
  for (int group = learned.first; group <= learned.last; ++group) {
    const auto each_statistic = [&](const auto& act) {
      for (const ParameterKey& key : config_.network.parameters(group)) {
        if (!key.spec.learned()) act(weights_.values(key), learner.gradients.values(key));
      }
    };
    each_statistic([](std::span<float> running, std::span<float> place) {
      std::ranges::copy(running, place.begin());
    });
    const std::span<float> values = learner.gradients.group_values(group);
    ranks_.sum(values);
    const float share = 1.0F / static_cast<float>(ranks_.size());
    for (float& value : values) value *= share;
    each_statistic([](std::span<float> running, std::span<float> place) {
      std::ranges::copy(place, running.begin());
    });
  }
}

// The probabilities of whoever the teacher is, for the widths that learn from it.
void Run::learn_from_teacher(LearningPlan& plan, const Batch& batch, GroupRange learned) {
  const DistillationConfig& distillation = config_.training.distillation;
  const int classes = config_.network.classes();
  targets_.assign(static_cast<std::size_t>(batch.size) * static_cast<std::size_t>(classes), 0.0F);
  GroupRange learners = learned;
  if (distillation.teacher == "model") {
    add_softened(teacher_->answer(batch.images), classes, distillation.temperature, 1, targets_);
  } else if (distillation.teacher == "widest") {
    add_softened(plan.logits(learned.last), classes, distillation.temperature, 1, targets_);
    --learners.last;
  } else {
    for (int width = learned.first; width <= learned.last; ++width) {
      add_softened(plan.logits(width), classes, distillation.temperature, 1.0 / learned.size(),
                   targets_);
    }
  }
  for (int width = learners.first; width <= learners.last; ++width) {
    plan.distil(width, targets_, distillation.weight, distillation.temperature);
  }
}

// Each image's losses count by where the selector, which learns from them too, would stop it.
void Run::weigh_by_selector(LearningPlan& plan, const Batch& batch, std::int64_t step,
                            const TrainingPosition& position) {
  std::vector<std::vector<float>> logits;
  for (int width = 1; width <= groups(); ++width) logits.push_back(plan.logits(width));
  const double steps = static_cast<double>(position.batches) * position.epochs;
  const auto& weights = selector_->learn(logits, batch.labels, static_cast<std::uint64_t>(step),
                                         static_cast<double>(step) / steps);
  for (int width = 1; width <= groups(); ++width) {
    plan.weigh(width, weights[static_cast<std::size_t>(width - 1)]);
  }
}

void Run::stack_group(int group) {
  if (!ranks_.first()) {
    ranks_.share(weights_.group_values(group));
    return;
  }
  const std::vector<std::vector<float>> logits =
      collect_logits(model_of(group), data_.validation,
                     {.first_width = group - 1, .last_width = group, .threads = threads_});
  const StackingWeights stacking =
      fit_stacking(logits.front(), logits.back(), data_.validation.labels());
  stack(config_.network, group, stacking, weights_);
  ranks_.share(weights_.group_values(group));
  log_event("stacked", {{"group", number(group)},
                        {"narrower", number(stacking.narrower)},
                        {"own", number(stacking.own)}});
}

TrainingOutcome Run::go() {
  TrainingOutcome outcome;
  outcome.model = model_path();
  for (int first = state_.first_group; first <= groups();) {
    const GroupRange range = range_from(first);
    if (!train_step(range)) {
      outcome.seconds = seconds_since(start_);
      return outcome;
    }
    first = range.last + 1;
  }
  outcome.finished = true;
  if (!ranks_.first()) {
    outcome.seconds = seconds_since(start_);
    return outcome;
  }
  const Model model = model_of(groups());
  ModelInfo about = info(groups());
  if (!data_.validation.empty()) {
    outcome.validation = evaluate(model, data_.validation, {.threads = threads_});
    about.validation_accuracy.clear();
    for (const WidthScore& score : outcome.validation) {
      about.validation_accuracy.push_back(score.accuracy);
    }
  }
  if (data_.test && !data_.test->empty()) {
    outcome.test = evaluate(model, *data_.test, {.threads = threads_});
    for (const WidthScore& score : outcome.test) about.test_accuracy.push_back(score.accuracy);
  }
  save_model(model_path(), config_.network, weights_, about);
  std::error_code ignored;
  std::filesystem::remove(checkpoint_path(), ignored);
  outcome.seconds = seconds_since(start_);
  log_event("finished", {{"seconds", number(seconds_before_ + outcome.seconds)},
                         {"validation", scores_value(outcome.validation)},
                         {"test", scores_value(outcome.test)}});
  return outcome;
}

// Whether something of the test images is there although they cannot be found as a whole. In the
// formats that are not named they are one file: there or not.
bool holds_some_of_test_part(DatasetFormat format, const std::filesystem::path& place) {
  switch (format) {
    case DatasetFormat::kMnist:
    case DatasetFormat::kFashionMnist:
      return !find_packed(place, "t10k-images-idx3-ubyte").empty() ||
             !find_packed(place, "t10k-labels-idx1-ubyte").empty();
    case DatasetFormat::kFolder: {
      // Without train/ beside it, test/ is a class.
      std::error_code ignored;
      return std::filesystem::exists(place / split_name(Split::kTrain), ignored) &&
             std::filesystem::exists(place / split_name(Split::kTest), ignored);
    }
    default:
      return false;
  }
}

}  // namespace

LoadOptions loading_options(const DataConfig& config) {
  LoadOptions options;
  options.channels = config.channels;
  options.digits = {.seed = static_cast<std::uint64_t>(config.digits.seed),
                    .difficulty = config.digits.difficulty,
                    .train_images = config.digits.train_images,
                    .test_images = config.digits.test_images};
  options.street_digits = {.seed = static_cast<std::uint64_t>(config.street_digits.seed),
                           .train_images = config.street_digits.train_images,
                           .test_images = config.street_digits.test_images,
                           .fonts = config.street_digits.fonts};
  return options;
}

TrainingData divide_training_images(const Dataset& all, const DataConfig& config) {
  TrainingData data;
  data.training = all;
  if (config.validation > 0) {
    HoldOut parts;
    try {
      parts = hold_out(all, {.fraction = config.validation,
                             .seed = static_cast<std::uint64_t>(config.split_seed)});
    } catch (const Error& error) {
      throw Error(error.code(), "key 'data.validation' does not fit the images of " +
                                    described(all) + ": " + error.what());
    }
    data.training = all.subset(parts.kept);
    data.validation = all.subset(parts.held_out);
  }
  const auto limit = static_cast<std::size_t>(config.train_limit);
  // The first ones of a folder of images would all be of one class.
  if (limit > 0 && limit < data.training.size()) {
    const auto seed = static_cast<std::uint64_t>(config.split_seed);
    data.training =
        data.training.subset(hold_out(data.training, {.count = limit, .seed = seed}).held_out);
  }
  return data;
}

TrainingData load_training_data(const DataConfig& config, const std::filesystem::path& path) {
  const std::filesystem::path place = path.empty() ? std::filesystem::path(config.path) : path;
  const LoadOptions options = loading_options(config);
  if (place.empty() && !config.generated()) {
    refuse("the configuration names no data: give --data FOLDER or key 'data.path'");
  }
  const DatasetFormat format =
      config.format == "auto" ? detect_format(place) : parse_format_name(config.format);
  TrainingData data =
      divide_training_images(load_dataset(format, place, Split::kTrain, options), config);
  try {
    data.test = load_dataset(format, place, Split::kTest, options);
  } catch (const Error& error) {
    // Some public parts (and folders of one's own) have no test images; that is no failure.
    if (error.code() != ErrorCode::kNotFound || holds_some_of_test_part(format, place)) throw;
    data.without_test = error.what();
  }
  return data;
}

bool multiplies_in_bf16(const TrainingConfig& config) {
  return config.precision == "bf16" && has_fast_bf16();
}

TrainingOutcome train(const RunConfig& config, const TrainingData& data,
                      const TrainerOptions& options, TrainingObserver& observer) {
  return Run(config, data, options, observer).go();
}

}  // namespace bellows
