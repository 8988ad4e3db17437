#include <bellows/bellows.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <nlohmann/json.hpp>
#include <utility>

#include "cli/command.h"
#include "cli/energy_options.h"
#include "cli/interrupt.h"
#include "cli/long_run.h"
#include "cli/measure_command.h"
#include "cli/numbers.h"
#include "cli/table.h"
#include "cli/verb.h"
#include "engine/json_value.h"
#include "engine/model_state.h"
#include "engine/width_measuring.h"
#include "training/data/random.h"
#include "training/search/search.h"

namespace bellows::cli {
namespace {

using Json = nlohmann::ordered_json;
using internal::ProfilePoint;

constexpr std::size_t kTimedImages = 16;
constexpr double kMeasuringSeconds = 0.5;

// How candidates are measured, and what the log says of it.
struct Measuring {
  MeasureWidths measure;
  std::string measured_on;
  std::string energy_source;
};

std::vector<WidthCost> costs_of(const std::vector<ProfilePoint>& points) {
  std::vector<WidthCost> costs;
  costs.reserve(points.size());
  for (const ProfilePoint& point : points) {
    costs.push_back(
        {.latency_us = point.latency_us.p50,
         .energy_uj = point.energy_uj.value_or(0),
         .memory_bytes = point.memory_weights + point.memory_activations + point.memory_scratch});
  }
  return costs;
}

std::vector<float> random_images(const Model& model) {
  data::KeyedRandom random(1);
  std::vector<float> images(kTimedImages * model.image_elements());
  for (float& value : images) value = random.uniform();
  return images;
}

// Before anything is searched: what measures energy here, told by a network of any kind.
std::string energy_source_here(const EnergyChoice& choice) {
  constexpr const char* kAny =
      R"({"input": [1, 1, 1], "classes": 2, "groups": 1, "layers": [
          {"kind": "conv", "name": "conv", "channels": [1], "kernel": 1},
          {"kind": "head", "name": "head"}]})";
  const ChosenMeter chosen = make_meter(choice, Network::read(read_json(kAny, "any network")));
  if (chosen.meter == nullptr) {
    throw UsageError("nothing measures energy here (" + chosen.problem +
                     "), and a search needs it; declare the device with --device NAME|FILE.toml");
  }
  return chosen.meter->source();
}

Measuring by_running(const Arguments& arguments, const EnergyChoice& choice) {
  const int threads = arguments.integer("measure-threads", 1, 1024).value_or(1);
  const double seconds = arguments.real("seconds", 0.001, 600).value_or(kMeasuringSeconds);
  const Device device = this_device();
  Measuring measuring;
  measuring.measured_on = device.processor + ", " + device.isa + ", oneDNN " + device.onednn +
                          ", " + std::to_string(threads) + (threads == 1 ? " thread" : " threads");
  measuring.energy_source = energy_source_here(choice);
  measuring.measure = [choice, threads, seconds](const std::filesystem::path& path) {
    const Model model = Model::load(path.string());
    const ChosenMeter chosen = make_meter(choice, internal::state_of(model)->network);
    const WidthMeasuring options{
        .latency = {.seconds = seconds, .least_runs = 60, .most_runs = 50000, .turns = 5},
        .energy_seconds = seconds / 5,
        .threads = threads};
    return costs_of(measure_widths(model, random_images(model), chosen.meter.get(), options));
  };
  return measuring;
}

Measuring by_estimate(const EnergyChoice& choice) {
  if (!choice.device) {
    throw UsageError("--estimate needs a device model: --device NAME|FILE.toml");
  }
  if (!choice.device->clock_hz) {
    throw UsageError("--device: '" + choice.device->name +
                     "' has no clock, so that its times cannot be estimated; choose another");
  }
  return {.measure =
              [device = *choice.device](const std::filesystem::path& path) {
                return costs_of(estimate_widths(Model::load(path.string()), device));
              },
          .measured_on = "estimate: " + choice.device->name,
          .energy_source = "modelled: operations (" + choice.device->name + ")"};
}

