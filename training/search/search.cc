#include "training/search/search.h"

#include <bellows/error.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <iomanip>
#include <map>
#include <memory>
#include <sstream>
#include <system_error>
#include <thread>
#include <utility>

#include "engine/atomic_file.h"
#include "engine/json_value.h"
#include "training/search/rungs.h"

namespace bellows {
namespace {

using Clock = std::chrono::steady_clock;

constexpr const char* kLogName = "search.jsonl";
constexpr auto kPollEvery = std::chrono::milliseconds(20);
constexpr double kAliveEvery = 2;

// Kinds of messages between ranks.
constexpr const char* kReady = "ready";        // a worker has nothing to do
constexpr const char* kEvaluate = "evaluate";  // do this
constexpr const char* kRung = "rung";          // may it go on?
constexpr const char* kGoOn = "go on";
constexpr const char* kGiveUp = "give up";
constexpr const char* kAlive = "alive";
constexpr const char* kEnded = "ended";
constexpr const char* kStop = "stop";  // keep a checkpoint and say that it was interrupted
constexpr const char* kEnd = "end";
constexpr const char* kEndAlone = "end alone";  // the same where a rank is gone

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

// What decides the proposals and the results, as text: without what only says how long and where.
std::string identity(const SearchConfig& config) {
  ConfigValue written = config.write();
  const auto drop = [](ConfigValue& table, std::initializer_list<const char*> keys) {
    std::erase_if(std::get<ConfigValue::Table>(table.data()), [&](const auto& member) {
      return std::ranges::any_of(keys, [&](const char* key) { return member.first == key; });
    });
  };
  for (auto& [key, value] : std::get<ConfigValue::Table>(written.data())) {
    if (key == "data") drop(value, {"path", "format"});
    if (key == "training") drop(value, {"threads", "checkpoint_every"});
    if (key == "search") drop(value, {"evaluations", "final_epochs"});
  }
  return written.to_json();
}

std::string three_digits(int number) {
  const std::string digits = std::to_string(number);
  return std::string(digits.size() < 3 ? 3 - digits.size() : 0, '0') + digits;
}

// For people.
std::string four_digits(double value) {
  std::ostringstream text;
  text << std::setprecision(4) << value;
  return text.str();
}

std::string message(const char* kind) {
  return ConfigValue(ConfigValue::Table{{"kind", ConfigValue(std::string(kind))}}).to_json();
}

template <class Visit>
std::string message(const char* kind, const Visit& visit) {
  return ConfigValue(tagged_fields("kind", kind, visit)).to_json();
}

std::string kind_of(const ConfigValue& message) {
  const ConfigValue* kind = message.find("kind");
  const auto* text = kind == nullptr ? nullptr : std::get_if<std::string>(&kind->data());
  return text == nullptr ? "" : *text;
}

// Makes candidates and keeps the record of them: the same whether one process or many evaluate.
class Leader {
 public:
  Leader(const SearchConfig& config, const TrainingData& data, const SearchRunOptions& options,
         const ArchitectureSpace& space, SearchObserver& observer)
      : config_(config),
        options_(options),
        space_(space),
        observer_(observer),
        domain_(search_domain(config, space)),
        rungs_(config.settings.keep, config.settings.least) {
    open(data);
    ProposerOptions proposing{.method = config.settings.search_method(),
                              .random_first = config.settings.random_first,
                              .reference = reference_of(record_.header),
                              .seed = static_cast<std::uint64_t>(config.settings.seed)};
    if (config.constraints.latency_us > 0) {
      constexpr double kAny = std::numeric_limits<double>::quiet_NaN();
      proposing.limits = {kAny, std::log10(config.constraints.latency_us), kAny};
    }
    proposing.settings = [&space](const SearchPoint& point) { return space.groups(point); };
    proposing.most_settings = space.most_groups();
    proposer_ = std::make_unique<Proposer>(domain_, std::move(proposing));
    for (const LoggedRung& rung : record_.rungs) rungs_.add(rung.report);
    unassigned_ = record_.pending();
    observer_.begin(record_);
  }

