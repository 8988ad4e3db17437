// One run: the network, its data, how it is trained. A TOML file describes it; configs/README.md
// documents every key.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "engine/network.h"
#include "layers/config_value.h"
#include "layers/fields.h"
#include "training/data/augmentation.h"
#include "training/distillation.h"
#include "training/learning_rate.h"
#include "training/optimiser.h"
#include "training/policies/joint_selector.h"

namespace bellows {

/// Table `data.digits`: what the built-in generator draws.
struct DigitsConfig {
  int seed = 1;
  double difficulty = 1.0;
  int train_images = 20000;
  int test_images = 4000;

  void visit_fields(FieldVisitor& visitor);
};

/// Table `data.street_digits`: what that generator draws.
struct StreetDigitsConfig {
  int seed = 1;
  int train_images = 73257;
  int test_images = 26032;
  std::string fonts = "/usr/share/fonts";

  void visit_fields(FieldVisitor& visitor);
};

/// Table `data`.
struct DataConfig {
  std::string format = "auto";
  std::string path;         ///< as written, relative to the working directory; may be empty
  double validation = 0.1;  ///< share of the training images held out
  int split_seed = 1;
  int train_limit = 0;  ///< training images used, counted after the hold-out; 0: all
  int channels = 0;     ///< of a folder of PNGs: 1, 3, or 0 for those of its first image
  DigitsConfig digits;
  StreetDigitsConfig street_digits;
  AugmentationOptions augmentation;

  /// Whether the images are drawn, not read.
  [[nodiscard]] bool generated() const;
  void visit_fields(FieldVisitor& visitor);
};

/// Table `training`.
struct TrainingConfig {
  std::string schedule = "incremental";
  std::vector<int> epochs = {10};  ///< one number for every group, or one for each
  int batch_size = 128;
  int seed = 1;
  int threads = 0;                ///< 0: one for each core
  std::string precision = "f32";  ///< of products while learning: "f32" or "bf16"
  double label_smoothing = 0;
  bool stacking = false;       ///< see training/stacking.h
  double gradient_clip = 0;    ///< largest Euclidean norm of all gradients together; 0: no limit
  int checkpoint_every = 500;  ///< batches; 0: only between groups
  double average = 0;          ///< decay of the moving average that becomes the weights; 0: none
  double lateral = 1;          ///< factor of the initial weights that read narrower groups
  int look_ahead = 0;          ///< groups learned along with one, then thrown away
  std::vector<double> width_weights;  ///< of the widths' losses when joint; empty: 1 for all
  /// Statistics of batch_norm over the batch of all ranks, not over the share of each.
  bool synchronised_normalisation = true;
  double decorrelation = 0;  ///< weight of the loss of decorrelation.h
  DistillationConfig distillation;
  JointSelectorConfig selector;
  OptimiserOptions optimiser;
  LearningRateSchedule learning_rate_schedule;

  [[nodiscard]] bool joint() const { return schedule == "joint"; }
  /// Of the training of group `group`, from 1; for the joint schedule of the one training.
  [[nodiscard]] int epochs_of(int group) const;
  void visit_fields(FieldVisitor& visitor);
};

/// Table `expected`: what a run has been seen to reach.
struct ExpectedConfig {
  std::vector<double> test_accuracy;  ///< share of right answers, one a width; empty: not measured
  std::string measured;               ///< how: data, command, date, machine

  void visit_fields(FieldVisitor& visitor);
};

/// A run as read. Movable, like its network.
struct RunConfig {
  std::string name;
  Network network;
  DataConfig data;
  TrainingConfig training;
  ExpectedConfig expected;
  std::string source = {};  ///< the file that was read, for messages; else empty

  /// The inverse of reading, with every key that the chosen kinds have; equal runs give equal JSON.
  [[nodiscard]] ConfigValue write() const;
};

/// Reads a run from a TOML file. Throws Error: kNotFound, kIoError, kInvalidArgument naming file,
/// line, key and what is accepted; unknown keys are errors.
[[nodiscard]] RunConfig read_run_config(const std::filesystem::path& path);

/// Reads a run from a table. Throws Error(kInvalidArgument).
[[nodiscard]] RunConfig read_run_config(const ConfigValue& table);

/// Throws Error(kInvalidArgument), naming its place in `table`, for a name that is no good for a
/// run's folder.
void check_run_name(const ConfigValue& table, const std::string& name);

/// The run with what `changes`, a table of keys as a configuration file has them, sets otherwise. A
/// table in the place of `network.layers` has layers' names as its keys. What was expected of the
/// run before is left out, and so are keys that a new `kind` of optimiser or schedule does not
/// have. Throws Error(kInvalidArgument) as reading does, and for a layer that is not there.
[[nodiscard]] RunConfig changed(const RunConfig& run, const ConfigValue& changes);

/// Every key of a run, in the order of configs/README.md: first those with dotted names from the
/// top, then those of each kind of layer, named "conv.kernel". What all layers have in common is
/// named "network.layers.kind" and "network.layers.name". Keys that only some kinds of optimiser or
/// schedule have are included.
[[nodiscard]] std::vector<FieldDocumentation> run_config_documentation();

}  // namespace bellows
