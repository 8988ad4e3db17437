// A device as published numbers: the energy of a multiply-accumulate, of a byte from each of its
// memories, of time. With the counts of operation_counts.h they give the energy of an image where
// nothing measures it. docs/energy.md explains the rules and has all numbers.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "engine/energy_meter.h"
#include "engine/machine_caches.h"
#include "engine/operation_counts.h"

namespace bellows {

/// A number with where it comes from.
struct PublishedNumber {
  double value = 0;
  std::string source = {};  ///< where it is published, and how it follows from that
  bool checked = false;     ///< the source itself, or a text that quotes it, was read for this
};

/// A memory of a device, from which a byte takes so much energy to reach the arithmetic.
struct DeviceMemory {
  std::string name;
  std::int64_t capacity_bytes = 0;  ///< 0: as large as needed, the last one
  PublishedNumber pj_per_byte;
};

/// What the values of a network are.
enum class ValueType {
  kF32,   ///< four bytes: what the engine computes with
  kInt8,  ///< one byte: what a device that computes so would take, for comparison
};

struct DeviceModel {
  std::string name;
  std::string description = {};  ///< one line
  PublishedNumber f32_mac_pj;
  std::optional<PublishedNumber> int8_mac_pj = {};
  std::vector<DeviceMemory> memories;  ///< smallest first; at least one, the last of any capacity
  PublishedNumber static_power_w;      ///< for as long as an image takes
  /// Multiply-accumulates in a cycle and cycles in a second, at their peak; both or neither.
  std::optional<PublishedNumber> macs_per_cycle = {};
  std::optional<PublishedNumber> clock_hz = {};
  /// The engine does not run on such a device, so a time measured by it means nothing.
  bool modelled_time = false;
};

/// Of one image, in microjoules.
struct ModelledEnergy {
  double mac_uj = 0;
  double weight_uj = 0;      ///< bytes of weights
  double activation_uj = 0;  ///< bytes of activations read and written
  double static_uj = 0;      ///< static power times time
  double time_us = 0;        ///< that `static_uj` rests on; 0: not known
  [[nodiscard]] double total_uj() const { return mac_uj + weight_uj + activation_uj + static_uj; }
};

/// Seconds that `macs` take at the device's peak; nothing where it has no clock.
[[nodiscard]] std::optional<double> peak_seconds(const DeviceModel& device, std::int64_t macs);

/// The memory that holds `bytes`: the first with room.
[[nodiscard]] const DeviceMemory& memory_for(const DeviceModel& device, std::int64_t bytes);

/// Energy of one image at `width`. Weights come from the first memory with room for those of the
/// whole width, as they have to last from image to image; the activations of a step from the first
/// with room for all that the step reads and writes. Every byte counted costs that memory's energy
/// once. `seconds` is what the image took, if known, and is used unless the device's time is
/// modelled. Throws Error: kInvalidArgument when the device has static power and its time is
/// neither given nor to be had from a clock, or has no energy for that type.
[[nodiscard]] ModelledEnergy modelled_energy(const DeviceModel& device,
                                             const std::vector<StepCounts>& steps, int width,
                                             std::optional<double> seconds = {},
                                             ValueType type = ValueType::kF32);

/// A meter of the kind model: counts the images it is told of. Throws as `modelled_energy`, for a
/// network's every width.
[[nodiscard]] std::unique_ptr<EnergyMeter> make_modelled_meter(DeviceModel device,
                                                               const Network& network);

}  // namespace bellows