  // The next candidate to be evaluated, by `rank`; nothing when the budget is spent.
  std::optional<LoggedCandidate> next(int rank) {
    if (!unassigned_.empty()) {
      const int number = unassigned_.front();
      unassigned_.erase(unassigned_.begin());
      const LoggedCandidate& candidate = record_.candidates[static_cast<std::size_t>(number)];
      observer_.proposed(candidate, rank);
      return candidate;
    }
    const int number = static_cast<int>(record_.candidates.size());
    if (options_.evaluations > 0 && number >= options_.evaluations) return std::nullopt;
    if (options_.hours > 0 && seconds() >= 3600 * options_.hours) return std::nullopt;
    std::vector<SearchPoint> pending;
    for (const int other : record_.pending()) {
      pending.push_back(record_.candidates[static_cast<std::size_t>(other)].point);
    }
    LoggedCandidate candidate{.number = number};
    candidate.point = proposer_->propose(number, evaluations_of(record_), pending);
    candidate.text = space_.text(candidate.point);
    log_->proposed(candidate);
    record_.candidates.push_back(candidate);
    observer_.proposed(candidate, rank);
    return candidate;
  }

  bool hopeless(int candidate, const RungReport& report) {
    // One that was killed after its rung asks again when it goes on. What was answered stands.
    for (const LoggedRung& before : record_.rungs) {
      if (before.candidate == candidate && before.report.width == report.width &&
          before.report.share == report.share) {
        return before.stopped;
      }
    }
    LoggedRung rung{.candidate = candidate, .report = report};
    rung.stopped = rungs_.hopeless(report);
    log_->rung(rung);
    record_.rungs.push_back(rung);
    observer_.rung(rung);
    return rung.stopped;
  }

  // One that was interrupted has not ended: it goes on with the search.
  void ended(int candidate, CandidateResult result) {
    if (result.ending == "interrupted") return;
    // One that was killed between the answer on a rung and its end does not know the error of then.
    for (const LoggedRung& rung : record_.rungs) {
      if (rung.candidate != candidate || !rung.stopped || result.ending != "stopped") continue;
      WidthResult& width = result.widths.at(static_cast<std::size_t>(rung.report.width - 1));
      if (!width.error) width.error = rung.report.error;
    }
    log_->ended(candidate, result, seconds());
    record_.candidates[static_cast<std::size_t>(candidate)].result = std::move(result);
    record_.ended.push_back(candidate);
    observer_.ended(record_, candidate);
  }

  // Seconds of the search, all its calls together.
  [[nodiscard]] double seconds() const { return seconds_before_ + seconds_since(start_); }

  SearchOutcome finish(bool interrupted) {
    record_.seconds = seconds();
    record_.finished = !interrupted;
    interrupted ? log_->paused(record_.seconds) : log_->finished(record_.seconds);
    write_front();
    std::error_code ignored;
    if (!interrupted) std::filesystem::remove_all(options_.folder / "candidates", ignored);
    return {.finished = !interrupted, .record = record_};
  }

  [[nodiscard]] std::filesystem::path folder_of(int candidate) const {
    return options_.folder / "candidates" / three_digits(candidate);
  }

 private:
  void open(const TrainingData& data) {
    const std::filesystem::path path = options_.folder / kLogName;
    std::error_code error;
    std::filesystem::create_directories(options_.folder / "candidates", error);
    if (error) {
      throw Error(ErrorCode::kIoError,
                  "cannot make the folder '" + options_.folder.string() + "': " + error.message());
    }
    const bool there = std::filesystem::exists(path, error);
    if (options_.resume && !there) {
      throw Error(ErrorCode::kNotFound, "there is no search to resume in '" +
                                            options_.folder.string() +
                                            "'; name the folder of one, or start without --resume");
    }
    if (there && !options_.resume && !options_.overwrite) {
      throw Error(ErrorCode::kInvalidArgument,
                  "'" + options_.folder.string() +
                      "' holds a search; go on with --resume, replace it with --overwrite, or "
                      "choose another folder with --out");
    }
    SearchHeader header = options_.header;
    header.name = config_.name;
    header.method = config_.settings.method;
    header.config = config_.write().to_json();
    header.data_set = data.training.name();
    header.training_images = static_cast<std::int64_t>(data.training.size());
    header.validation_images = static_cast<std::int64_t>(data.validation.size());
    header.reference_error = config_.reference.error;
    header.reference_latency_us = config_.reference.latency_us;
    header.reference_energy_uj = config_.reference.energy_uj;
    if (options_.resume) {
      record_ = read_search_log(path);
      check_same(header);
      seconds_before_ = record_.seconds;
      log_ = std::make_unique<SearchLog>(path);
      return;
    }
    if (there) {
      std::filesystem::remove(path, error);
      std::filesystem::remove_all(options_.folder / "candidates", error);
      std::filesystem::create_directories(options_.folder / "candidates", error);
    }
    record_.header = std::move(header);
    log_ = std::make_unique<SearchLog>(path);
    log_->begin(record_.header);
  }

