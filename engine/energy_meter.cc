#include "engine/energy_meter.h"

#include <bellows/error.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <string_view>
#include <system_error>
#include <utility>

namespace bellows {
namespace {

using SysfsPointer = std::shared_ptr<const Sysfs>;

constexpr std::array kKinds = {MeterKind::kRapl, MeterKind::kHwmon, MeterKind::kBattery,
                               MeterKind::kModel};

std::string joined(const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& name : names) text += (text.empty() ? "" : ", ") + name;
  return text;
}

// A reading that no such device can give is damage, and never a figure.
double checked(const Sysfs& sysfs, const std::string& file, double least, double most) {
  const auto value = static_cast<double>(sysfs.number(file));
  if (value < least || value > most) {
    throw Error(ErrorCode::kCorruptData, sysfs.path(file) + ": " +
                                             std::to_string(std::llround(value)) +
                                             " is beyond what such a sensor can tell");
  }
  return value;
}

constexpr double kMostWatts = 1e5;

// ---- counters of energy ----

// One counter of microjoules, followed over its wrap-around.
class Counter {
 public:
  // A `range_uj` of 0: it never wraps around.
  Counter(std::string name, std::string file, double range_uj, bool counted = true)
      : name_(std::move(name)), file_(std::move(file)), range_uj_(range_uj), counted_(counted) {}

  [[nodiscard]] const std::string& name() const { return name_; }
  [[nodiscard]] bool counted() const { return counted_; }
  [[nodiscard]] double range_uj() const { return range_uj_; }

  void begin(const Sysfs& sysfs) { last_uj_ = read(sysfs); }

  double joules(const Sysfs& sysfs) {
    const long long now_uj = read(sysfs);
    auto used_uj = static_cast<double>(now_uj - last_uj_);
    if (used_uj < 0) {
      if (range_uj_ == 0) {
        throw Error(ErrorCode::kCorruptData,
                    sysfs.path(file_) + ": counts backwards and does not tell its range");
      }
      used_uj += range_uj_;
    }
    last_uj_ = now_uj;
    joules_ += used_uj * 1e-6;
    return joules_;
  }

 private:
  [[nodiscard]] long long read(const Sysfs& sysfs) const {
    const long long value = sysfs.number(file_);
    if (value < 0 || (range_uj_ > 0 && static_cast<double>(value) > range_uj_)) {
      throw Error(ErrorCode::kCorruptData, sysfs.path(file_) + ": " + std::to_string(value) +
                                               " is outside of its own range");
    }
    return value;
  }

  std::string name_;
  std::string file_;
  double range_uj_ = 0;
  bool counted_ = true;
  long long last_uj_ = 0;
  double joules_ = 0;
};

// A sum of counters. A reading that fails loses nothing: counters go on counting.
class CounterMeter final : public EnergyMeter {
 public:
  CounterMeter(SysfsPointer sysfs, MeterKind kind, std::string source,
               std::vector<Counter> counters, double shortest_span_s)
      : sysfs_(std::move(sysfs)),
        kind_(kind),
        source_(std::move(source)),
        counters_(std::move(counters)),
        shortest_span_s_(shortest_span_s) {
    for (Counter& counter : counters_) counter.begin(*sysfs_);
  }

  [[nodiscard]] MeterKind kind() const override { return kind_; }
  [[nodiscard]] std::string source() const override { return source_; }
  [[nodiscard]] double joules() override {
    double sum = 0;
    for (Counter& counter : counters_) {
      // Those that are not counted are read too, so that none of them wraps around unseen.
      const double joules = counter.joules(*sysfs_);
      if (counter.counted()) sum += joules;
    }
    return sum;
  }
  [[nodiscard]] std::vector<EnergyPart> parts() override {
    std::vector<EnergyPart> parts;
    for (Counter& counter : counters_) {
      parts.push_back({counter.name(), counter.joules(*sysfs_), counter.counted()});
    }
    return parts;
  }
  [[nodiscard]] double shortest_span_s() const override { return shortest_span_s_; }
  // No part of a machine takes more than a kilowatt.
  [[nodiscard]] double longest_pause_s() const override {
    double pause_s = std::numeric_limits<double>::infinity();
    for (const Counter& counter : counters_) {
      if (counter.range_uj() > 0) pause_s = std::min(pause_s, counter.range_uj() * 1e-6 / 1000);
    }
    return pause_s;
  }

