#include "cli/energy_options.h"

#include <bellows/error.h>

#include <algorithm>
#include <array>
#include <sstream>
#include <utility>

#include "training/device_config.h"

namespace bellows::cli {
namespace {

constexpr std::array kMeters = {"auto", "rapl", "hwmon", "battery", "model", "none"};

std::vector<std::string> names_in(const std::string& list) {
  std::istringstream in(list);
  std::vector<std::string> names;
  for (std::string name; std::getline(in, name, ',');) names.push_back(name);
  return names;
}

}  // namespace

void add_energy_options(Usage& usage) {
  usage.options.push_back(
      {"energy", "METER", "auto (default), rapl, hwmon, battery, model or none"});
  usage.options.push_back(
      {"device", "D", "Device model for where no meter works: a name or FILE.toml"});
  usage.options.push_back(
      {"rails", "R,..", "Sensors to sum, by label or file, for --energy hwmon"});
  usage.options.push_back({"sysfs", "DIR", "Where the meters are (default /sys)"});
}

EnergyChoice energy_choice(const Arguments& arguments) {
  EnergyChoice choice;
  choice.meter = arguments.text("energy").value_or(choice.meter);
  if (std::ranges::find(kMeters, choice.meter) == kMeters.end()) {
    throw UsageError("--energy: '" + choice.meter +
                     "' is none of auto, rapl, hwmon, battery, model, none");
  }
  if (const auto device = arguments.text("device")) choice.device = find_device_model(*device);
  if (choice.meter == "model" && !choice.device) {
    throw UsageError("--energy: 'model' needs a device model: --device NAME|FILE.toml");
  }
  if (arguments.has("device") && choice.meter != "auto" && choice.meter != "model") {
    throw UsageError("--device: with --energy " + choice.meter +
                     " no device model is used; leave one of them out");
  }
  if (const auto rails = arguments.text("rails")) {
    if (choice.meter == "auto") choice.meter = "hwmon";
    if (choice.meter != "hwmon") {
      throw UsageError("--rails: --energy " + choice.meter +
                       " has none; they belong to --energy hwmon");
    }
    choice.rails = names_in(*rails);
  }
  choice.sysfs = arguments.text("sysfs").value_or(choice.sysfs);
  return choice;
}

ChosenMeter make_meter(const EnergyChoice& choice, const Network& network) {
  if (choice.meter == "none") return {nullptr, "not wanted"};
  std::unique_ptr<EnergyMeter> model;
  if (choice.device) model = make_modelled_meter(*choice.device, network);
  const auto sysfs = std::make_shared<const Sysfs>(choice.sysfs);
  const bool nothing_asked =
      choice.meter == "auto" && model == nullptr && choice.sysfs == EnergyChoice().sysfs;
  try {
    return {choose_energy_meter(choice.meter, sysfs, {.rails = choice.rails}, std::move(model))};
  } catch (const Error& error) {
    if (nothing_asked && error.code() == ErrorCode::kUnsupported) return {nullptr, error.what()};
    throw;
  }
}

}  // namespace bellows::cli
