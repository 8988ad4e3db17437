// The evaluation of one candidate of a search: measured, trained, judged.
#pragma once

#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "training/search/machine_turn.h"
#include "training/search/search_config.h"
#include "training/trainer.h"

namespace bellows {

/// What one width takes on the device that counts.
struct WidthCost {
  double latency_us = 0;
  double energy_uj = 0;
  std::int64_t memory_bytes = 0;  ///< weights, activations and scratch of a session; 0: not known
};

/// Measures all widths of a model file, the narrowest first. Its weights are not trained.
using MeasureWidths = std::function<std::vector<WidthCost>(const std::filesystem::path& model)>;

/// What came out of one width.
struct WidthResult {
  int width = 1;
  double share = 1;                  ///< of the group's epochs that its error rests on
  std::optional<double> error = {};  ///< share of wrong answers on the held-out images
  double latency_us = 0;
  double energy_uj = 0;
  std::int64_t parameters = 0;
  std::int64_t macs = 0;
  std::int64_t memory_bytes = 0;

  void visit_fields(FieldVisitor& visitor);
};

struct CandidateResult {
  std::string ending = "evaluated";  ///< "evaluated", "stopped" on a rung, "refused" by a
                                     ///< constraint, "failed", "interrupted"
  std::string problem = {};          ///< why, unless it was evaluated
  std::vector<WidthResult> widths = {};
  double seconds = 0;
  double measuring_seconds = 0;  ///< of these, with the waiting for the machine's turn
  int epochs = 0;                ///< that it was trained
  int epochs_planned = 0;        ///< to the end
};

/// Where a candidate stands when it may be stopped.
struct RungReport {
  int width = 1;
  double share = 0;
  double error = 0;
  double latency_us = 0;
  double energy_uj = 0;
};

/// What an evaluation asks and tells while it goes on.
struct CandidateHost {
  std::function<bool(const RungReport&)> hopeless = {};  ///< true ends it
  std::function<bool()> should_stop = {};                ///< asked after every batch
};

struct CandidateTask {
  const SearchConfig* config = nullptr;
  const ArchitectureSpace* space = nullptr;
  const TrainingData* data = nullptr;  ///< without test images
  std::filesystem::path folder = {};   ///< of its training; goes on where there is a checkpoint
  MeasureWidths measure = {};
};

/// Never throws for what lies in the candidate: that is a result, too. Interrupted it leaves its
/// checkpoint, else no folder. Throws Error(kIoError) where the folder cannot be written.
[[nodiscard]] CandidateResult evaluate_candidate(const CandidateTask& task,
                                                 const SearchPoint& point, const std::string& name,
                                                 MachineTurn& turn, const CandidateHost& host);

/// Throws Error(kCorruptData) unless there is a cost for each width of the run's network.
void check_costs(const std::vector<WidthCost>& costs, const RunConfig& run);

/// Writes the model of a run as it is before training: times do not depend on values.
void save_untrained(const std::filesystem::path& path, const RunConfig& run);

}  // namespace bellows
