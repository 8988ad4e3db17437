// Trains a network group by group (or all widths at once), with checkpoints.
//
// A run lives in a folder:
//   model.safetensors  the groups finished so far; written after each group
//   checkpoint         everything needed to go on to the same bits: there from before the first
//                      batch until the run is finished
//   log.jsonl          one JSON object a line: what happened, with numbers; epochs from 1
//
// A model beside a checkpoint may still be the former run's, which stays until the new run's first
// group replaces it; a model without a checkpoint is finished.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "engine/model_file.h"
#include "training/data/dataset.h"
#include "training/evaluator.h"
#include "training/ranks.h"
#include "training/run_config.h"

namespace bellows {

/// Key of ModelInfo::extra: Dataset::sha256 of the images that a model was trained on. Where it was
/// extended with others there are several, separated by commas.
inline constexpr const char* kTrainingImagesSha256 = "training_images_sha256";

/// The images of a run.
struct TrainingData {
  Dataset training;             ///< without the held-out ones
  Dataset validation;           ///< held out by seed
  std::optional<Dataset> test;  ///< where the data set has one; only for the final figures
  std::string without_test;     ///< why `test` is missing, one line for people; else empty
};

/// What `config` says about how images are loaded.
[[nodiscard]] LoadOptions loading_options(const DataConfig& config);

/// Holds validation images out of a data set's training images and limits the rest, as `config`
/// says. Throws Error as hold_out does, naming the key.
TrainingData divide_training_images(const Dataset& all, const DataConfig& config);

/// Loads what `config` names and holds the validation images out. `path` replaces the configured
/// one unless empty. A data set without any test images is no failure, half a test part (images
/// without labels, a folder without images) is. Throws Error as load_dataset and
/// divide_training_images do.
TrainingData load_training_data(const DataConfig& config, const std::filesystem::path& path);

/// Where a run stands.
struct TrainingPosition {
  int first_group = 1;  ///< groups trained now: first_group..last_group (equal unless joint)
  int last_group = 1;
  int groups = 1;          ///< of the network
  int epoch = 0;           ///< of this step, from 0
  int epochs = 1;          ///< of this step
  std::int64_t batch = 0;  ///< of this epoch, from 0; so many are done
  std::int64_t batches = 1;

  /// The epoch as people count, from 1; behind the last one it stays the last.
  [[nodiscard]] int current_epoch() const { return epoch < epochs ? epoch + 1 : epochs; }
};

/// Means over the epoch so far.
struct TrainingProgress {
  TrainingPosition position;
  double loss = 0;      ///< of the widest width trained now
  double accuracy = 0;  ///< of the widest width trained now, on augmented training images
  double learning_rate = 0;
  double images_per_second = 0;
  double seconds_left = 0;     ///< of the whole run, from the work counted and the speed seen
  double starved_seconds = 0;  ///< that computation has waited for data, this step
};

/// An epoch's end: its training figures and the validation scores of the widths trained now.
struct EpochReport {
  TrainingProgress training;
  std::vector<WidthScore> validation;
  double seconds = 0;
};

/// Is told what happens; every call comes from the thread that called Trainer::run.
class TrainingObserver {
 public:
  virtual ~TrainingObserver() = default;
  /// Before the first batch; `resumed` when it goes on from a checkpoint.
  virtual void begin(const TrainingPosition& /*position*/, bool /*resumed*/) {}
  virtual void batch(const TrainingProgress& /*progress*/) {}
  virtual void epoch(const EpochReport& /*report*/) {}
  /// A checkpoint has been saved; not told of the one that only marks the beginning of a run.
  virtual void checkpoint(const std::filesystem::path& /*path*/) {}
  /// A step is finished and its groups are frozen and saved.
  virtual void group(const TrainingPosition& /*position*/, const std::filesystem::path& /*model*/) {
  }
  /// Something that does not end the run, but that people should know: one line.
  virtual void note(const std::string& /*text*/) {}
  /// Asked after every batch; true saves a checkpoint and ends the run. Called often: be quick.
  virtual bool should_stop() { return false; }
};

struct TrainerOptions {
  std::filesystem::path folder;  ///< made if it is not there
  /// A finished model to add groups to: its groups are kept bit for bit, those of the configuration
  /// beyond are trained. Not this folder's own model, which the run replaces.
  std::optional<std::filesystem::path> extend;
  /// With `extend`: the model has all groups already; the last one goes on learning from where it
  /// stands, those before it stay bit for bit.
  bool fine_tune = false;
  /// What the models that the run begins with or learns from, `extend` and a teacher, must meet.
  LoadLimits trusted = {};
  /// Go on from the folder's checkpoint, which must be there: every run has one from its beginning
  /// to its end. Without this a folder that holds a run is refused.
  bool resume = false;
  /// Begin anew in a folder that holds a run, replacing it. Its model stays until the first group
  /// of the new run is finished.
  bool overwrite = false;
  std::string created_with;  ///< program and version, for the model file
  /// Processes that share every batch; the first one alone reads and writes the folder, reads the
  /// base and tells the observer. All have the same configuration and images.
  Ranks ranks = {};
};

/// Whether convolutions that learn will multiply in bfloat16: it is configured, and this processor
/// has instructions for it.
[[nodiscard]] bool multiplies_in_bf16(const TrainingConfig& config);

struct TrainingOutcome {
  bool finished = false;  ///< false: stopped, to be resumed
  std::filesystem::path model;
  std::vector<WidthScore> validation;  ///< every width; when finished
  std::vector<WidthScore> test;        ///< every width; empty without test images
  double seconds = 0;                  ///< of this call
};

/// Runs one training to its end or until the observer stops it. The same configuration, data and
/// number of threads and ranks give the same model file bit for bit, however often it was stopped
/// and resumed; several ranks give that of one with the same batch size up to rounding, apart from
/// dropout. Throws Error: kInvalidArgument (data that do not fit the network, a base model that is
/// not a prefix of the network, a folder in use), kNotFound (nothing to resume), kCorruptData,
/// kIoError, kUnsupported.
TrainingOutcome train(const RunConfig& config, const TrainingData& data,
                      const TrainerOptions& options, TrainingObserver& observer);

}  // namespace bellows
