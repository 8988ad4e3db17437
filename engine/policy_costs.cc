#include "engine/policy_costs.h"

#include <bellows/error.h>

#include <algorithm>
#include <array>
#include <string>
#include <utility>

namespace bellows::internal {
namespace {

constexpr double kQuickest = 0.9;  // by the median

// The share of a stop's runs that take no longer.
double share_within(const Stop& stop, double us) {
  const std::array<std::pair<double, double>, 5> corners = {
      {{kQuickest * stop.latency_p50_us, 0.0},
       {stop.latency_p50_us, 0.5},
       {stop.latency_p95_us, 0.95},
       {stop.latency_p99_us, 0.99},
       {stop.latency_p99_us * stop.latency_p99_us / stop.latency_p50_us, 1.0}}};
  if (us <= corners.front().first) return 0;
  for (std::size_t i = 1; i < corners.size(); ++i) {
    const auto [low_us, low] = corners[i - 1];
    const auto [high_us, high] = corners[i];
    if (us < high_us) return low + (high - low) * (us - low_us) / (high_us - low_us);
  }
  return 1;
}

}  // namespace

double mixed_latency_us(const std::vector<Stop>& stops, double quantile) {
  double low = 0;
  double high = 0;
  for (const Stop& stop : stops) {
    if (stop.share <= 0) continue;
    high = std::max(high, stop.latency_p99_us * stop.latency_p99_us / stop.latency_p50_us);
  }
  constexpr int kHalvings = 60;  // as far as a double can tell
  for (int i = 0; i < kHalvings; ++i) {
    const double middle = (low + high) / 2;
    double within = 0;
    for (const Stop& stop : stops) within += stop.share * share_within(stop, middle);
    (within < quantile ? low : high) = middle;
  }
  return high;
}

OperatingPoint policy_point(const TunedPolicy& tuned, const std::vector<OperatingPoint>& widths) {
  OperatingPoint point{.width = tuned.policy.widest(),
                       .threads = widths.empty() ? 1 : widths.front().threads,
                       .accuracy = tuned.accuracy,
                       .policy = tuned.policy};
  bool energy_known = true;
  for (int width = 1; width <= point.width; ++width) {
    const auto plain = std::ranges::find(widths, width, &OperatingPoint::width);
    if (plain == widths.end()) {
      throw Error(ErrorCode::kInvalidArgument, "the profile has no width " + std::to_string(width) +
                                                   ", at which a policy may stop");
    }
    const auto index = static_cast<std::size_t>(width - 1);
    const Stop stop{.width = width,
                    .share = index < tuned.stopped.size() ? tuned.stopped[index] : 0,
                    .latency_p50_us = plain->latency_p50_us,
                    .latency_p95_us = plain->latency_p95_us,
                    .latency_p99_us = plain->latency_p99_us,
                    .energy_uj = plain->energy_uj};
    energy_known = energy_known && plain->energy_uj > 0;
    point.energy_uj += stop.share * stop.energy_uj;
    point.stops.push_back(stop);
  }
  if (!energy_known) point.energy_uj = 0;
  point.latency_p50_us = mixed_latency_us(point.stops, 0.5);
  point.latency_p95_us = std::max(point.latency_p50_us, mixed_latency_us(point.stops, 0.95));
  point.latency_p99_us = std::max(point.latency_p95_us, mixed_latency_us(point.stops, 0.99));
  return point;
}

}  // namespace bellows::internal
