#include "engine/observed_scale.h"

#include <algorithm>
#include <cmath>

namespace bellows {
namespace {

constexpr double kMostOwn = 4;          // and its inverse the least
constexpr double kFading = 1.0 / 2048;  // of an own factor, each reading

// From a third of what the profile says to 8 times that.
const double kStep = std::log(1.02);
constexpr double kMiddleStep = 55;

// Readings further from the profile than this are as good as infinite.
constexpr double kMostRatio = 1e6;

// The share of the readings allowed above a percentile that is used.
constexpr double kUsed = 0.8;

}  // namespace

ObservedScale::ObservedScale(std::size_t points) : own_(points, 1.0) {}

void ObservedScale::observe(std::size_t point, double ratio, double scatter, std::size_t run) {
  ratio = std::clamp(ratio, 1 / kMostRatio, kMostRatio);
  if (point != point_) {
    if (readings_ < kReadings) attribute(scatter);
    point_ = point;
    common_before_ = common_;
    readings_ = 0;
  }
  for (double& own : own_) own += kFading * (1 - own);
  entries_[next_] = {.point = point, .run = run, .ratio = ratio / own_[point]};
  next_ = (next_ + 1) % kReadings;
  std::array<double, kReadings> sorted;
  std::ranges::transform(entries_, sorted.begin(), &Entry::ratio);
  std::ranges::nth_element(sorted, sorted.begin() + kReadings / 2);
  common_ = sorted[kReadings / 2];
  if (readings_ < kReadings && ++readings_ == kReadings) attribute(scatter);
}

// What `of(point_)` says does not change.
void ObservedScale::attribute(double scatter) {
  const double change = common_ / common_before_;
  if (std::max(change, 1 / change) <= scatter) return;
  const double before = own_[point_];
  own_[point_] = std::clamp(before * std::sqrt(change), 1 / kMostOwn, kMostOwn);
  const double moved = own_[point_] / before;
  common_ /= moved;
  for (Entry& entry : entries_) entry.ratio /= moved;
}

ObservedScale::Middle ObservedScale::middle() const {
  const Entry& entry = entries_[(next_ + kReadings / 2) % kReadings];
  return {.point = entry.point, .run = entry.run, .excess = entry.ratio / common_};
}

ObservedTail::ObservedTail(int percentile)
    : allowed_(percentile == 50 ? 0 : kUsed * (100 - percentile) / 100) {
  const std::size_t as_profile = step_of(1);
  steps_.fill(static_cast<unsigned char>(as_profile));
  counts_[as_profile] = kOfProfile;
}

std::size_t ObservedTail::step_of(double factor) {
  const double bounded = std::clamp(factor, 1 / kMostRatio, kMostRatio);
  const double step = std::round(kMiddleStep + std::log(bounded) / kStep);
  return static_cast<std::size_t>(std::clamp(step, 0.0, static_cast<double>(kSteps - 1)));
}

void ObservedTail::observe(double excess, double ratio) {
  if (allowed_ == 0) return;
  if (next_ == readings_ && readings_ < kReadings) {
    ++readings_;
  } else {
    next_ %= readings_;
    --counts_[steps_[next_]];
  }
  const std::size_t step = step_of(std::min(excess, kMostRatio) / std::min(ratio, kMostRatio));
  ++counts_[step];
  steps_[next_++] = static_cast<unsigned char>(step);
  const auto allowed = static_cast<std::size_t>(allowed_ * static_cast<double>(readings_));
  std::size_t above = 0;
  std::size_t percentile = kSteps;
  while (above <= allowed) above += counts_[--percentile];
  factor_ = std::exp((static_cast<double>(percentile) - kMiddleStep) * kStep);
}

bool ObservedTail::beyond() const {
  return factor_ >= std::exp((static_cast<double>(kSteps - 1) - kMiddleStep) * kStep);
}

double ObservedTail::of(double ratio) const { return std::max(1.0, ratio * factor_); }

}  // namespace bellows