Measuring choose_measuring(const Arguments& arguments) {
  if (const auto command = arguments.text("measure-cmd")) {
    for (const char* option :
         {"energy", "device", "rails", "sysfs", "estimate", "seconds", "measure-threads"}) {
      if (arguments.has(option)) {
        throw UsageError("--" + std::string(option) +
                         ": with --measure-cmd the command alone measures; leave one of them out");
      }
    }
    return {.measure =
                [command = *command](const std::filesystem::path& path) {
                  return measured_by_command(command, path);
                },
            .measured_on = "command: " + *command,
            .energy_source = "command: " + *command};
  }
  const EnergyChoice choice = energy_choice(arguments);
  if (arguments.has("estimate")) {
    for (const char* option : {"seconds", "measure-threads", "energy", "sysfs"}) {
      if (arguments.has(option)) {
        throw UsageError("--" + std::string(option) +
                         ": --estimate runs nothing; leave one of them out");
      }
    }
    return by_estimate(choice);
  }
  return by_running(arguments, choice);
}

struct Budget {
  int evaluations = 0;
  double hours = 0;
};

// "60" candidates, "2h", "90min".
Budget budget_of(const Arguments& arguments, const SearchConfig& config) {
  const auto text = arguments.text("budget");
  if (!text) return {.evaluations = config.settings.evaluations};
  std::size_t end = 0;
  double number = 0;
  try {
    number = std::stod(*text, &end);
  } catch (const std::exception&) {
    end = 0;
  }
  const std::string unit = text->substr(end);
  if (end > 0 && number > 0 && std::isfinite(number)) {
    if (unit == "h" && number <= 1e5) return {.hours = number};
    if (unit == "min" && number <= 1e6) return {.hours = number / 60};
    if (unit.empty() && number == std::floor(number) && number <= 100000) {
      return {.evaluations = static_cast<int>(number)};
    }
  }
  throw UsageError("--budget: '" + *text +
                   "' is no number of candidates (60) and no time (2h, 90min)");
}

double hypervolume_of(const SearchRecord& record) {
  return hypervolume(measured_in_full(evaluations_of(record)), reference_of(record.header));
}

std::string width_text(const WidthResult& width) {
  std::string text = "width " + std::to_string(width.width) + ": ";
  text += width.error ? percent_text(*width.error) + " wrong" : std::string("not judged");
  if (width.error && width.share < 1) {
    text += " after " + percent_text(width.share) + " of its epochs";
  }
  return text + ", " + fixed_text(width.latency_us, 1) + " us, " + fixed_text(width.energy_uj, 1) +
         " uJ";
}

Json width_json(const WidthResult& width) {
  Json json = {{"width", width.width}, {"share", width.share}};
  if (width.error) json["error"] = *width.error;
  json["latency_us"] = width.latency_us;
  json["energy_uj"] = width.energy_uj;
  json["parameters"] = width.parameters;
  json["macs"] = width.macs;
  json["memory_bytes"] = width.memory_bytes;
  return json;
}

Json widths_json(const std::vector<WidthResult>& widths) {
  auto list = Json::array();
  for (const WidthResult& width : widths) list.push_back(width_json(width));
  return list;
}

class SearchDisplay final : public SearchObserver {
 public:
  SearchDisplay(Console& console, bool json) : console_(console), json_(json) {}

  void begin(const SearchRecord& record) override {
    if (json_) {
      console_.print_json(Json{{"event", "begin"},
                               {"name", record.header.name},
                               {"method", record.header.method},
                               {"measured_on", record.header.measured_on},
                               {"energy_source", record.header.energy_source},
                               {"candidates", record.candidates.size()},
                               {"pending", record.pending().size()}});
      return;
    }
    console_.print("measured on " + record.header.measured_on + "; energy " +
                   record.header.energy_source);
    if (!record.candidates.empty()) {
      console_.print("resumed: " + count_text(static_cast<std::int64_t>(record.ended.size())) +
                     " candidates have ended, " +
                     count_text(static_cast<std::int64_t>(record.pending().size())) +
                     " have begun");
    }
  }

