// What tells how much energy was used: counters and sensors of the machine, or, where there are
// none, a device model (device_model.h). docs/energy.md is the user's side of it.
#pragma once

#include <functional>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "engine/sysfs.h"

namespace bellows {

/// Kinds of meters, the most trusted first.
enum class MeterKind {
  kRapl,     ///< the processor's own energy counters, through powercap
  kHwmon,    ///< power and energy sensors of board and processor
  kBattery,  ///< what a battery gives away
  kModel,    ///< counted operations times published energies
};

/// "rapl", "hwmon", "battery" or "model": how a user names it.
[[nodiscard]] const char* meter_kind_name(MeterKind kind);

/// What one counter of a meter saw.
struct EnergyPart {
  std::string name;      ///< "package-0", "core-0", "VDD_IN"
  double joules = 0;     ///< since the meter was made
  bool counted = false;  ///< else it lies within one that is
};

/// Measures energy from the moment it is made. Not thread safe.
class EnergyMeter {
 public:
  EnergyMeter() = default;
  EnergyMeter(const EnergyMeter&) = delete;
  EnergyMeter& operator=(const EnergyMeter&) = delete;
  virtual ~EnergyMeter() = default;

  [[nodiscard]] virtual MeterKind kind() const = 0;

  /// What the figures rest on, to be told with each of them: "measured: rapl (package-0, dram)",
  /// "modelled: operations (embedded-cpu)".
  [[nodiscard]] virtual std::string source() const = 0;

  /// Joules used since it was made; reads the device. Throws Error naming the file (kNotFound,
  /// kIoError, kCorruptData) when a sensor has vanished or talks nonsense. Where that leaves a gap
  /// in what was measured, all later calls throw too.
  [[nodiscard]] virtual double joules() = 0;

  /// The parts that can be told apart, those among them that `joules` leaves out because they are
  /// within others. Empty where there is one figure only. Throws as `joules`.
  [[nodiscard]] virtual std::vector<EnergyPart> parts() { return {}; }

  /// Seconds that a measurement should last at least, since the device tells news only so often.
  [[nodiscard]] virtual double shortest_span_s() const { return 0; }

  /// `joules` must be called at least this often, in seconds: a counter wraps around, the power
  /// between two readings of a sensor is a guess.
  [[nodiscard]] virtual double longest_pause_s() const {
    return std::numeric_limits<double>::infinity();
  }

  /// Tells that an image was run at `width` and took so long. A device model lives on it; what
  /// measures takes no notice.
  virtual void image_done(int /*width*/, double /*seconds*/) {}

  /// The power it takes to do nothing, where it is declared and not measured.
  [[nodiscard]] virtual std::optional<double> declared_idle_power_w() const { return {}; }
};

/// Seconds since any fixed moment.
using EnergyClock = std::function<double()>;

/// That of the machine, which nobody sets.
[[nodiscard]] double steady_seconds();

struct MeterOptions {
  /// Of the kind hwmon: the sensors to sum, each by its label ("VDD_IN") or its file
  /// ("hwmon2/power1_input"). Empty: chosen by the rule in docs/energy.md.
  std::vector<std::string> rails = {};
  EnergyClock clock = steady_seconds;
};

/// A kind of meter: one that works here, or why there is none.
struct FoundMeter {
  MeterKind kind = MeterKind::kRapl;
  std::unique_ptr<EnergyMeter> meter = {};  ///< null: there is none
  std::string problem = {};                 ///< one line with the remedy, where there is one
};

/// Looks for every kind but the model; the most trusted first, one entry a kind. Each meter has
/// begun to measure.
[[nodiscard]] std::vector<FoundMeter> find_energy_meters(const std::shared_ptr<const Sysfs>& sysfs,
                                                         const MeterOptions& options = {});

/// The meter that `name` asks for: that of a kind, or with "auto" the most trusted one that works;
/// `model` (may be null) stands for the kind model. Throws Error: kInvalidArgument (no such name),
/// kUnsupported (there is no such meter, and why).
[[nodiscard]] std::unique_ptr<EnergyMeter> choose_energy_meter(
    const std::string& name, const std::shared_ptr<const Sysfs>& sysfs,
    const MeterOptions& options = {}, std::unique_ptr<EnergyMeter> model = nullptr);

/// Watts over `seconds` in which the caller does nothing: what `declared_idle_power_w` says, else
/// measured, with a reading as often as the meter needs. `sleep` waits for so many seconds.
/// Throws Error as `joules`. REQUIRES: seconds > 0.
[[nodiscard]] double idle_power_w(EnergyMeter& meter, double seconds, const EnergyClock& clock,
                                  const std::function<void(double)>& sleep);

}  // namespace bellows