  void check_same(const SearchHeader& now) const {
    const auto refuse = [&](const std::string& problem) {
      throw Error(ErrorCode::kInvalidArgument, "the search in '" + options_.folder.string() + "' " +
                                                   problem + "; choose another folder with --out");
    };
    const SearchHeader& before = record_.header;
    if (identity(config_of(record_)) != identity(config_)) {
      refuse("was made with another configuration");
    }
    if (before.training_images != now.training_images ||
        before.validation_images != now.validation_images || before.data_set != now.data_set) {
      refuse("was made with other images: " + before.data_set);
    }
    if (before.measured_on != now.measured_on || before.energy_source != now.energy_source) {
      refuse("measures on " + before.measured_on + " (" + before.energy_source + "), here it is " +
             now.measured_on + " (" + now.energy_source + ")");
    }
  }

  void write_front() {
    const std::filesystem::path folder = options_.folder / "pareto";
    std::error_code error;
    std::filesystem::remove_all(folder, error);
    std::filesystem::create_directories(folder, error);
    std::map<int, std::vector<WidthResult>> members;
    for (const FrontMember& member : front_of(record_)) {
      members[member.candidate].push_back(member.result);
    }
    const std::vector<int>& epochs = config_.settings.final_epochs.empty()
                                         ? config_.training.epochs
                                         : config_.settings.final_epochs;
    for (auto& [number, widths] : members) {
      const LoggedCandidate& candidate = record_.candidates[static_cast<std::size_t>(number)];
      const std::string name = config_.name + "-" + three_digits(number);
      std::string text = "# Candidate " + std::to_string(number) + " of the search " +
                         config_.name + ": " + candidate.text + "\n";
      std::ranges::sort(widths, {}, &WidthResult::width);
      for (const WidthResult& width : widths) {
        text += "# Width " + std::to_string(width.width) + " is on the front: error " +
                four_digits(*width.error) + " on held-out images, " +
                four_digits(width.latency_us) + " us, " + four_digits(width.energy_uj) + " uJ.\n";
      }
      RunConfig run = candidate_run(config_, space_, candidate.point, name, epochs);
      run.data.train_limit = 0;
      run.training.threads = 0;
      ConfigValue table = run.write();
      std::erase_if(std::get<ConfigValue::Table>(table.data()),
                    [](const auto& member) { return member.first == "expected"; });
      write_file_atomically(folder / (name + ".toml"), text + "\n" + toml_text(table));
    }
  }