 private:
  SysfsPointer sysfs_;
  MeterKind kind_;
  std::string source_;
  std::vector<Counter> counters_;
  double shortest_span_s_;
};

// ---- sensors of power ----

// Watts, summed over time by trapezoids between the readings.
class PowerMeter final : public EnergyMeter {
 public:
  PowerMeter(MeterKind kind, std::string source, std::function<double()> watts, EnergyClock clock,
             double shortest_span_s, double longest_pause_s)
      : kind_(kind),
        source_(std::move(source)),
        watts_(std::move(watts)),
        clock_(std::move(clock)),
        shortest_span_s_(shortest_span_s),
        longest_pause_s_(longest_pause_s),
        last_watts_(watts_()),
        last_time_(clock_()) {}

  [[nodiscard]] MeterKind kind() const override { return kind_; }
  [[nodiscard]] std::string source() const override { return source_; }
  [[nodiscard]] double joules() override {
    if (lost_) throw Error(lost_->code(), lost_->what());
    try {
      const double watts = watts_();
      const double time = clock_();
      joules_ += (watts + last_watts_) / 2 * (time - last_time_);
      last_watts_ = watts;
      last_time_ = time;
    } catch (const Error& error) {
      // What was used from here on stays unknown, even if the sensor comes back.
      lost_ = error;
      throw;
    }
    return joules_;
  }
  [[nodiscard]] double shortest_span_s() const override { return shortest_span_s_; }
  [[nodiscard]] double longest_pause_s() const override { return longest_pause_s_; }

 private:
  MeterKind kind_;
  std::string source_;
  std::function<double()> watts_;
  EnergyClock clock_;
  double shortest_span_s_;
  double longest_pause_s_;
  double last_watts_ = 0;
  double last_time_ = 0;
  double joules_ = 0;
  std::optional<Error> lost_;
};

// ---- RAPL ----

bool all_digits(std::string_view text) {
  return !text.empty() && std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; });
}

// "intel-rapl:0" is a zone, "intel-rapl:0:1" a zone within it. The same counters once more, as
// "intel-rapl-mmio:0", are left alone.
struct ZoneName {
  std::string top;
  bool within = false;
};

std::optional<ZoneName> zone_name(const std::string& entry) {
  constexpr std::string_view kPrefix = "intel-rapl:";
  if (!entry.starts_with(kPrefix)) return std::nullopt;
  std::string_view numbers = entry;
  numbers.remove_prefix(kPrefix.size());
  const std::size_t colon = numbers.find(':');
  if (!all_digits(numbers.substr(0, colon))) return std::nullopt;
  if (colon == std::string_view::npos) return ZoneName{std::string(numbers)};
  if (!all_digits(numbers.substr(colon + 1))) return std::nullopt;
  return ZoneName{std::string(numbers.substr(0, colon)), true};
}

std::unique_ptr<EnergyMeter> make_rapl(const SysfsPointer& sysfs) {
  const std::string folder = "class/powercap/";
  std::vector<Counter> counters;
  std::vector<std::string> names;
  for (const std::string& entry : sysfs->list(folder)) {
    const auto zone = zone_name(entry);
    if (!zone) continue;
    std::string name = sysfs->text(folder + entry + "/name").value_or("");
    // psys is the whole platform, packages included; of what is within a package, memory alone is
    // not part of it.
    if (!zone->within && !name.starts_with("package")) continue;
    const bool counted = !zone->within || name == "dram";
    // Each package has cores and memory of its own.
    if (zone->within) name += "-" + zone->top;
    if (counted) names.push_back(name);
    const double range_uj = checked(*sysfs, folder + entry + "/max_energy_range_uj", 1, 1e18);
    counters.emplace_back(name, folder + entry + "/energy_uj", range_uj, counted);
  }
  if (counters.empty()) {
    throw Error(ErrorCode::kNotFound,
                sysfs->path(folder) +
                    ": has no RAPL package (a virtual machine, another processor, or the kernel "
                    "module intel_rapl_msr is not loaded)");
  }
  // Counters move about a thousand times a second.
  return std::make_unique<CounterMeter>(
      sysfs, MeterKind::kRapl, "measured: rapl (" + joined(names) + ")", std::move(counters), 0.1);
}

// ---- sensors of hwmon ----

