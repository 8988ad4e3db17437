// Percentiles of times without keeping them: for streams that do not end.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace bellows::cli {

/// Counts times in steps of 1 %, from a hundredth of a microsecond to a day.
class LatencyHistogram {
 public:
  void add(double us);
  void add(const LatencyHistogram& more);
  [[nodiscard]] std::int64_t count() const { return count_; }
  /// So many of all took no longer, to within half a percent; `share` above 0, up to 1. REQUIRES:
  /// there is one at least.
  [[nodiscard]] double percentile_us(double share) const;

 private:
  static constexpr std::size_t kSteps = 3000;

  std::array<std::int64_t, kSteps> counts_{};
  std::int64_t count_ = 0;
};

}  // namespace bellows::cli
