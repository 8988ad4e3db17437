#include "engine/group_times.h"

#include <algorithm>

namespace bellows {
namespace {

// A group that has not run yet reads its weights for the first time.
constexpr double kCaution = 2;

// As many as there are recent runs.
constexpr int kPatience = 16;

}  // namespace

GroupTimes::GroupTimes(const std::vector<double>& macs) {
  for (const double count : macs) groups_.push_back({.macs = std::max(count, 1.0)});
}

void GroupTimes::measured(int group, double seconds) {
  Group& known = groups_[static_cast<std::size_t>(group - 1)];
  known.quickest = known.quickest == 0 ? seconds : std::min(known.quickest, seconds);
  known.passed_over = 0;
  refused_ = 0;
  recent_[next_] = seconds / known.quickest;
  next_ = (next_ + 1) % recent_.size();
}

double GroupTimes::expected(int group) const {
  const Group& asked = groups_[static_cast<std::size_t>(group - 1)];
  return (asked.quickest > 0 ? asked.quickest : guessed(asked)) * slowdown();
}

void GroupTimes::passed_over(int group) {
  // Where groups before it run, they show how slow things are lately. Where none does, nobody does.
  if (++refused_ == kPatience) {
    recent_.fill(0);
    refused_ = 0;
  }
  // It may never have run undisturbed.
  Group& known = groups_[static_cast<std::size_t>(group - 1)];
  if (++known.passed_over == kPatience) {
    const double guess = guessed(known);
    if (guess > 0 && known.quickest > 0) known.quickest = std::min(known.quickest, guess);
    known.passed_over = 0;
  }
}

double GroupTimes::guessed(const Group& group) const {
  double slowest = 0;  // seconds for each multiply-accumulate
  for (const Group& other : groups_) {
    if (&other != &group) slowest = std::max(slowest, other.quickest / other.macs);
  }
  return kCaution * slowest * group.macs;
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
