// Early stopping of candidates that fall behind: successive halving on the epochs of training.
#pragma once

#include <map>
#include <utility>
#include <vector>

#include "training/search/candidate.h"

namespace bellows {

/// Judges every candidate when it reaches a rung, against all that were there before (asynchronous
/// successive halving, Li et al. 2020; with several objectives by non-dominated sorting as
/// Schmucker et al. 2021). Candidates are compared by error, latency and energy at the same width
/// after the same share of the epochs.
class Rungs {
 public:
  /// `keep`: the share that goes on; `least`: how many, this one among them, a rung must have seen.
  Rungs(double keep, int least) : keep_(keep), least_(least) {}

  /// Adds a candidate and tells whether it is to be stopped: whether it stands, by its front and
  /// then by its room on that, behind the share that goes on.
  bool hopeless(const RungReport& report);

  /// Adds one that was judged before.
  void add(const RungReport& report);

 private:
  double keep_;
  int least_;
  std::map<std::pair<int, double>, std::vector<Objectives>> seen_;  // by width and share
};

}  // namespace bellows
