#include "engine/group_times.h"

#include <algorithm>

namespace bellows {
namespace {

// A group that has not run yet reads its weights for the first time.
constexpr double kCaution = 2;

}  // namespace

GroupTimes::GroupTimes(const std::vector<double>& macs) {
  for (const double count : macs) groups_.push_back({.macs = std::max(count, 1.0)});
}

void GroupTimes::measured(int group, double seconds) {
  Group& known = groups_[static_cast<std::size_t>(group - 1)];
  known.quickest = known.quickest == 0 ? seconds : std::min(known.quickest, seconds);
  recent_[next_] = seconds / known.quickest;
  next_ = (next_ + 1) % recent_.size();
}

double GroupTimes::expected(int group) const {
  const Group& asked = groups_[static_cast<std::size_t>(group - 1)];
  if (asked.quickest > 0) return asked.quickest * slowdown();
  double slowest = 0;  // seconds for each multiply-accumulate
  for (const Group& known : groups_) slowest = std::max(slowest, known.quickest / known.macs);
  return kCaution * slowest * asked.macs * slowdown();
}

// The second largest.
double GroupTimes::slowdown() const {
  double largest = 1;
  double second = 1;
  for (const double ratio : recent_) {
    second = std::max(second, std::min(largest, ratio));
    largest = std::max(largest, ratio);
  }
  return second;
}

}  // namespace bellows