// A sensor of energy, of power, or of voltage and current.
struct Rail {
  std::string label;  // as the board names it; else the file
  std::string file;   // within class/hwmon/
  std::string current_file = {};
  enum class What { kEnergy, kPower, kVoltageAndCurrent } what = What::kPower;
  bool machine = false;  // ACPI's meter of the whole machine
};

std::vector<Rail> rails_of(const Sysfs& sysfs, const std::string& chip) {
  const std::string folder = "class/hwmon/" + chip + "/";
  const std::string chip_name = sysfs.text(folder + "name").value_or("");
  const std::vector<std::string> files = sysfs.list(folder);
  std::vector<Rail> rails;
  const auto label_of = [&](const std::string& stem) {
    const std::string label = sysfs.text(folder + stem + "_label").value_or("");
    return label.empty() ? chip + "/" + stem : label;
  };
  const auto there = [&](const std::string& file) {
    return std::ranges::find(files, file) != files.end();
  };
  const auto add_all = [&](std::string_view prefix, std::string_view suffix, Rail::What what) {
    for (const std::string& file : files) {
      if (!file.starts_with(prefix) || !file.ends_with(suffix)) continue;
      const std::string stem = file.substr(0, file.size() - suffix.size());
      if (!all_digits(stem.substr(prefix.size()))) continue;
      if (suffix == "_average" && there(stem + "_input")) continue;
      rails.push_back({label_of(stem), chip + "/" + file, "", what});
    }
  };
  if (chip_name != "ina3221") {
    add_all("energy", "_input", Rail::What::kEnergy);
    add_all("power", "_input", Rail::What::kPower);
    add_all("power", "_average", Rail::What::kPower);
    return rails;
  }
  // Voltage and current of three channels; what stands behind those are sums.
  for (const char* channel : {"1", "2", "3"}) {
    const std::string voltage = std::string("in") + channel;
    const std::string current = std::string("curr") + channel + "_input";
    if (sysfs.text(folder + voltage + "_enable").value_or("1") == "0") continue;
    if (!there(voltage + "_input") || !there(current)) continue;
    rails.push_back({label_of(voltage), chip + "/" + voltage + "_input", chip + "/" + current,
                     Rail::What::kVoltageAndCurrent});
  }
  return rails;
}

// Chips whose sensors tell what a board or a processor takes. Others (a graphics card, a battery, a
// disk) are read only if the caller names them.
bool is_board_sensor(const std::string& chip_name) {
  return chip_name.starts_with("ina2") || chip_name.starts_with("ina3") ||
         chip_name == "power_meter" || chip_name == "amd_energy" || chip_name == "zenpower";
}

// What a board names the rail that all others hang on.
bool is_whole_input(const std::string& label) { return label == "VDD_IN" || label == "POM_5V_IN"; }

bool is_unused(const std::string& label) { return label == "NC" || label.starts_with("sum of"); }

// Of energy counters, those of a socket hold those of its cores.
bool is_part_of_another(const std::string& label) { return label.starts_with("Ecore"); }

std::vector<Rail> chosen_rails(const Sysfs& sysfs, const std::vector<std::string>& wanted) {
  std::vector<Rail> board;
  std::vector<Rail> all;
  for (const std::string& chip : sysfs.list("class/hwmon")) {
    const std::string chip_name = sysfs.text("class/hwmon/" + chip + "/name").value_or("");
    const bool ours = is_board_sensor(chip_name);
    for (Rail& rail : rails_of(sysfs, chip)) {
      rail.machine = chip_name == "power_meter";
      if (ours && !is_unused(rail.label) && !is_part_of_another(rail.label)) board.push_back(rail);
      all.push_back(std::move(rail));
    }
  }
  if (!wanted.empty()) {
    std::vector<Rail> chosen;
    for (const std::string& name : wanted) {
      const auto named = [&](const Rail& rail) { return rail.label == name || rail.file == name; };
      const auto rail = std::ranges::find_if(all, named);
      if (rail == all.end()) {
        std::vector<std::string> known;
        known.reserve(all.size());
        for (const Rail& each : all) known.push_back(each.label);
        throw Error(ErrorCode::kNotFound,
                    "there is no sensor '" + name + "' of power or energy below " +
                        sysfs.path("class/hwmon") +
                        "; known are: " + (known.empty() ? "none" : joined(known)));
      }
      if (std::ranges::count_if(all, named) > 1) {
        throw Error(ErrorCode::kInvalidArgument,
                    "there are several sensors '" + name + "' below " + sysfs.path("class/hwmon") +
                        "; name one by its file, such as " + rail->file);
      }
      chosen.push_back(*rail);
    }
    return chosen;
  }
  const auto whole = [](const Rail& rail) { return is_whole_input(rail.label); };
  const auto input = std::ranges::find_if(board, whole);
  if (input != board.end()) return {*input};
  // Of one chip its counters say more than its sensors of power, which say the same.
  const bool counts =
      std::ranges::any_of(board, [](const Rail& r) { return r.what == Rail::What::kEnergy; });
  if (counts) std::erase_if(board, [](const Rail& r) { return r.what != Rail::What::kEnergy; });
  const auto machine = std::ranges::find_if(board, &Rail::machine);
  if (machine != board.end()) return {*machine};
  return board;
}

