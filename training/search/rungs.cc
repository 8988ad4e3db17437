#include "training/search/rungs.h"

#include <algorithm>
#include <cmath>

namespace bellows {

void Rungs::add(const RungReport& report) {
  seen_[{report.width, report.share}].push_back(
      {report.error, report.latency_us, report.energy_uj});
}

bool Rungs::hopeless(const RungReport& report) {
  add(report);
  const std::vector<Objectives>& seen = seen_[{report.width, report.share}];
  if (static_cast<int>(seen.size()) < least_) return false;
  const std::vector<int> fronts = front_numbers(seen);
  const std::vector<double> room = crowding_distances(seen, fronts);
  const std::size_t own = seen.size() - 1;
  std::size_t before = 0;
  for (std::size_t i = 0; i < own; ++i) {
    const bool better = fronts[i] != fronts[own] ? fronts[i] < fronts[own] : room[i] > room[own];
    before += better ? 1 : 0;
  }
  const auto go_on = static_cast<std::size_t>(std::ceil(keep_ * static_cast<double>(seen.size())));
  return before >= go_on;
}

}  // namespace bellows