  void proposed(const LoggedCandidate& candidate, int rank) override {
    if (json_) {
      console_.print_json(Json{{"event", "proposed"},
                               {"candidate", candidate.number},
                               {"rank", rank},
                               {"network", candidate.text}});
      return;
    }
    console_.status(std::to_string(candidate.number) + " ...: " + candidate.text, true);
  }

  void rung(const LoggedRung& rung) override {
    if (!json_) return;
    console_.print_json(Json{{"event", "rung"},
                             {"candidate", rung.candidate},
                             {"width", rung.report.width},
                             {"share", rung.report.share},
                             {"error", rung.report.error},
                             {"stopped", rung.stopped}});
  }

  void ended(const SearchRecord& record, int number) override {
    const LoggedCandidate& candidate = record.candidates[static_cast<std::size_t>(number)];
    const CandidateResult& result = *candidate.result;
    if (json_) {
      Json line = {{"event", "ended"},
                   {"candidate", number},
                   {"ending", result.ending},
                   {"seconds", result.seconds},
                   {"epochs", result.epochs},
                   {"widths", widths_json(result.widths)},
                   {"hypervolume", hypervolume_of(record)}};
      if (!result.problem.empty()) line["problem"] = result.problem;
      console_.print_json(line);
      return;
    }
    console_.print("candidate " + std::to_string(number) + ", " + duration_text(result.seconds) +
                   ": " + candidate.text);
    if (result.ending != "evaluated") {
      console_.print("  " + result.ending + ": " + printable(result.problem));
    }
    for (const WidthResult& width : result.widths) {
      if (width.error) console_.print("  " + width_text(width));
    }
    console_.print("  " + count_text(static_cast<std::int64_t>(record.ended.size())) +
                   " ended, hypervolume " + fixed_text(hypervolume_of(record), 4));
  }

  void lost(int rank, std::optional<int> candidate) override {
    console_.note(
        "bellows search: warning: rank " + std::to_string(rank) + " is not heard of any more; " +
        (candidate ? "candidate " + std::to_string(*candidate) + " counts as failed, " : "") +
        "the others go on");
  }

  bool should_stop() override { return InterruptWatch::interrupted(); }

 private:
  Console& console_;
  bool json_;
};

void print_front(const SearchRecord& record, Console& console) {
  const std::vector<FrontMember> front = front_of(record);
  Table table({{"candidate"},
               {"width"},
               {"error"},
               {"latency"},
               {"energy"},
               {"MACs"},
               {"parameters"},
               {"network", Column::Align::kLeft}});
  for (const FrontMember& member : front) {
    const WidthResult& width = member.result;
    table.add({std::to_string(member.candidate), std::to_string(width.width),
               percent_text(*width.error), fixed_text(width.latency_us, 1) + " us",
               fixed_text(width.energy_uj, 1) + " uJ", scaled_text(width.macs),
               scaled_text(width.parameters),
               record.candidates[static_cast<std::size_t>(member.candidate)].text});
  }
  console.print("\n" + table.text(console.heading_begin(), console.heading_end()));
}

void print_outcome(const SearchRecord& record, const std::filesystem::path& folder, bool json,
                   Console& console) {
  std::map<std::string, int> endings;
  for (const int number : record.ended) {
    ++endings[record.candidates[static_cast<std::size_t>(number)].result->ending];
  }
  const std::vector<FrontMember> front = front_of(record);
  if (json) {
    auto members = Json::array();
    for (const FrontMember& member : front) {
      Json one = width_json(member.result);
      one["candidate"] = member.candidate;
      members.push_back(std::move(one));
    }
    console.print_json(Json{{"event", "finished"},
                            {"log", (folder / "search.jsonl").string()},
                            {"pareto", (folder / "pareto").string()},
                            {"endings", endings},
                            {"hypervolume", hypervolume_of(record)},
                            {"epochs_spared", epochs_spared(record)},
                            {"seconds", record.seconds},
                            {"front", std::move(members)}});
    return;
  }
  print_front(record, console);
  std::string counts;
  for (const auto& [ending, count] : endings) {
    counts += (counts.empty() ? "" : ", ") + std::to_string(count) + " " + ending;
  }
  console.print(counts + "; hypervolume " + fixed_text(hypervolume_of(record), 4) +
                "; early stopping spared " + percent_text(epochs_spared(record)) +
                " of the epochs; " + duration_text(record.seconds));
  console.print("Configurations of the front are in " + (folder / "pareto").string() +
                "; the log is " + (folder / "search.jsonl").string());
}