double watts_of(const Sysfs& sysfs, const Rail& rail) {
  const std::string folder = "class/hwmon/";
  if (rail.what == Rail::What::kPower) {
    return checked(sysfs, folder + rail.file, 0, kMostWatts * 1e6) * 1e-6;
  }
  const double millivolts = checked(sysfs, folder + rail.file, 0, 1e6);
  // Through a rail that feeds a battery it may flow the other way, which is no consumption.
  const double milliamperes = checked(sysfs, folder + rail.current_file, -1e6, 1e6);
  return std::max(0.0, millivolts * milliamperes * 1e-6);
}

std::unique_ptr<EnergyMeter> make_hwmon(const SysfsPointer& sysfs, const MeterOptions& options) {
  const std::vector<Rail> rails = chosen_rails(*sysfs, options.rails);
  if (rails.empty()) {
    throw Error(ErrorCode::kNotFound,
                sysfs->path("class/hwmon") +
                    ": has no sensor known to tell what the board takes; name others if there are");
  }
  std::vector<std::string> names;
  std::vector<Counter> counters;
  for (const Rail& rail : rails) {
    names.push_back(rail.label);
    if (rail.what == Rail::What::kEnergy) {
      counters.emplace_back(rail.label, "class/hwmon/" + rail.file, 0);
    }
  }
  const std::string source = "measured: hwmon (" + joined(names) + ")";
  if (counters.size() == rails.size()) {
    return std::make_unique<CounterMeter>(sysfs, MeterKind::kHwmon, source, std::move(counters),
                                          1.0);
  }
  if (!counters.empty()) {
    throw Error(ErrorCode::kUnsupported,
                "sensors of energy and of power cannot be summed: " + joined(names));
  }
  const auto watts = [sysfs, rails] {
    double sum = 0;
    for (const Rail& rail : rails) sum += watts_of(*sysfs, rail);
    return sum;
  };
  return std::make_unique<PowerMeter>(MeterKind::kHwmon, source, watts, options.clock, 1.0, 0.1);
}

// ---- batteries ----

bool is_discharging(const Sysfs& sysfs, const std::string& folder) {
  return sysfs.text(folder + "status").value_or("") == "Discharging";
}

// Power rather than the energy left: that moves in steps of some dozen joules, while the power is
// renewed every few seconds at worst.
double battery_watts(const Sysfs& sysfs, const std::string& folder) {
  if (!is_discharging(sysfs, folder)) {
    throw Error(ErrorCode::kUnsupported,
                sysfs.path(folder + "status") +
                    ": the battery is not discharging, so it tells nothing; unplug the charger");
  }
  // Some drivers count what flows out of a battery as negative.
  if (sysfs.text(folder + "power_now")) {
    return std::abs(checked(sysfs, folder + "power_now", -kMostWatts * 1e6, kMostWatts * 1e6)) *
           1e-6;
  }
  const double microamperes = checked(sysfs, folder + "current_now", -1e9, 1e9);
  const double microvolts = checked(sysfs, folder + "voltage_now", 0, 1e9);
  return std::abs(microamperes) * microvolts * 1e-12;
}

