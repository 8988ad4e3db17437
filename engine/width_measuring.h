// What every width of a model takes on this machine: the measuring behind profiles and searches.
#pragma once

#include <bellows/bellows.h>

#include <functional>
#include <span>
#include <string>
#include <vector>

#include "engine/device_model.h"
#include "engine/energy_meter.h"
#include "engine/latency.h"
#include "engine/profile_data.h"

namespace bellows {

struct WidthMeasuring {
  LatencyOptions latency = {};
  double energy_seconds =
      0.2;                  ///< that a width runs for its energy, at least; meters may need more
  double idle_power_w = 0;  ///< taken off over the time that the runs take
  int threads = 1;
};

/// One point for each width, the narrowest first: all that is counted, the latency and, with a
/// `meter`, the energy of one image. `images`: whole images, at least one, values 0..1, taken in
/// turn. `note` is told what is measured next. Throws Error as Session::run and EnergyMeter::joules
/// do, and kUnsupported where no energy is left beside that of the idle machine.
[[nodiscard]] std::vector<internal::ProfilePoint> measure_widths(
    const Model& model, std::span<const float> images, EnergyMeter* meter,
    const WidthMeasuring& options = {}, const std::function<void(const std::string&)>& note = {});

/// The same points by a device's own figures, for one that is not at hand: nothing is run, times
/// are those of its peak. Throws Error(kInvalidArgument) for a device without a clock.
[[nodiscard]] std::vector<internal::ProfilePoint> estimate_widths(const Model& model,
                                                                  const DeviceModel& device);

}  // namespace bellows
