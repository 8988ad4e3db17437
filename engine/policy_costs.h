// What a policy costs, from what the widths cost at which its inputs stop.
#pragma once

#include <bellows/operating_point.h>

#include <vector>

namespace bellows::internal {

/// The time that a share of `quantile` (0..1) of requests does not exceed, where they are dealt out
/// to `stops` by their shares. Of each stop the times are taken to lie on straight lines through
/// its percentiles, from the median down to nine tenths of it.
[[nodiscard]] double mixed_latency_us(const std::vector<Stop>& stops, double quantile);

/// `tuned` as an operating point over those of the plain widths, which are all on one number of
/// threads. Throws Error(kInvalidArgument) where one of them is missing.
[[nodiscard]] OperatingPoint policy_point(const TunedPolicy& tuned,
                                          const std::vector<OperatingPoint>& widths);

}  // namespace bellows::internal
