#include "engine/device_model.h"

#include <bellows/error.h>

#include <utility>

namespace bellows {
namespace {

constexpr double kMicrojoulesPerPicojoule = 1e-6;

// Values are counted as f32.
std::int64_t bytes_as(ValueType type, std::int64_t f32_bytes) {
  return type == ValueType::kF32 ? f32_bytes : f32_bytes / 4;
}

double mac_pj(const DeviceModel& device, ValueType type) {
  if (type == ValueType::kF32) return device.f32_mac_pj.value;
  if (device.int8_mac_pj) return device.int8_mac_pj->value;
  throw Error(ErrorCode::kInvalidArgument,
              "device model '" + device.name +
                  "' has no energy of an int8 multiply-accumulate (int8_mac_pj)");
}

// What does not depend on time.
ModelledEnergy of_operations(const DeviceModel& device, const std::vector<StepCounts>& steps,
                             int width, ValueType type) {
  const OperationCounts all = up_to_width(steps, width);
  ModelledEnergy energy;
  energy.mac_uj = static_cast<double>(all.macs) * mac_pj(device, type) * kMicrojoulesPerPicojoule;
  const std::int64_t weight_bytes = bytes_as(type, all.weight_bytes);
  energy.weight_uj = static_cast<double>(weight_bytes) *
                     memory_for(device, weight_bytes).pj_per_byte.value * kMicrojoulesPerPicojoule;
  for (const StepCounts& step : steps) {
    const OperationCounts counts = up_to_width(step, width);
    const std::int64_t held = bytes_as(type, step.held_bytes[static_cast<std::size_t>(width - 1)]);
    const std::int64_t moved = bytes_as(type, counts.read_bytes + counts.written_bytes);
    energy.activation_uj += static_cast<double>(moved) *
                            memory_for(device, held).pj_per_byte.value * kMicrojoulesPerPicojoule;
  }
  return energy;
}

class ModelledMeter final : public EnergyMeter {
 public:
  ModelledMeter(DeviceModel device, const Network& network)
      : device_(std::move(device)), steps_(count_operations(network)) {
    // A device that cannot be evaluated is refused here, not in the middle of a run.
    for (int width = 1; width <= network.groups(); ++width) {
      widths_.push_back(modelled_energy(device_, steps_, width, 0.0));
    }
  }

  [[nodiscard]] MeterKind kind() const override { return MeterKind::kModel; }
  [[nodiscard]] std::string source() const override {
    return "modelled: operations (" + device_.name + ")";
  }
  [[nodiscard]] double joules() override { return joules_; }
  [[nodiscard]] std::optional<double> declared_idle_power_w() const override {
    return device_.static_power_w.value;
  }
  // Called between images: nothing is computed that could have been before.
  void image_done(int width, double seconds) override {
    const ModelledEnergy& energy = widths_[static_cast<std::size_t>(width - 1)];
    joules_ += energy.total_uj() * 1e-6;
    if (!device_.modelled_time) joules_ += device_.static_power_w.value * seconds;
  }

 private:
  DeviceModel device_;
  std::vector<StepCounts> steps_;
  std::vector<ModelledEnergy> widths_;  // of no time, unless that is modelled
  double joules_ = 0;
};

}  // namespace

std::optional<double> peak_seconds(const DeviceModel& device, std::int64_t macs) {
  if (!device.macs_per_cycle || !device.clock_hz) return std::nullopt;
  return static_cast<double>(macs) / (device.macs_per_cycle->value * device.clock_hz->value);
}

const DeviceMemory& memory_for(const DeviceModel& device, std::int64_t bytes) {
  for (const DeviceMemory& memory : device.memories) {
    if (memory.capacity_bytes == 0 || bytes <= memory.capacity_bytes) return memory;
  }
  return device.memories.back();
}

ModelledEnergy modelled_energy(const DeviceModel& device, const std::vector<StepCounts>& steps,
                               int width, std::optional<double> seconds, ValueType type) {
  ModelledEnergy energy = of_operations(device, steps, width, type);
  if (device.modelled_time || !seconds) {
    seconds = peak_seconds(device, up_to_width(steps, width).macs);
  }
  if (!seconds && device.static_power_w.value > 0) {
    throw Error(ErrorCode::kInvalidArgument,
                "device model '" + device.name +
                    "' takes power for as long as an image takes, and that is not known: give a "
                    "measured time, or the model a clock (macs_per_cycle and clock_hz)");
  }
  energy.time_us = seconds.value_or(0) * 1e6;
  energy.static_uj = device.static_power_w.value * energy.time_us;
  return energy;
}

std::unique_ptr<EnergyMeter> make_modelled_meter(DeviceModel device, const Network& network) {
  return std::make_unique<ModelledMeter>(std::move(device), network);
}

}  // namespace bellows