  const SearchConfig& config_;
  const SearchRunOptions& options_;
  const ArchitectureSpace& space_;
  SearchObserver& observer_;
  SearchDomain domain_;
  Rungs rungs_;
  std::unique_ptr<Proposer> proposer_;
  std::unique_ptr<SearchLog> log_;
  SearchRecord record_;
  std::vector<int> unassigned_;  // begun by an earlier call
  double seconds_before_ = 0;
  Clock::time_point start_ = Clock::now();
};

CandidateTask task_of(const SearchConfig& config, const ArchitectureSpace& space,
                      const TrainingData& data, const SearchRunOptions& options, int candidate) {
  return {.config = &config,
          .space = &space,
          .data = &data,
          .folder = options.folder / "candidates" / three_digits(candidate),
          .measure = options.measure};
}

std::string candidate_name(const SearchConfig& config, int candidate) {
  return config.name + "-" + three_digits(candidate);
}

SearchOutcome search_alone(const SearchConfig& config, const TrainingData& data,
                           const SearchRunOptions& options, const ArchitectureSpace& space,
                           SearchObserver& observer) {
  Leader leader(config, data, options, space, observer);
  MachineTurn turn;
  while (!observer.should_stop()) {
    const auto candidate = leader.next(0);
    if (!candidate) return leader.finish(false);
    const CandidateHost host{
        .hopeless =
            [&](const RungReport& report) { return leader.hopeless(candidate->number, report); },
        .should_stop = [&] { return observer.should_stop(); }};
    leader.ended(candidate->number,
                 evaluate_candidate(task_of(config, space, data, options, candidate->number),
                                    candidate->point, candidate_name(config, candidate->number),
                                    turn, host));
  }
  return leader.finish(true);
}

// The first of several ranks.
class Coordinator {
 public:
  Coordinator(Leader& leader, const SearchRunOptions& options, SearchObserver& observer)
      : leader_(leader), ranks_(options.ranks), options_(options), observer_(observer) {
    for (int rank = 1; rank < ranks_.size(); ++rank) workers_[rank].heard = Clock::now();
  }

  // Until the budget is spent; whether it was interrupted. The ranks stay until `end`.
  bool run() {
    while (alive() > 0 && !done()) {
      while (const auto message = ranks_.receive()) handle(*message);
      if (!interrupted_ && observer_.should_stop()) interrupt();
      for (auto& [rank, worker] : workers_) hand_out(rank, worker);
      forget_lost();
      std::this_thread::sleep_for(kPollEvery);
    }
    if (alive() == 0 && !interrupted_) {
      end();
      throw Error(ErrorCode::kIoError,
                  "all ranks that evaluate were lost; go on by the same command and --resume");
    }
    return interrupted_;
  }

  void end() {
    const bool complete = alive() == static_cast<int>(workers_.size());
    for (const auto& [rank, worker] : workers_) {
      try {
        ranks_.send(rank, message(complete ? kEnd : kEndAlone));
      } catch (const Error&) {
        // One that is gone. One that was only slow shall end, too.
        if (!worker.lost) throw;
      }
    }
    if (!complete) ranks_.wait_for_nobody();
  }

 private:
  struct Worker {
    Clock::time_point heard;
    std::optional<int> candidate = {};
    bool ready = false;
    bool lost = false;
  };

  [[nodiscard]] int alive() const {
    return static_cast<int>(
        std::ranges::count_if(workers_, [](const auto& one) { return !one.second.lost; }));
  }
  [[nodiscard]] bool done() const {
    return (spent_ || interrupted_) && std::ranges::none_of(workers_, [](const auto& one) {
             return !one.second.lost && one.second.candidate;
           });
  }

  void handle(const Ranks::Message& received) {
    Worker& worker = workers_[received.from];
    worker.heard = Clock::now();
    // Whoever was thought lost and speaks again has lost its candidate all the same.
    if (worker.lost) return;
    const ConfigValue content = read_json(received.text, "message of a rank");
    const std::string kind = kind_of(content);
    FieldReader reader(content, "");
    if (kind == kReady) worker.ready = true;
    if (kind == kRung) {
      LoggedRung rung;
      visit_rung(reader, rung);
      const bool give_up = leader_.hopeless(rung.candidate, rung.report);
      ranks_.send(received.from, message(give_up ? kGiveUp : kGoOn));
    }
    if (kind == kEnded) {
      int candidate = 0;
      CandidateResult result;
      visit_result(reader, candidate, result);
      worker.candidate.reset();
      leader_.ended(candidate, std::move(result));
    }
  }

  void hand_out(int rank, Worker& worker) {
    if (!worker.ready || worker.lost || interrupted_ || spent_) return;
    auto candidate = leader_.next(rank);
    if (!candidate) {
      spent_ = true;
      return;
    }
    worker.ready = false;
    worker.candidate = candidate->number;
    worker.heard = Clock::now();
    ranks_.send(rank, message(kEvaluate, [&](FieldVisitor& visitor) {
                  visit_candidate(visitor, *candidate);
                }));
  }

