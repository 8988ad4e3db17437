#include "cli/latency_histogram.h"

#include <algorithm>
#include <cmath>

namespace bellows::cli {
namespace {

constexpr double kLeastUs = 0.01;
const double kStep = std::log(1.01);

}  // namespace

void LatencyHistogram::add(double us) {
  const double step = std::round(std::log(std::max(us, kLeastUs) / kLeastUs) / kStep);
  ++counts_[static_cast<std::size_t>(std::clamp(step, 0.0, static_cast<double>(kSteps - 1)))];
  ++count_;
}

void LatencyHistogram::add(const LatencyHistogram& more) {
  for (std::size_t step = 0; step < kSteps; ++step) counts_[step] += more.counts_[step];
  count_ += more.count_;
}

double LatencyHistogram::percentile_us(double share) const {
  const auto rank = std::max<std::int64_t>(
      1, static_cast<std::int64_t>(std::ceil(share * static_cast<double>(count_))));
  std::int64_t seen = 0;
  std::size_t step = 0;
  while (step + 1 < kSteps && (seen += counts_[step]) < rank) ++step;
  return kLeastUs * std::exp(static_cast<double>(step) * kStep);
}

}  // namespace bellows::cli
