// Which meter tells the energy: the options that several verbs have.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "cli/arguments.h"
#include "engine/device_model.h"
#include "engine/energy_meter.h"
#include "engine/network.h"

namespace bellows::cli {

/// What was asked for on the command line.
struct EnergyChoice {
  std::string meter = "auto";         ///< --energy
  std::optional<DeviceModel> device;  ///< --device
  std::vector<std::string> rails;     ///< --rails
  std::string sysfs = "/sys";         ///< --sysfs
};

void add_energy_options(Usage& usage);

/// Throws UsageError for an unknown meter and for options that contradict each other, Error as
/// find_device_model does.
[[nodiscard]] EnergyChoice energy_choice(const Arguments& arguments);

struct ChosenMeter {
  std::unique_ptr<EnergyMeter> meter;  ///< null: nothing was asked for and nothing measures here,
  std::string problem = {};            ///< for these reasons; or energy is not wanted
};

/// Throws Error when what was asked for is not there.
[[nodiscard]] ChosenMeter make_meter(const EnergyChoice& choice, const Network& network);

}  // namespace bellows::cli