SearchConfig configure(const Arguments& arguments) {
  SearchConfig config = read_search_config(std::filesystem::path(arguments.plain()[0]));
  if (const auto method = arguments.text("method")) {
    const std::vector<std::string> known = {"bayesian", "evolution", "random"};
    if (std::ranges::find(known, *method) == known.end()) {
      throw UsageError("--method: '" + *method + "' is none of bayesian, evolution, random");
    }
    config.settings.method = *method;
  }
  if (const auto seed = arguments.integer("seed", 0)) config.settings.seed = *seed;
  if (const auto threads = arguments.integer("threads", 1, 1024)) {
    config.training.threads = *threads;
  }
  return config;
}

SearchRunOptions run_options(const Arguments& arguments, Measuring measuring) {
  SearchRunOptions options;
  options.overwrite = arguments.has("overwrite");
  options.measure = std::move(measuring.measure);
  options.header.measured_on = std::move(measuring.measured_on);
  options.header.energy_source = std::move(measuring.energy_source);
  options.header.date = utc_text();
  options.header.command = mended(shell_line(arguments.command()));
  options.header.bellows = version();
  return options;
}

int run_again(const Arguments& arguments, Console& console) {
  for (const char* option : {"data", "budget", "resume", "method", "seed", "threads"}) {
    if (arguments.has(option)) {
      throw UsageError("--" + std::string(option) +
                       ": --again only measures what is there; leave one of them out");
    }
  }
  const auto out = arguments.text("out");
  if (!out || out->empty()) throw UsageError("--again needs --out FOLDER for the new log");
  const SearchRecord before = read_search_log(arguments.plain()[0]);
  SearchRunOptions options = run_options(arguments, choose_measuring(arguments));
  options.folder = *out;
  const SearchRecord after = measure_again(before, options, [&](int candidate) {
    console.status("candidate " + std::to_string(candidate) + " ...");
  });
  console.clear_status();
  if (arguments.has("json")) {
    console.print_json(Json{{"event", "finished"},
                            {"log", (options.folder / "search.jsonl").string()},
                            {"candidates", after.ended.size()},
                            {"hypervolume", hypervolume_of(after)},
                            {"seconds", after.seconds}});
    return kDone;
  }
  console.print("measured on " + after.header.measured_on + "; energy " +
                after.header.energy_source);
  print_front(after, console);
  console.print("The log is " + (options.folder / "search.jsonl").string());
  return kDone;
}

// Said by a rank that is told to end where the others do not answer.
constexpr const char* kAbandonedByOthers =
    "bellows search: ended by mpirun: another rank has failed (then it says why) or is gone, or "
    "mpirun itself was told to end. The log is whole: go on with the same command and --resume\n";

