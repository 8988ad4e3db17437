#include "training/search/candidate.h"

#include <bellows/bellows.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <system_error>
#include <utility>

#include "engine/model_file.h"
#include "training/initialise.h"

namespace bellows {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

// That the first `groups` groups take.
int epochs_in(const TrainingConfig& training, int groups) {
  if (groups == 0) return 0;
  if (training.joint()) return training.epochs_of(1);
  int sum = 0;
  for (int group = 1; group <= groups; ++group) sum += training.epochs_of(group);
  return sum;
}

// Follows one training: lets others measure, remembers errors, asks on rungs.
class Follower final : public TrainingObserver {
 public:
  Follower(const SearchSettings& settings, const TrainingConfig& training, MachineTurn& turn,
           const CandidateHost& host, CandidateResult& result)
      : settings_(settings), training_(training), turn_(turn), host_(host), result_(result) {}

  void begin(const TrainingPosition& at, bool resumed) override {
    // Of a training that was interrupted at its end no further epoch comes.
    result_.epochs = epochs_in(training_, at.first_group - 1) + at.epoch;
    if (resumed) ask_again(at);
    turn_.work();
  }
  void batch(const TrainingProgress& /*progress*/) override { turn_.work(); }

  void epoch(const EpochReport& report) override {
    const TrainingPosition& at = report.training.position;
    const int done = at.epoch + 1;
    // Counted from the start, not from where an interrupted training went on.
    result_.epochs = epochs_in(training_, at.first_group - 1) + done;
    for (const WidthScore& score : report.validation) {
      WidthResult& width = result_.widths.at(static_cast<std::size_t>(score.width - 1));
      width.error = 1 - score.accuracy;
      width.share = static_cast<double>(done) / at.epochs;
    }
    if (done == at.epochs || report.validation.size() != 1 || !host_.hopeless) return;
    for (const double rung : settings_.rungs) {
      if (done != epochs_to(rung, at.epochs)) continue;
      const WidthResult& width =
          result_.widths[static_cast<std::size_t>(report.validation.front().width - 1)];
      // The rung names the share, so that numbers of epochs that differ a little meet there.
      if (host_.hopeless({.width = width.width,
                          .share = rung,
                          .error = *width.error,
                          .latency_us = width.latency_us,
                          .energy_uj = width.energy_uj})) {
        hopeless_ = true;
      }
      return;
    }
  }

  bool should_stop() override {
    // A rung's answer is in the log already: it counts also where the search is interrupted now.
    if (hopeless_) return true;
    interrupted_ = interrupted_ || (host_.should_stop && host_.should_stop());
    return interrupted_;
  }

  [[nodiscard]] bool hopeless() const { return hopeless_; }
  [[nodiscard]] bool interrupted() const { return interrupted_; }

 private:
  static int epochs_to(double rung, int epochs) {
    return static_cast<int>(std::max(1L, std::lround(rung * epochs)));
  }

  // What was answered on rungs behind which an interrupted training goes on: it may have been
  // killed before it could end. The answer is in the log, with the error of then, which is not
  // known here.
  void ask_again(const TrainingPosition& at) {
    if (at.first_group != at.last_group || !host_.hopeless) return;
    WidthResult& width = result_.widths.at(static_cast<std::size_t>(at.first_group - 1));
    for (const double rung : settings_.rungs) {
      const int done = epochs_to(rung, at.epochs);
      if (done > at.epoch || done == at.epochs || hopeless_) continue;
      if (!host_.hopeless({.width = width.width,
                           .share = rung,
                           .error = 1,
                           .latency_us = width.latency_us,
                           .energy_uj = width.energy_uj})) {
        continue;
      }
      hopeless_ = true;
      width.share = static_cast<double>(done) / at.epochs;
      result_.epochs = epochs_in(training_, at.first_group - 1) + done;
    }
  }

  const SearchSettings& settings_;
  const TrainingConfig& training_;
  MachineTurn& turn_;
  const CandidateHost& host_;
  CandidateResult& result_;
  bool hopeless_ = false;
  bool interrupted_ = false;
};

// Keeps the machine to itself while it is there.
class Measuring {
 public:
  explicit Measuring(MachineTurn& turn) : turn_(turn) { turn_.measure(); }
  ~Measuring() { turn_.rest(); }
  Measuring(const Measuring&) = delete;
  Measuring& operator=(const Measuring&) = delete;