std::unique_ptr<EnergyMeter> make_battery(const SysfsPointer& sysfs, const MeterOptions& options) {
  const std::string parent = "class/power_supply/";
  std::vector<std::string> names;
  std::vector<std::string> folders;
  for (const std::string& entry : sysfs->list(parent)) {
    const std::string folder = parent + entry + "/";
    if (sysfs->text(folder + "type").value_or("") != "Battery") continue;
    // That of a mouse or a keyboard.
    if (sysfs->text(folder + "scope").value_or("") == "Device") continue;
    names.push_back(entry);
    folders.push_back(folder);
  }
  if (folders.empty()) {
    throw Error(ErrorCode::kNotFound, sysfs->path(parent) + ": has no battery");
  }
  // Of two batteries one rests while the other gives, until that is empty.
  const auto watts = [sysfs, folders] {
    double sum = 0;
    bool any = false;
    for (const std::string& folder : folders) {
      if (!is_discharging(*sysfs, folder)) continue;
      any = true;
      sum += battery_watts(*sysfs, folder);
    }
    return any ? sum : battery_watts(*sysfs, folders.front());  // which says why there is nothing
  };
  return std::make_unique<PowerMeter>(MeterKind::kBattery,
                                      "measured: battery (" + joined(names) + ")", watts,
                                      options.clock, 60.0, 1.0);
}

// ---- choosing ----

FoundMeter found(MeterKind kind, const SysfsPointer& sysfs, const MeterOptions& options) {
  FoundMeter result{.kind = kind};
  try {
    switch (kind) {
      case MeterKind::kRapl:
        result.meter = make_rapl(sysfs);
        break;
      case MeterKind::kHwmon:
        result.meter = make_hwmon(sysfs, options);
        break;
      case MeterKind::kBattery:
        result.meter = make_battery(sysfs, options);
        break;
      case MeterKind::kModel:
        break;
    }
  } catch (const Error& error) {
    result.problem = error.what();
    const std::string denied = std::generic_category().message(EACCES);
    if (kind == MeterKind::kRapl && result.problem.find(denied) != std::string::npos) {
      result.problem +=
          "; only root may read it since CVE-2020-8694: run as root, or allow it with 'sudo chmod "
          "a+r " +
          sysfs->path("class/powercap/intel-rapl:*/energy_uj") + "' (docs/energy.md)";
    }
  }
  return result;
}

}  // namespace

const char* meter_kind_name(MeterKind kind) {
  static constexpr std::array kNames = {"rapl", "hwmon", "battery", "model"};
  return kNames[static_cast<std::size_t>(kind)];
}

double steady_seconds() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

std::vector<FoundMeter> find_energy_meters(const SysfsPointer& sysfs, const MeterOptions& options) {
  std::vector<FoundMeter> meters;
  for (const MeterKind kind : kKinds) {
    if (kind != MeterKind::kModel) meters.push_back(found(kind, sysfs, options));
  }
  return meters;
}

std::unique_ptr<EnergyMeter> choose_energy_meter(const std::string& name, const SysfsPointer& sysfs,
                                                 const MeterOptions& options,
                                                 std::unique_ptr<EnergyMeter> model) {
  std::string problems;
  bool known = name == "auto";
  for (const MeterKind kind : kKinds) {
    if (name != "auto" && name != meter_kind_name(kind)) continue;
    known = true;
    FoundMeter candidate = kind == MeterKind::kModel
                               ? FoundMeter{kind, std::move(model), "no device model was given"}
                               : found(kind, sysfs, options);
    if (candidate.meter) return std::move(candidate.meter);
    if (!problems.empty()) problems += "; ";
    problems += std::string(meter_kind_name(kind)) + ": " + candidate.problem;
  }
  if (!known) {
    throw Error(ErrorCode::kInvalidArgument,
                "'" + name + "' is no energy meter; take auto, rapl, hwmon, battery or model");
  }
  throw Error(ErrorCode::kUnsupported, "no energy can be told here: " + problems);
}

double idle_power_w(EnergyMeter& meter, double seconds, const EnergyClock& clock,
                    const std::function<void(double)>& sleep) {
  if (const auto declared = meter.declared_idle_power_w()) return *declared;
  const double begin_j = meter.joules();
  const double begin = clock();
  double used_j = 0;
  for (double now = begin; now < begin + seconds; now = clock()) {
    sleep(std::min(meter.longest_pause_s(), begin + seconds - now));
    used_j = meter.joules() - begin_j;
  }
  return used_j / (clock() - begin);
}

}  // namespace bellows
