// What a model can be run as, with what that costs and gives on one device.
#pragma once

#include <bellows/policy.h>

#include <optional>
#include <vector>

namespace bellows {

/// The inputs of a policy that stop at one width, and what that takes.
struct Stop {
  int width = 1;
  double share = 0;  ///< of all inputs, 0..1
  double latency_p50_us = 0;
  double latency_p95_us = 0;
  double latency_p99_us = 0;
  double energy_uj = 0;  ///< 0: not known
};

/// A width of a model, or a policy over its widths, on a number of threads, with what was measured
/// of it on one device. All of one image at a time.
struct OperatingPoint {
  int width = 1;  ///< of a policy the widest that it may run
  int threads = 1;
  double accuracy = 0;        ///< share of right answers, 0..1, on images held out of training
  double latency_p50_us = 0;  ///< half of the runs took no longer
  double latency_p95_us = 0;  ///< 95 of 100
  double latency_p99_us = 0;  ///< 99 of 100
  double energy_uj = 0;       ///< the mean; 0: not known
  std::optional<Policy> policy = {};  ///< none: every input is run at `width`
  std::vector<Stop> stops = {};       ///< of a policy: every width from 1 on, once
};

}  // namespace bellows
