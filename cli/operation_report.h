// What a network computes, moves and, on a device model, takes in energy: tables and JSON.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "cli/console.h"
#include "engine/device_model.h"
#include "engine/machine_caches.h"
#include "engine/operation_counts.h"

namespace bellows::cli {

/// By width, for one image: multiply-accumulates, bytes moved, and the smallest of `caches` with
/// room for all weights and for the activations of the largest step.
std::string operation_table(const std::vector<StepCounts>& steps, const std::vector<Cache>& caches,
                            const Console& console);

/// By step and width: bytes of activations read and written.
std::string step_table(const std::vector<StepCounts>& steps, const Console& console);

/// By width: microjoules of one image on `device`, and what they are made of. Throws Error as
/// `modelled_energy`.
std::string energy_table(const DeviceModel& device, const std::vector<StepCounts>& steps,
                         const Console& console);

/// One width, for its object in the list `widths`.
nlohmann::ordered_json operation_json(const std::vector<StepCounts>& steps, int width,
                                      const std::vector<Cache>& caches);

/// Every step, group by group.
nlohmann::ordered_json steps_json(const std::vector<StepCounts>& steps);

/// The device and its energy by width. Throws Error as `modelled_energy`.
nlohmann::ordered_json energy_json(const DeviceModel& device, const std::vector<StepCounts>& steps);

}  // namespace bellows::cli
