#include "engine/observed_scale.h"

#include <algorithm>
#include <cmath>

namespace bellows {
namespace {

constexpr double kMostOwn = 4;          // and its inverse the least
constexpr double kFading = 1.0 / 2048;  // of an own factor, each reading

constexpr double kTailRise = 0.1;  // for a reading too many
constexpr double kMostTail = 8;
constexpr double kLeastTail = 0.25;

}  // namespace

ObservedScale::ObservedScale(std::size_t points) : own_(points, 1.0) {}

void ObservedScale::observe(std::size_t point, double ratio) {
  if (point != point_) {
    if (readings_ < kReadings) attribute();
    point_ = point;
    common_before_ = common_;
    readings_ = 0;
  }
  for (double& own : own_) own += kFading * (1 - own);
  entries_[next_] = {.point = point, .ratio = ratio / own_[point]};
  next_ = (next_ + 1) % kReadings;
  std::array<double, kReadings> sorted;
  std::ranges::transform(entries_, sorted.begin(), &Entry::ratio);
  std::ranges::nth_element(sorted, sorted.begin() + kReadings / 2);
  common_ = sorted[kReadings / 2];
  if (readings_ < kReadings && ++readings_ == kReadings) attribute();
}

// What `of(point_)` says does not change.
void ObservedScale::attribute() {
  const double before = own_[point_];
  own_[point_] = std::clamp(before * std::sqrt(common_ / common_before_), 1 / kMostOwn, kMostOwn);
  const double moved = own_[point_] / before;
  common_ /= moved;
  for (Entry& entry : entries_) entry.ratio /= moved;
}

ObservedScale::Middle ObservedScale::middle() const {
  const Entry& entry = entries_[(next_ + kReadings / 2) % kReadings];
  return {.point = entry.point, .excess = entry.ratio / common_};
}

ObservedTail::ObservedTail(int percentile)
    : allowed_(percentile == 50 ? 0 : 0.5 * (100 - percentile) / 100) {}

void ObservedTail::observe(double excess, double ratio) {
  if (allowed_ == 0) return;
  if (excess <= of(ratio)) {
    surplus_ = std::max(0.0, surplus_ - allowed_);
    factor_ *= 1 - kTailRise * allowed_;
  } else {
    if (surplus_ > 0) factor_ *= 1 + kTailRise;
    surplus_ = std::min(surplus_ + 1, 2.0);
  }
  factor_ = std::clamp(factor_, kLeastTail, kMostTail);
}

double ObservedTail::of(double ratio) const { return std::max(1.0, ratio * factor_); }

}  // namespace bellows