  void interrupt() {
    interrupted_ = true;
    for (const auto& [rank, worker] : workers_) {
      if (!worker.lost && worker.candidate) ranks_.send(rank, message(kStop));
    }
  }

  void forget_lost() {
    for (auto& [rank, worker] : workers_) {
      // Those that wait for a candidate give signs of life, too.
      if (worker.lost || seconds_since(worker.heard) < options_.patience_s) continue;
      worker.lost = true;
      observer_.lost(rank, worker.candidate);
      if (!worker.candidate) continue;
      leader_.ended(*worker.candidate,
                    {.ending = "failed",
                     .problem = "rank " + std::to_string(rank) + ", which evaluated it, was lost"});
      worker.candidate.reset();
    }
  }

  Leader& leader_;
  const Ranks& ranks_;
  const SearchRunOptions& options_;
  SearchObserver& observer_;
  std::map<int, Worker> workers_;
  bool interrupted_ = false;
  bool spent_ = false;
};

// Every other rank.
class Worker {
 public:
  Worker(const SearchConfig& config, const TrainingData& data, const SearchRunOptions& options,
         const ArchitectureSpace& space, SearchObserver& observer)
      : config_(config), data_(data), options_(options), space_(space), observer_(observer) {}

  void run() {
    ready();
    while (!end_) {
      const auto received = next_message();
      const ConfigValue content = read_json(received, "message of the first rank");
      if (kind_of(content) != kEvaluate) continue;
      LoggedCandidate candidate;
      FieldReader reader(content, "");
      visit_candidate(reader, candidate);
      evaluate(candidate);
      if (!end_) ready();
    }
  }

 private:
  void ready() { tell(message(kReady)); }
  void tell(const std::string& text) {
    options_.ranks.send(0, text);
    told_ = Clock::now();
  }

  // Waits. Notes what concerns the search as a whole.
  std::string next_message() {
    while (true) {
      const auto received = options_.ranks.receive();
      if (!received) {
        still_alive();
        std::this_thread::sleep_for(kPollEvery);
        continue;
      }
      note(*received);
      return received->text;
    }
  }

  void note(const Ranks::Message& received) {
    const std::string kind = kind_of(read_json(received.text, "message of the first rank"));
    stop_ = stop_ || kind == kStop;
    end_ = end_ || kind == kEnd || kind == kEndAlone;
    if (kind == kEndAlone) options_.ranks.wait_for_nobody();
  }

  void still_alive() {
    if (seconds_since(told_) >= kAliveEvery) tell(message(kAlive));
  }

  void evaluate(const LoggedCandidate& candidate) {
    const CandidateHost host{
        .hopeless =
            [&](const RungReport& report) {
              LoggedRung rung{.candidate = candidate.number, .report = report};
              tell(message(kRung, [&](FieldVisitor& visitor) { visit_rung(visitor, rung); }));
              while (true) {
                const std::string kind =
                    kind_of(read_json(next_message(), "message of the first rank"));
                if (kind == kGiveUp) return true;
                if (kind == kGoOn || end_) return false;
              }
            },
        .should_stop =
            [&] {
              still_alive();
              while (const auto received = options_.ranks.receive()) note(*received);
              return stop_ || end_ || observer_.should_stop();
            }};
    CandidateResult result =
        evaluate_candidate(task_of(config_, space_, data_, options_, candidate.number),
                           candidate.point, candidate_name(config_, candidate.number), turn_, host);
    int number = candidate.number;
    tell(message(kEnded, [&](FieldVisitor& visitor) { visit_result(visitor, number, result); }));
    if (stop_ || observer_.should_stop()) {
      // Nothing more comes, until the first rank has heard of all.
      while (!end_) static_cast<void>(next_message());
    }
  }

