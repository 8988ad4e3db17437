#include "engine/width_measuring.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <numeric>

#include "engine/model_state.h"
#include "engine/operation_counts.h"

namespace bellows {
namespace {

using internal::ProfilePoint;

std::string watts_text(double watts) {
  const long hundredths = std::lround(100 * watts);
  const std::string digits = std::to_string(hundredths % 100);
  return std::to_string(hundredths / 100) + "." + (digits.size() < 2 ? "0" : "") + digits;
}

// Energy of one image at a width: that of many runs, one after the other, less the idle power over
// the time that they took. A model needs no runs, as the time that they take is known.
double measure_energy_uj(Session& session, EnergyMeter& meter, std::span<const float> images,
                         std::size_t elements, int width, double image_seconds,
                         const WidthMeasuring& options) {
  if (meter.kind() == MeterKind::kModel) {
    const double before = meter.joules();
    meter.image_done(width, image_seconds);
    return 1e6 * (meter.joules() - before);
  }
  const double span = std::max(options.energy_seconds, meter.shortest_span_s());
  const double pause = meter.longest_pause_s() / 2;
  const double before = meter.joules();
  const double begin = steady_seconds();
  double end = begin;
  double read = begin;
  std::int64_t runs = 0;
  for (std::size_t next = 0; end - begin < span; next = (next + elements) % images.size()) {
    session.run(images.subspan(next, elements), width);
    end = steady_seconds();
    ++runs;
    if (end - read > pause) {
      static_cast<void>(meter.joules());
      read = end;
    }
  }
  const double joules = meter.joules() - before - options.idle_power_w * (end - begin);
  if (joules <= 0) {
    throw Error(ErrorCode::kUnsupported,
                "width " + std::to_string(width) + " takes no more than the idle machine, " +
                    watts_text(options.idle_power_w) + " W, by " + meter.source() +
                    "; measure for longer (--seconds), on a quieter machine, or without "
                    "--subtract-idle");
  }
  return 1e6 * joules / static_cast<double>(runs);
}

// A point with all that is counted and nothing that is measured.
ProfilePoint counted_point(const Model& model, const std::vector<StepCounts>& counts, int width,
                           int threads) {
  const Width cost = model.width(width);
  const OperationCounts moved = up_to_width(counts, width);
  const MemoryUse memory = model.memory({.threads = threads});
  ProfilePoint point{.width = width, .threads = threads};
  point.macs = cost.macs;
  point.weight_bytes = cost.weight_bytes;
  point.activation_bytes = moved.read_bytes + moved.written_bytes;
  point.memory_weights = static_cast<std::int64_t>(memory.weights);
  point.memory_activations = static_cast<std::int64_t>(memory.activations);
  point.memory_scratch = static_cast<std::int64_t>(memory.scratch);
  return point;
}

}  // namespace

std::vector<ProfilePoint> measure_widths(const Model& model, std::span<const float> images,
                                         EnergyMeter* meter, const WidthMeasuring& options,
                                         const std::function<void(const std::string&)>& note) {
  const auto tell = [&](const std::string& what) {
    if (note) note(what);
  };
  std::vector<int> widths(static_cast<std::size_t>(model.groups()));
  std::iota(widths.begin(), widths.end(), 1);
  const std::vector<StepCounts> counts = count_operations(internal::state_of(model)->network);
  Session session(model, {.threads = options.threads});
  tell("latencies");
  const auto latencies =
      measure_latency(session, images, model.image_elements(), widths, options.latency);
  std::vector<ProfilePoint> points;
  for (const int width : widths) {
    ProfilePoint point = counted_point(model, counts, width, options.threads);
    point.latency_us = latencies[static_cast<std::size_t>(width - 1)];
    if (meter != nullptr) {
      tell("energy at width " + std::to_string(width));
      point.energy_uj = measure_energy_uj(session, *meter, images, model.image_elements(), width,
                                          1e-6 * point.latency_us.mean, options);
    }
    points.push_back(std::move(point));
  }
  return points;
}

std::vector<ProfilePoint> estimate_widths(const Model& model, const DeviceModel& device) {
  const std::vector<StepCounts> counts = count_operations(internal::state_of(model)->network);
  std::vector<ProfilePoint> points;
  for (int width = 1; width <= model.groups(); ++width) {
    ProfilePoint point = counted_point(model, counts, width, 1);
    const auto seconds = peak_seconds(device, point.macs);
    if (!seconds) {
      throw Error(ErrorCode::kInvalidArgument,
                  "device '" + device.name +
                      "' has no clock, so that its times cannot be estimated; choose another");
    }
    const double us = 1e6 * *seconds;
    point.latency_us = {.p50 = us, .p95 = us, .p99 = us, .mean = us};
    point.energy_uj = modelled_energy(device, counts, width, seconds).total_uj();
    points.push_back(std::move(point));
  }
  return points;
}

}  // namespace bellows
