#include "cli/report_data.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <string_view>

#include "cli/numbers.h"
#include "engine/input_file.h"
#include "engine/json_value.h"
#include "engine/model_file.h"
#include "engine/model_state.h"

namespace bellows::cli {
namespace {

using Json = nlohmann::ordered_json;

// Widths and threads beyond these are no measurements of ours.
constexpr int kMostCounted = 65'536;

// One JSON table of a file. Values of a wrong type are refused by name; those that are absent or
// null are not known.
class JsonTable {
 public:
  // `where` names the file, in logs also the line. `value` must outlive this.
  JsonTable(const Json& value, std::string where) : value_(value), where_(std::move(where)) {
    if (!value.is_object()) fail("is no JSON object");
  }

  [[noreturn]] void fail(const std::string& problem) const {
    throw Error(ErrorCode::kCorruptData, where_ + ": " + problem);
  }

  [[nodiscard]] const Json* find(const char* key) const {
    const auto found = value_.find(key);
    return found == value_.end() || found->is_null() ? nullptr : &*found;
  }
  [[nodiscard]] std::optional<double> number(const char* key) const {
    const Json* value = find(key);
    if (value == nullptr) return std::nullopt;
    if (!value->is_number()) fail_type(key, "a number");
    return value->get<double>();
  }
  [[nodiscard]] double required_number(const char* key) const {
    const auto value = number(key);
    if (!value) fail("'" + std::string(key) + "' is missing");
    return *value;
  }
  [[nodiscard]] int count(const char* key) const {
    const double value = required_number(key);
    if (value != std::floor(value) || value < 1 || value > kMostCounted) {
      fail_type(key, "a whole number from 1 on");
    }
    return static_cast<int>(value);
  }
  [[nodiscard]] std::optional<double> share(const char* key) const {
    const auto value = number(key);
    if (value && (*value < 0 || *value > 1)) fail_type(key, "from 0 to 1");
    return value;
  }
  [[nodiscard]] std::string text(const char* key) const {
    const Json* value = find(key);
    if (value == nullptr) return "";
    if (!value->is_string()) fail_type(key, "text");
    return value->get<std::string>();
  }
  [[nodiscard]] bool flag(const char* key, bool otherwise) const {
    const Json* value = find(key);
    if (value == nullptr) return otherwise;
    if (!value->is_boolean()) fail_type(key, "true or false");
    return value->get<bool>();
  }
  // What is absent reads as empty.
  [[nodiscard]] JsonTable table(const char* key) const {
    static const Json kEmpty = Json::object();
    const Json* value = find(key);
    return {value == nullptr ? kEmpty : *value, where_ + ", '" + key + "'"};
  }
  [[nodiscard]] std::vector<JsonTable> tables(const char* key) const {
    const Json* value = find(key);
    if (value == nullptr) return {};
    if (!value->is_array()) fail_type(key, "a list");
    std::vector<JsonTable> all;
    for (const Json& entry : *value) {
      all.emplace_back(entry, where_ + ", '" + key + "' " + std::to_string(all.size() + 1));
    }
    return all;
  }
  [[nodiscard]] std::vector<std::string> texts(const char* key) const {
    const Json* value = find(key);
    if (value == nullptr) return {};
    if (!value->is_array()) fail_type(key, "a list");
    std::vector<std::string> all;
    for (const Json& entry : *value) {
      if (!entry.is_string()) fail_type(key, "a list of texts");
      all.push_back(entry.get<std::string>());
    }
    return all;
  }
  [[nodiscard]] const Json& json() const { return value_; }

 private:
  [[noreturn]] void fail_type(const char* key, const char* wanted) const {
    fail("'" + std::string(key) + "' must be " + wanted);
  }

