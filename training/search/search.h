// Searches architectures: proposes, has evaluated, and logs, until the budget is spent. TEA-DNN
// (Cai et al. 2018) with the networks of this engine: error, latency and energy, all measured.
//
// A search lives in a folder:
//   search.jsonl     everything that it knows (search_log.h)
//   candidates/      trainings that are going on
//   pareto/          the networks of the front, as configurations for `bellows train`: all images,
//   the
//                    final epochs
#pragma once

#include <filesystem>
#include <string>

#include "training/ranks.h"
#include "training/search/search_log.h"

namespace bellows {

/// Is told what happens, by the thread that called `search`, on the first rank only.
class SearchObserver {
 public:
  virtual ~SearchObserver() = default;
  /// Before anything is evaluated; a search that goes on has candidates already.
  virtual void begin(const SearchRecord& /*record*/) {}
  virtual void proposed(const LoggedCandidate& /*candidate*/, int /*rank*/) {}
  virtual void rung(const LoggedRung& /*rung*/) {}
  virtual void ended(const SearchRecord& /*record*/, int /*candidate*/) {}
  /// A rank has not been heard of for too long; it gets nothing more to do. With the candidate that
  /// it evaluated.
  virtual void lost(int /*rank*/, std::optional<int> /*candidate*/) {}
  /// Asked often, on every rank; true ends the search, to be resumed.
  virtual bool should_stop() { return false; }
};

struct SearchRunOptions {
  std::filesystem::path folder;  ///< made if it is not there
  bool resume = false;           ///< go on from the folder's log, which must be there
  bool overwrite = false;        ///< begin anew in a folder that holds a search
  int evaluations = 0;           ///< candidates in all, those of earlier calls included; 0: any
  double hours = 0;              ///< that the search takes in all, earlier calls included; 0: any
  MeasureWidths measure = {};
  /// For the log: measured_on, energy_source, date, command, bellows.
  SearchHeader header = {};
  /// With several ranks the first one proposes and writes, the others evaluate. One that is lost
  /// loses its candidate, which counts as failed; that needs a launcher which lets the others live
  /// (Open MPI: mpirun --enable-recovery).
  Ranks ranks = {};
  double patience_s = 600;  ///< without a word from a rank that evaluates, until it is lost
};

struct SearchOutcome {
  bool finished = false;     ///< false: stopped, to be resumed
  SearchRecord record = {};  ///< on the first rank
};

/// Runs a search to the end of its budget or until the observer stops it. `data` without its test
/// images, which a search must not see. The log alone decides what comes next: one that was stopped
/// anywhere, by whatever, goes on from there with the same proposals, and so do candidates, from
/// their checkpoints. Throws Error: kInvalidArgument (data that do not fit, a folder in use, a log
/// of another search), kNotFound (nothing to resume), kCorruptData, kIoError.
[[nodiscard]] SearchOutcome search(const SearchConfig& config, const TrainingData& data,
                                   const SearchRunOptions& options, SearchObserver& observer);

/// Measures all candidates of a finished or unfinished search again, as `measure` does it; errors
/// stay what they are. Writes the log of a search to `folder` and returns it. `note` is told the
/// number of the candidate. Throws Error as `search`, and what `measure` throws.
[[nodiscard]] SearchRecord measure_again(const SearchRecord& before,
                                         const SearchRunOptions& options,
                                         const std::function<void(int)>& note);

/// The configuration that a log was made with. Throws Error(kCorruptData).
[[nodiscard]] SearchConfig config_of(const SearchRecord& record);

/// Share of the epochs of all candidates that rungs have spared.
[[nodiscard]] double epochs_spared(const SearchRecord& record);

}  // namespace bellows