int search_as_one_of(const Ranks& ranks, const Arguments& arguments, Console& console) {
  if (arguments.has("resume") && arguments.has("overwrite")) {
    throw UsageError(
        "--resume goes on with a search and --overwrite begins anew; give one of them");
  }
  const SearchConfig config = configure(arguments);
  const Budget budget = budget_of(arguments, config);
  SearchRunOptions options = run_options(arguments, choose_measuring(arguments));
  options.folder = arguments.text("out").value_or("runs/" + config.name);
  if (options.folder.empty()) {
    throw UsageError("--out: an empty name is no folder; leave it out for the default");
  }
  options.resume = arguments.has("resume");
  options.evaluations = budget.evaluations;
  options.hours = budget.hours;
  options.ranks = ranks;
  options.patience_s = arguments.real("patience", 1, 1e6).value_or(options.patience_s);
  const std::string folder = image_folder(arguments, config.data);
  if (ranks.first()) console.status("loading images ...", true);
  TrainingData data = load_training_data(config.data, folder);
  // A search must not see them.
  data.test.reset();
  data.without_test = "test images are not for searching";
  const bool json = arguments.has("json");
  if (ranks.first() && !json) {
    console.print(
        config.name + ": " + config.settings.method + " search; " + data.training.name() + ": " +
        count_text(static_cast<std::int64_t>(data.training.size())) + " training, " +
        count_text(static_cast<std::int64_t>(data.validation.size())) + " validation images" +
        (ranks.alone() ? ""
                       : "; " + std::to_string(ranks.size() - 1) +
                             (ranks.size() == 2 ? " rank evaluates" : " ranks evaluate")));
  }
  SearchDisplay display(console, json);
  const InterruptWatch watch(patience_ms(ranks), kAbandonedByOthers);
  const SearchOutcome outcome = search(config, data, options, display);
  console.clear_status();
  if (!ranks.first()) return kDone;
  if (outcome.finished) {
    print_outcome(outcome.record, options.folder, json, console);
    return kDone;
  }
  print_stopped(arguments, ranks, outcome.record.seconds, console);
  return kFailed;
}

int run_search(const Arguments& arguments, Console& console) {
  if (arguments.has("again")) return run_again(arguments, console);
  return run_as_ranks(
      [&](const Ranks& ranks) { return search_as_one_of(ranks, arguments, console); });
}

}  // namespace

Verb search_verb() {
  Usage usage;
  usage.verb = "search";
  usage.summary = "Search architectures for error, time and energy, all measured";
  usage.arguments = "SEARCH.toml [options]";
  usage.details =
      "Proposes networks of the space that the file describes, measures and trains each, and "
      "writes\n"
      "the log search.jsonl and configurations of the best into one folder. Ctrl-C keeps "
      "everything;\n"
      "--resume goes on. Started by mpirun, the first rank proposes and the others evaluate.\n"
      "--again takes a log in place of the file and only measures its networks again, so that "
      "fronts\n"
      "of two devices can be compared by `bellows report`.";
  usage.example =
      "bellows search configs/search/mnist.toml --data DATA/mnist --device server-cpu\n"
      "bellows search configs/search/cifar10.toml --data DATA/cifar-10 --budget 3h --device "
      "server-cpu\n"
      "mpirun -n 3 --enable-recovery bellows search configs/search/mnist.toml --data DATA/mnist "
      "--device server-cpu\n"
      "bellows search runs/search-mnist/search.jsonl --again --estimate --device small-accelerator "
      "--out runs/embedded";
  usage.least = usage.most = 1;
  usage.wanted = "the search's configuration (SEARCH.toml)";
  usage.options = {
      {"data", "DIR", "Folder of the images; not needed for those that are drawn"},
      {"out", "DIR", "Folder for the log and what is found (default: runs/ and the name)"},
      {"budget", "N|TIME", "Candidates (60), or time (2h, 90min) (default: as configured)"},
      {"resume", "", "Go on with the search in the folder"},
      {"overwrite", "", "Begin anew in a folder that holds a search"},
      {"method", "M", "bayesian, evolution or random (default: as configured)"},
      {"seed", "N", "Seed of proposals"},
      {"threads", "N", "Threads that train (default: as configured, else one for each core)"},
      {"measure-threads", "N", "Threads of the sessions that are measured (default 1)"},
      {"seconds", "S", "Time to measure each width for (default 0.5)"},
      {"measure-cmd", "COMMAND",
       "Measure by a command, which gets a model file as its last argument and prints a profile"},
      {"estimate", "", "Measure nothing: times and energies of the device model at its peak"},
      {"again", "", "Measure the networks of a log again"},
      {"patience", "S", "With ranks: silence after which one is taken for lost (default 600)"},
      {"json", "", "Print JSON lines"},
  };
  add_energy_options(usage);
  return {usage, run_search};
}

}  // namespace bellows::cli