  const SearchConfig& config_;
  const TrainingData& data_;
  const SearchRunOptions& options_;
  const ArchitectureSpace& space_;
  SearchObserver& observer_;
  MachineTurn turn_;
  Clock::time_point told_ = Clock::now();
  bool stop_ = false;
  bool end_ = false;
};

}  // namespace

SearchOutcome search(const SearchConfig& config, const TrainingData& data,
                     const SearchRunOptions& options, SearchObserver& observer) {
  const ArchitectureSpace space(config.task, config.space);
  if (options.ranks.alone()) return search_alone(config, data, options, space, observer);
  std::string first = identity(config);
  options.ranks.share(first);
  if (first != identity(config)) {
    throw Error(ErrorCode::kInvalidArgument,
                "rank " + std::to_string(options.ranks.rank()) +
                    " has another configuration than the first; start all with the same file");
  }
  if (!options.ranks.first()) {
    Worker(config, data, options, space, observer).run();
    return {.finished = true};
  }
  Leader leader(config, data, options, space, observer);
  Coordinator coordinator(leader, options, observer);
  const bool interrupted = coordinator.run();
  // First what was found: letting ranks go can fail where one is gone unnoticed.
  SearchOutcome outcome = leader.finish(interrupted);
  coordinator.end();
  return outcome;
}

SearchRecord measure_again(const SearchRecord& before, const SearchRunOptions& options,
                           const std::function<void(int)>& note) {
  const SearchConfig config = config_of(before);
  const ArchitectureSpace space(config.task, config.space);
  std::error_code error;
  std::filesystem::create_directories(options.folder, error);
  const std::filesystem::path path = options.folder / kLogName;
  if (std::filesystem::exists(path, error)) {
    if (!options.overwrite) {
      throw Error(ErrorCode::kInvalidArgument,
                  "'" + options.folder.string() +
                      "' holds a search; replace it with --overwrite, or choose another folder "
                      "with --out");
    }
    std::filesystem::remove(path, error);
  }
  SearchRecord after;
  after.header = before.header;
  after.header.measured_on = options.header.measured_on;
  after.header.energy_source = options.header.energy_source;
  after.header.date = options.header.date;
  after.header.command = options.header.command;
  after.header.bellows = options.header.bellows;
  SearchLog log(path);
  log.begin(after.header);
  const auto start = Clock::now();
  MachineTurn turn;
  for (const LoggedCandidate& candidate : before.candidates) {
    log.proposed(candidate);
    after.candidates.push_back(candidate);
  }
  for (const int number : before.ended) {
    LoggedCandidate& candidate = after.candidates[static_cast<std::size_t>(number)];
    if (!candidate.result->widths.empty()) {
      note(number);
      const RunConfig run = candidate_run(config, space, candidate.point,
                                          candidate_name(config, number), config.training.epochs);
      const std::filesystem::path model = options.folder / "untrained.safetensors";
      save_untrained(model, run);
      turn.measure();
      const std::vector<WidthCost> costs = options.measure(model);
      turn.rest();
      std::filesystem::remove(model, error);
      check_costs(costs, run);
      for (WidthResult& width : candidate.result->widths) {
        const WidthCost& cost = costs.at(static_cast<std::size_t>(width.width - 1));
        width.latency_us = cost.latency_us;
        width.energy_uj = cost.energy_uj;
        width.memory_bytes = cost.memory_bytes;
      }
    }
    log.ended(number, *candidate.result, seconds_since(start));
    after.ended.push_back(number);
  }
  after.seconds = seconds_since(start);
  after.finished = true;
  log.finished(after.seconds);
  return after;
}

SearchConfig config_of(const SearchRecord& record) {
  try {
    return read_search_config(read_json(record.header.config, "the search's configuration"));
  } catch (const Error& error) {
    throw Error(ErrorCode::kCorruptData,
                "the log's configuration cannot be read: " + std::string(error.what()));
  }
}

double epochs_spared(const SearchRecord& record) {
  double planned = 0;
  double spared = 0;
  for (const LoggedCandidate& candidate : record.candidates) {
    if (!candidate.result) continue;
    const CandidateResult& result = *candidate.result;
    if (result.ending != "evaluated" && result.ending != "stopped") continue;
    planned += result.epochs_planned;
    if (result.ending == "stopped") spared += result.epochs_planned - result.epochs;
  }
  return planned > 0 ? spared / planned : 0;
}

}  // namespace bellows