 private:
  MachineTurn& turn_;
};

void measure(const CandidateTask& task, const RunConfig& run, MachineTurn& turn,
             CandidateResult& result) {
  const std::filesystem::path model = task.folder.string() + ".untrained.safetensors";
  save_untrained(model, run);
  const auto start = Clock::now();
  std::vector<WidthCost> costs;
  {
    const Measuring measuring(turn);
    costs = task.measure(model);
  }
  result.measuring_seconds = seconds_since(start);
  check_costs(costs, run);
  const int groups = run.network.groups();
  std::int64_t parameters = 0;
  std::int64_t macs = 0;
  for (int width = 1; width <= groups; ++width) {
    const WidthCost& cost = costs[static_cast<std::size_t>(width - 1)];
    parameters += run.network.parameter_count(width);
    macs += run.network.macs(width);
    result.widths.push_back({.width = width,
                             .latency_us = cost.latency_us,
                             .energy_uj = cost.energy_uj,
                             .parameters = parameters,
                             .macs = macs,
                             .memory_bytes = cost.memory_bytes});
  }
  std::error_code ignored;
  std::filesystem::remove(model, ignored);
}

// Which constraint the measured figures break; empty when none.
std::string broken_constraint(const ConstraintsConfig& most, const CandidateResult& result) {
  const double latency = result.widths.front().latency_us;
  if (most.latency_us > 0 && latency > most.latency_us) {
    return "the narrowest width takes " + std::to_string(std::llround(latency)) +
           " us, more than "
           "'constraints.latency_us'";
  }
  const std::int64_t memory = result.widths.back().memory_bytes;
  if (most.memory_bytes > 0 && memory > most.memory_bytes) {
    return "it takes " + std::to_string(memory) +
           " bytes of memory, more than "
           "'constraints.memory_bytes'";
  }
  return {};
}

// What an interrupted training had finished, which the one that goes on does not report again.
void recall_finished_widths(const std::filesystem::path& folder, CandidateResult& result) {
  const std::filesystem::path path = folder / "model.safetensors";
  std::error_code ignored;
  if (!std::filesystem::exists(path, ignored)) return;
  const ModelInfo info = load_model(path).info;
  for (std::size_t i = 0; i < std::min(info.validation_accuracy.size(), result.widths.size());
       ++i) {
    result.widths[i].error = 1 - info.validation_accuracy[i];
    result.widths[i].share = 1;
  }
}

void train_and_judge(const CandidateTask& task, const RunConfig& run, MachineTurn& turn,
                     const CandidateHost& host, CandidateResult& result) {
  Follower follower(task.config->settings, run.training, turn, host, result);
  TrainerOptions options;
  options.folder = task.folder;
  std::error_code ignored;
  options.resume = std::filesystem::exists(task.folder / "checkpoint", ignored);
  options.overwrite = !options.resume;
  options.created_with = std::string("bellows ") + version();
  if (options.resume) recall_finished_widths(task.folder, result);
  turn.work();
  const TrainingOutcome outcome = train(run, *task.data, options, follower);
  turn.rest();
  if (follower.interrupted() && !outcome.finished) {
    result.ending = "interrupted";
    result.problem = "the search was interrupted";
    return;
  }
  if (!outcome.finished) {
    result.ending = "stopped";
    result.problem = "too far behind others after the same training";
    return;
  }
  // All widths once more: those that a resumed training had finished before are among them.
  for (const WidthScore& score : outcome.validation) {
    WidthResult& width = result.widths.at(static_cast<std::size_t>(score.width - 1));
    width.error = 1 - score.accuracy;
    width.share = 1;
  }
}

}  // namespace

void save_untrained(const std::filesystem::path& path, const RunConfig& run) {
  WeightSet weights(run.network, run.network.groups());
  for (int group = 1; group <= run.network.groups(); ++group) {
    initialise_group(run.network, group, 1, 1, weights);
  }
  save_model(path, run.network, weights, {});
}

void check_costs(const std::vector<WidthCost>& costs, const RunConfig& run) {
  const int groups = run.network.groups();
  if (costs.size() == static_cast<std::size_t>(groups)) return;
  throw Error(ErrorCode::kCorruptData, "measuring gave " + std::to_string(costs.size()) +
                                           " widths of a network of " + std::to_string(groups));
}

void WidthResult::visit_fields(FieldVisitor& visitor) {
  visitor.field("width", width, {.required = true, .minimum = 1});
  visitor.field("share", share, {.minimum = 0, .maximum = 1});
  visitor.field("error", error, {.minimum = 0, .maximum = 1});
  visitor.field("latency_us", latency_us, {.required = true, .minimum = 0});
  visitor.field("energy_uj", energy_uj, {.required = true, .minimum = 0});
  visitor.field("parameters", parameters, {.minimum = 0});
  visitor.field("macs", macs, {.minimum = 0});
  visitor.field("memory_bytes", memory_bytes, {.minimum = 0});
}

CandidateResult evaluate_candidate(const CandidateTask& task, const SearchPoint& point,
                                   const std::string& name, MachineTurn& turn,
                                   const CandidateHost& host) {
  const auto start = Clock::now();
  CandidateResult result;
  try {
    const RunConfig run =
        candidate_run(*task.config, *task.space, point, name, task.config->training.epochs);
    result.epochs_planned = epochs_in(run.training, run.network.groups());
    measure(task, run, turn, result);
    result.problem = broken_constraint(task.config->constraints, result);
    if (result.problem.empty()) {
      train_and_judge(task, run, turn, host, result);
    } else {
      result.ending = "refused";
    }
  } catch (const Error& error) {
    if (error.code() == ErrorCode::kIoError) throw;
    result.ending = "failed";
    result.problem = error.what();
  } catch (const std::bad_alloc&) {
    result.ending = "failed";
    result.problem = "not enough memory";
  }
  turn.rest();
  result.seconds = seconds_since(start);
  if (result.ending != "interrupted") {
    std::error_code ignored;
    std::filesystem::remove_all(task.folder, ignored);
  }
  return result;
}

}  // namespace bellows
