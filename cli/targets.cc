#include "cli/targets.h"

#include <bellows/error.h>

#include <nlohmann/json.hpp>
#include <sstream>
#include <string>

#include "engine/input_file.h"
#include "engine/json_value.h"
#include "layers/fields.h"

namespace bellows::cli {
namespace {

constexpr double kMost = 1e12;

// Keys as targets_json gives them.
Targets read_targets(FieldReader& reader) {
  Targets targets;
  reader.field("max_latency_us", targets.max_latency_us, {.minimum = 1e-3, .maximum = kMost});
  reader.field("latency_percentile", targets.latency_percentile, {.minimum = 50, .maximum = 99});
  reader.field("max_energy_uj", targets.max_energy_uj, {.minimum = 1e-9, .maximum = kMost});
  reader.field("max_power_w", targets.max_power_w, {.minimum = 1e-9, .maximum = kMost});
  reader.field("power_window_s", targets.power_window_s, {.minimum = 1e-6, .maximum = kMost});
  reader.field("min_accuracy", targets.min_accuracy, {.minimum = 1e-9, .maximum = 1});
  std::optional<double> joules;
  std::optional<double> until_s;
  std::optional<double> other_power_w;
  reader.field("energy_left_j", joules, {.minimum = 1e-9, .maximum = kMost});
  reader.field("until_s", until_s, {.minimum = 0, .maximum = kMost});
  reader.field("other_power_w", other_power_w, {.minimum = 0, .maximum = kMost});
  if (joules.has_value() != until_s.has_value() || (other_power_w && !joules)) {
    throw Error(ErrorCode::kCorruptData,
                "energy_left_j and until_s belong together, other_power_w only to them");
  }
  if (joules) {
    targets.energy_left = {
        .joules = *joules, .until_s = *until_s, .other_power_w = other_power_w.value_or(0)};
  }
  std::string objective = "accurate";
  reader.field("objective", objective, {.choices = {"accurate", "cheapest"}});
  if (objective == "cheapest") targets.objective = Objective::kCheapest;
  return targets;
}

}  // namespace

void add_target_options(Usage& usage) {
  for (Option option : std::initializer_list<Option>{
           {"max-latency", "US", "Limit of an image's time, in microseconds"},
           {"percentile", "P", "Of 100 images so many keep to it: 50, 95 or 99 (default)"},
           {"max-energy", "UJ", "Limit of an image's energy, in microjoules"},
           {"max-power", "W", "Limit of the average power of inferences, in watts"},
           {"power-window", "S", "Time that is averaged over (default 10)"},
           {"min-accuracy", "A", "Least share of right answers, 0..1"},
           {"battery", "J", "Energy that there is, in joules; with --until"},
           {"until", "S", "The battery lasts so long from the start, in seconds"},
           {"other-power", "W", "What else drains the battery (default 0)"},
           {"objective", "O", "Within the limits: accurate (default) or cheapest"}}) {
    usage.options.push_back(std::move(option));
  }
}

Targets targets_of(const Arguments& arguments) {
  Targets targets;
  targets.max_latency_us = arguments.real("max-latency", 1e-3, kMost);
  if (const auto percentile = arguments.integer("percentile", 50, 99)) {
    if (*percentile != 50 && *percentile != 95 && *percentile != 99) {
      throw UsageError("--percentile: " + std::to_string(*percentile) +
                       " is not measured; choose 50, 95 or 99");
    }
    if (!targets.max_latency_us) {
      throw UsageError("--percentile is that of a limit: give --max-latency too");
    }
    targets.latency_percentile = *percentile;
  }
  targets.max_energy_uj = arguments.real("max-energy", 1e-9, kMost);
  targets.max_power_w = arguments.real("max-power", 1e-9, kMost);
  targets.power_window_s = arguments.real("power-window", 1e-6, kMost).value_or(10);
  targets.min_accuracy = arguments.real("min-accuracy", 1e-9, 1);
  const auto joules = arguments.real("battery", 1e-9, kMost);
  const auto until = arguments.real("until", 1e-6, kMost);
  if (joules.has_value() != until.has_value()) {
    throw UsageError("--battery and --until belong together");
  }
  if (joules) {
    targets.energy_left =
        EnergyLeft{.joules = *joules,
                   .until_s = *until,
                   .other_power_w = arguments.real("other-power", 0, kMost).value_or(0)};
  } else if (arguments.has("other-power")) {
    throw UsageError("--other-power drains a battery: give --battery and --until too");
  }
  const std::string objective = arguments.text("objective").value_or("accurate");
  if (objective != "accurate" && objective != "cheapest") {
    throw UsageError("--objective: '" + objective + "' is neither accurate nor cheapest");
  }
  if (objective == "cheapest") targets.objective = Objective::kCheapest;
  return targets;
}

nlohmann::ordered_json targets_json(const Targets& targets) {
  nlohmann::ordered_json json = nlohmann::ordered_json::object();
  const auto add = [&json](const char* key, const std::optional<double>& value) {
    if (value) json[key] = *value;
  };
  add("max_latency_us", targets.max_latency_us);
  if (targets.max_latency_us) json["latency_percentile"] = targets.latency_percentile;
  add("max_energy_uj", targets.max_energy_uj);
  add("max_power_w", targets.max_power_w);
  if (targets.max_power_w) json["power_window_s"] = targets.power_window_s;
  if (targets.energy_left) {
    json["energy_left_j"] = targets.energy_left->joules;
    json["until_s"] = targets.energy_left->until_s;
    json["other_power_w"] = targets.energy_left->other_power_w;
  }
  add("min_accuracy", targets.min_accuracy);
  json["objective"] = targets.objective == Objective::kCheapest ? "cheapest" : "accurate";
  return json;
}

std::vector<ScheduledTargets> read_schedule(const std::filesystem::path& path,
                                            const std::vector<OperatingPoint>& points) {
  constexpr std::uint64_t kMostBytes = std::uint64_t{16} << 20;
  const InputFile file(path);
  if (file.size() > kMostBytes) {
    throw Error(ErrorCode::kCorruptData,
                path.string() + ": is larger than 16 MiB, which no schedule is");
  }
  std::string text(static_cast<std::size_t>(file.size()), '\0');
  file.read(0, {reinterpret_cast<std::uint8_t*>(text.data()), text.size()});
  std::istringstream lines(text);
  std::vector<ScheduledTargets> schedule;
  int number = 0;
  for (std::string line; std::getline(lines, line);) {
    const std::string where = path.string() + ":" + std::to_string(++number);
    if (line.find_first_not_of(" \t\r") == std::string::npos) continue;
    const ConfigValue value = read_json(line, where);
    ScheduledTargets entry;
    try {
      FieldReader reader(value, "");
      reader.field("time_s", entry.time_s, {.help = "from the start", .required = true});
      entry.targets = read_targets(reader);
      reader.finish();
      Controller(points).set_targets(entry.targets, entry.time_s);
    } catch (const Error& error) {
      // A wrong value in a file makes a corrupt file, not a wrong argument.
      const std::string problem = error.what();
      throw Error(ErrorCode::kCorruptData,
                  problem.starts_with(where) ? problem : where + ": " + problem);
    }
    if (!schedule.empty() && entry.time_s < schedule.back().time_s) {
      throw Error(ErrorCode::kCorruptData, where + ": time_s lies before that of the line above");
    }
    schedule.push_back(entry);
  }
  return schedule;
}

}  // namespace bellows::cli