  const Json& value_;
  std::string where_;
};

// Numbers and words as they stand. What holds others may be nested too deeply to be written.
std::string value_text(const Json& value) {
  if (value.is_string()) return value.get<std::string>();
  return value.is_structured() ? "..." : value.dump();
}

// "max_latency_us 300, latency_percentile 99"
std::string members_text(const Json& table) {
  std::string text;
  for (const auto& [key, value] : table.items()) {
    if (value.is_null()) continue;
    text += (text.empty() ? "" : ", ") + key + " " + value_text(value);
  }
  return text;
}

void add_fact(Facts& facts, const char* name, const std::string& value) {
  if (!value.empty()) facts.emplace_back(name, value);
}

void add_member(Facts& facts, const char* name, const JsonTable& table, const char* key,
                const char* unit = "") {
  if (const Json* value = table.find(key)) facts.emplace_back(name, value_text(*value) + unit);
}

std::string joined(const std::vector<std::string>& texts) {
  std::string all;
  for (const std::string& text : texts) all += (all.empty() ? "" : ", ") + text;
  return all;
}

std::string text_of(const InputFile& file) {
  std::string text(file.size(), '\0');
  file.read(0, {reinterpret_cast<std::uint8_t*>(text.data()), text.size()});
  return text;
}

// The folder says more than names that every run has.
std::string name_of(const std::filesystem::path& path) {
  const std::filesystem::path whole = std::filesystem::absolute(path).lexically_normal();
  const std::string stem = whole.stem().string();
  const bool usual = stem == "log" || stem == "model" || stem == "profile" || stem == "search";
  const std::string folder = whole.parent_path().filename().string();
  return usual && !folder.empty() ? folder : stem;
}

ReportedProfile read_profile(const std::filesystem::path& path, const Json& json) {
  const JsonTable profile(json, path.string());
  if (profile.required_number("format_version") != 1) {
    throw Error(ErrorCode::kUnsupported, path.string() + ": a profile of format version " +
                                             value_text(*profile.find("format_version")) +
                                             ", this program reads version 1; use a newer one");
  }
  const JsonTable model = profile.table("model");
  const JsonTable device = profile.table("device");
  const JsonTable energy = profile.table("energy");
  const JsonTable data = profile.table("data");
  const JsonTable measured = profile.table("measured");

  ReportedProfile result;
  result.path = path.string();
  result.model = model.text("name");
  if (result.model.empty()) result.model = name_of(path);
  result.group_sha256 = model.texts("group_sha256");
  result.energy_source = energy.text("source");
  Facts& facts = result.facts;
  add_member(facts, "model", model, "file");
  add_fact(facts, "SHA-256 by group", joined(result.group_sha256));
  add_member(facts, "processor", device, "processor");
  add_member(facts, "instruction set", device, "isa");
  add_member(facts, "cores", device, "cores");
  add_member(facts, "oneDNN", device, "onednn");
  add_member(facts, "energy", energy, "source");
  add_member(facts, "idle power", energy, "idle_power_w", " W");
  if (energy.find("idle_subtracted") != nullptr) {
    add_fact(facts, "idle power subtracted", energy.flag("idle_subtracted", false) ? "yes" : "no");
  }
  add_member(facts, "data", data, "name");
  add_member(facts, "validation images", data, "validation_images");
  add_member(facts, "test images", data, "test_images");
  add_member(facts, "measured", measured, "date");
  add_member(facts, "command", measured, "command");
  add_member(facts, "with Bellows", measured, "bellows");
  add_member(facts, "warm-up runs", measured, "warm_up_runs");
  add_member(facts, "outliers", measured, "outlier_rule");
  add_member(facts, "images a second", measured, "rate");

  for (const JsonTable& point : profile.tables("points")) {
    const JsonTable latency = point.table("latency_us");
    const JsonTable memory = point.table("memory");
    ProfileRow row{.width = point.count("width"),
                   .threads = point.count("threads"),
                   .validation_accuracy = point.share("validation_accuracy"),
                   .test_accuracy = point.share("test_accuracy"),
                   .latency_p50_us = latency.number("p50"),
                   .latency_p95_us = latency.number("p95"),
                   .latency_p99_us = latency.number("p99"),
                   .energy_uj = point.number("energy_uj"),
                   .macs = point.number("macs"),
                   .weight_bytes = point.number("weight_bytes")};
    for (const char* part : {"weights", "activations", "scratch"}) {
      const auto bytes = memory.number(part);
      if (bytes) row.memory_bytes = row.memory_bytes.value_or(0) + *bytes;
    }
    result.rows.push_back(row);
  }
  if (result.rows.empty()) profile.fail("a profile without 'points'; measure it again");
  std::stable_sort(result.rows.begin(), result.rows.end(), [](const auto& a, const auto& b) {
    return std::pair(a.threads, a.width) < std::pair(b.threads, b.width);
  });
  return result;
}

ReportedPolicies read_reported_policies(const std::filesystem::path& path) {
  ReportedPolicies result{.path = path.string(),
                          .name = {},
                          .data = internal::read_policies(path),
                          .texts = {},
                          .facts = {}};
  const internal::PolicyData& data = result.data;
  result.name = data.model_name.empty() ? name_of(path) : data.model_name;
  // Selectors are in the model file; what they are called is not.
  std::vector<Selector> selectors;
  for (const internal::PolicyPoint& point : data.points) {
    selectors.resize(std::max(selectors.size(), static_cast<std::size_t>(point.selector)));
  }
  for (const internal::SelectorFacts& facts : data.selectors) {
    selectors.resize(std::max(selectors.size(), static_cast<std::size_t>(facts.number)));
    selectors[static_cast<std::size_t>(facts.number - 1)].alpha = facts.alpha;
  }
  for (const Policy& policy : internal::make_policies(data, selectors)) {
    result.texts.push_back(policy.text());
  }
  Facts& facts = result.facts;
  add_fact(facts, "model", data.model_file);
  add_fact(facts, "SHA-256 by group", joined(data.group_sha256));
  add_fact(facts, "data", data.data_name);
  add_fact(facts, "tuning images", std::to_string(data.tuning_images));
  add_fact(facts, "test images", std::to_string(data.test_images));
  add_fact(facts, "cost", data.cost_source);
  add_fact(facts, "made", data.date);
  add_fact(facts, "command", data.command);
  add_fact(facts, "with Bellows", data.bellows);
  return result;
}

ReportedModel read_model(const std::filesystem::path& path) {
  const ModelFile file = load_model(path);
  ReportedModel result;
  result.path = path.string();
  result.name = name_of(path);
  for (const GroupFacts& group : file.facts.groups) result.group_sha256.push_back(group.sha256);
  Facts& facts = result.facts;
  add_fact(facts, "SHA-256 by group", joined(result.group_sha256));
  add_fact(facts, "input", file.network.input().text());
  add_fact(facts, "classes", std::to_string(file.network.classes()));
  add_fact(facts, "size", bytes_text(file.facts.total_bytes));
  add_fact(facts, "trained on", file.info.data_set);
  add_fact(facts, "schedule", file.info.schedule);
  add_fact(facts, "epochs", file.info.epochs);
  add_fact(facts, "seed", std::to_string(file.info.seed));
  add_fact(facts, "made with", file.info.created_with);
  for (const auto& [key, value] : file.info.extra) add_fact(facts, key.c_str(), value);
  for (int width = 1; width <= file.network.groups(); ++width) {
    result.widths.push_back(internal::width_of(file.network, file.info, width));
  }
  return result;
}

// A log's lines. `visit` gets each as JSON. Returns whether the last one is not whole.
template <class Visit>
bool for_each_line(const std::string& path, std::string_view text, const Visit& visit) {
  std::size_t number = 0;
  while (!text.empty()) {
    ++number;
    const std::size_t end = text.find('\n');
    const bool ended = end != std::string_view::npos;
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(ended ? end + 1 : text.size());
    if (line.find_first_not_of(" \t\r") == std::string_view::npos) continue;
    const std::string where = path + ":" + std::to_string(number);
    Json value;
    try {
      value = Json::parse(line);
    } catch (const Json::exception&) {
      if (!ended) return true;
      throw Error(ErrorCode::kCorruptData,
                  where + ": this line is no JSON; the log is damaged, remove the line");
    }
    visit(JsonTable(value, where));
  }
  return false;
}

std::vector<Score> scores(const JsonTable& table, const char* key) {
  std::vector<Score> all;
  for (const JsonTable& score : table.tables(key)) {
    all.push_back({.width = score.count("width"),
                   .accuracy = score.share("accuracy"),
                   .loss = score.number("loss")});
  }
  return all;
}

// What comes from `first_group` in `epoch` on is about to be trained, for the first time or again.
void forget_from(TrainingLog& log, int first_group, int epoch) {
  std::erase_if(log.epochs, [&](const LoggedEpoch& done) {
    return std::pair(done.first_group, done.epoch) >= std::pair(first_group, epoch);
  });
  log.seconds.reset();
  log.validation.clear();
  log.test.clear();
}

TrainingLog read_training_log(const std::filesystem::path& path, std::string_view text) {
  TrainingLog log;
  log.path = path.string();
  log.name = name_of(path);
  log.cut_off = for_each_line(log.path, text, [&](const JsonTable& line) {
    const std::string event = line.text("event");
    if (event == "begin") {
      forget_from(log, line.count("first_group"), line.count("epoch"));
    } else if (event == "epoch") {
      log.epochs.push_back({.first_group = line.count("first_group"),
                            .last_group = line.count("last_group"),
                            .epoch = line.count("epoch"),
                            .loss = line.number("loss"),
                            .accuracy = line.share("accuracy"),
                            .validation = scores(line, "validation")});
    } else if (event == "finished") {
      log.seconds = line.number("seconds");
      log.validation = scores(line, "validation");
      log.test = scores(line, "test");
    }
  });
  return log;
}

ReportedTargets targets_of(const JsonTable& line, double time_s) {
  const JsonTable targets = line.table("targets");
  return {.time_s = time_s,
          .text = members_text(targets.json()),
          .max_latency_us = targets.number("max_latency_us"),
          .max_energy_uj = targets.number("max_energy_uj")};
}

// A file may hold several, one after the other.
std::vector<RunLog> read_run_logs(const std::filesystem::path& path, std::string_view text) {
  std::vector<RunLog> logs;
  const bool cut_off = for_each_line(path.string(), text, [&](const JsonTable& line) {
    const std::string event = line.text("event");
    if (event == "start") {
      RunLog& log = logs.emplace_back();
      log.path = path.string();
      log.name = name_of(path);
      add_member(log.facts, "model", line, "model");
      add_member(log.facts, "profile", line, "profile");
      add_member(log.facts, "threads", line, "threads");
      add_member(log.facts, "widths", line, "widths");
      add_member(log.facts, "energy", line, "energy_source");
      add_member(log.facts, "started", line, "date");
      log.targets.push_back(targets_of(line, 0));
      return;
    }
    if (logs.empty()) line.fail("the event 'start' must come first");
    RunLog& log = logs.back();
    if (event == "request") {
      log.requests.push_back({.time_s = line.required_number("time_s"),
                              .width = line.count("width"),
                              .latency_us = line.required_number("latency_us"),
                              .energy_uj = line.number("energy_uj"),
                              .missed = line.flag("missed", false),
                              .feasible = line.flag("feasible", true)});
    } else if (event == "targets") {
      log.targets.push_back(targets_of(line, line.required_number("time_s")));
    } else if (event == "end") {
      log.end_s = line.number("time_s");
      log.switches = line.number("switches");
      log.accuracy = line.share("accuracy");
    }
  });
  if (!logs.empty()) logs.back().cut_off = cut_off;
  return logs;
}

ReportedSearch read_search(const std::filesystem::path& path) {
  ReportedSearch search{
      .path = path.string(), .name = name_of(path), .record = read_search_log(path)};
  const SearchHeader& header = search.record.header;
  Facts& facts = search.facts;
  add_fact(facts, "search", header.name);
  add_fact(facts, "method", header.method);
  add_fact(facts, "data", header.data_set);
  add_fact(facts, "training images", std::to_string(header.training_images));
  add_fact(facts, "validation images", std::to_string(header.validation_images));
  add_fact(facts, "measured on", header.measured_on);
  add_fact(facts, "energy", header.energy_source);
  add_fact(facts, "began", header.date);
  add_fact(facts, "command", header.command);
  add_fact(facts, "with Bellows", header.bellows);
  return search;
}

[[noreturn]] void fail_kind(const std::filesystem::path& path) {
  throw Error(ErrorCode::kInvalidArgument,
              path.string() +
                  ": is neither a profile, a model, policies, nor a "
                  "log of `bellows train`, `bellows run` or `bellows search`");
}

// The word behind "event" in the first line of a log; empty for whatever else.
std::string first_event(std::string_view text) {
  const Json line = Json::parse(text.substr(0, text.find('\n')), nullptr, false);
  if (!line.is_object()) return "";
  const auto event = line.find("event");
  return event != line.end() && event->is_string() ? event->get<std::string>() : "";
}

void read_file(const std::filesystem::path& path, ReportData& data) {
  std::string text;
  {
    const InputFile file(path);
    // The length of a model's header comes before its text.
    std::string begin(std::min<std::uint64_t>(file.size(), 9), '\0');
    file.read(0, {reinterpret_cast<std::uint8_t*>(begin.data()), begin.size()});
    if (path.extension() == ".safetensors" || (begin.size() == 9 && begin[7] == '\0')) {
      data.models.push_back(read_model(path));
      return;
    }
    text = text_of(file);
  }
  const std::size_t begin = text.find_first_not_of(" \t\r\n");
  if (begin == std::string::npos) {
    throw Error(ErrorCode::kInvalidArgument, path.string() + ": is empty; nothing was logged yet");
  }
  if (text[begin] != '{') fail_kind(path);
  const std::string_view content = text;
  const std::string event = first_event(content.substr(begin));
  if (event == "start") {
    for (RunLog& log : read_run_logs(path, text)) data.runs.push_back(std::move(log));
    return;
  }
  if (event == "search") {
    data.searches.push_back(read_search(path));
    return;
  }
  if (event == "begin" || event == "epoch" || event == "group" || event == "stacked" ||
      event == "stopped" || event == "finished") {
    data.trainings.push_back(read_training_log(path, text));
    return;
  }
  if (!event.empty()) {
    throw Error(
        ErrorCode::kInvalidArgument,
        path.string() +
            ": logs of `bellows train`, `bellows run` and `bellows search` do not begin with " +
            "the event " + in_quotes(event));
  }
  Json json;
  try {
    json = Json::parse(text);
  } catch (const Json::parse_error& error) {
    const std::string_view before = content.substr(0, error.byte);
    const auto line = 1 + std::count(before.begin(), before.end(), '\n');
    throw Error(ErrorCode::kCorruptData,
                path.string() + ":" + std::to_string(line) + ": is no JSON from here on");
  } catch (const Json::exception&) {
    throw Error(ErrorCode::kCorruptData, path.string() + ": holds a number out of range");
  }
  const auto format = json.find("format");
  if (format != json.end() && *format == "bellows policies") {
    data.policies.push_back(read_reported_policies(path));
    return;
  }
  if (format == json.end() || *format != "bellows profile") fail_kind(path);
  data.profiles.push_back(read_profile(path, json));
}

}  // namespace

ReportData read_report_data(const std::vector<std::filesystem::path>& paths) {
  ReportData data;
  for (const std::filesystem::path& path : paths) {
    std::error_code ignored;
    if (!std::filesystem::is_directory(path, ignored)) {
      read_file(path, data);
      continue;
    }
    bool found = false;
    for (const char* name : kRunFiles) {
      if (!std::filesystem::exists(path / name, ignored)) continue;
      read_file(path / name, data);
      found = true;
    }
    if (!found) {
      throw Error(ErrorCode::kInvalidArgument,
                  path.string() +
                      ": there is no log.jsonl, model.safetensors, profile.json or search.jsonl in "
                      "this folder");
    }
  }
  return data;
}

}  // namespace bellows::cli
