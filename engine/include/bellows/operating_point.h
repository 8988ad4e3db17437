// What a model can be run as, with what that costs and gives on one device.
#pragma once

namespace bellows {

/// A width of a model on a number of threads, with what was measured of it on one device. All of
/// one image at a time.
struct OperatingPoint {
  int width = 1;
  int threads = 1;
  double accuracy = 0;        ///< share of right answers, 0..1, on images held out of training
  double latency_p50_us = 0;  ///< half of the runs took no longer
  double latency_p95_us = 0;  ///< 95 of 100
  double latency_p99_us = 0;  ///< 99 of 100
  double energy_uj = 0;       ///< 0: not known
};

}  // namespace bellows
