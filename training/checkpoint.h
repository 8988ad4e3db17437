// A training run in the middle of a step, on disk: enough to go on to the same bits.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "layers/fields.h"
#include "training/array_file.h"

namespace bellows {

/// The numbers of a checkpoint.
struct CheckpointState {
  std::string config;   ///< the run's configuration as JSON; resuming demands the same
  std::string data;     ///< name, size and checksum of the training images; likewise
  std::string base;     ///< SHA-256 of the model that was extended; or empty
  std::string teacher;  ///< SHA-256 of the model that is learned from; or empty; likewise
  int threads = 1;      ///< likewise: another number of threads rounds differently
  int ranks = 1;        ///< likewise
  int first_group = 1;  ///< trained now
  int last_group = 1;
  int epoch = 0;  ///< of the step; the next batch is `batch` of `epoch`
  int batch = 0;
  int updates = 0;        ///< of the optimiser
  double seconds = 0;     ///< spent so far
  double epoch_loss = 0;  ///< sums over the batches of the epoch so far
  double epoch_correct = 0;
  std::vector<double> validation;  ///< accuracy of the widths finished so far
  std::vector<double> mean;        ///< input normalisation
  std::vector<double> stddev;

  void visit_fields(FieldVisitor& visitor);
};

struct Checkpoint {
  CheckpointState state;
  std::vector<NamedArray> arrays;

  /// Throws Error(kCorruptData) when there is no array of this name and size.
  [[nodiscard]] const std::vector<float>& array(const std::string& name, std::size_t size) const;
};

/// Atomically: whoever reads, also after a crash, finds the old checkpoint or the new one. Throws
/// Error(kIoError).
void save_checkpoint(const std::filesystem::path& path, const Checkpoint& checkpoint);

/// Throws Error: kNotFound, kIoError, kCorruptData (its checksum covers everything).
Checkpoint load_checkpoint(const std::filesystem::path& path);

}  // namespace bellows
