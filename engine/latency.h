// How long runs take: for a profile, and for a look at a model.
#pragma once

#include <bellows/bellows.h>

#include <span>
#include <vector>

#include "engine/profile_data.h"

namespace bellows {

struct LatencyOptions {
  /// Runs before the first timed one of each turn: they find the caches as another width left them.
  int warm_up_runs = 16;
  double seconds = 0.3;  ///< of timed runs, for each width
  int least_runs = 25;   ///< for each width, also if they take longer
  int most_runs = 1000;
  /// Widths take turns, so many of them: what disturbs the machine for a while then disturbs all.
  int turns = 1;
  /// Timed runs a second, with pauses between, after which caches are cold and clocks low; 0: one
  /// after the other.
  double rate = 0;
};

/// What is left out of the figures, in words.
inline constexpr const char* kOutlierRule = "runs of more than 10 times the median are left out";

/// Percentiles of times, by the nearest rank, after `kOutlierRule`. Changes their order. REQUIRES:
/// there is at least one.
[[nodiscard]] internal::LatencyFigures latency_figures(std::vector<double>& times_us);

/// Runs single images (taken in turn out of `images`, whole images one after the other) at each of
/// `widths` and times every run. Throws as Session::run does.
[[nodiscard]] std::vector<internal::LatencyFigures> measure_latency(
    Session& session, std::span<const float> images, std::size_t image_elements,
    const std::vector<int>& widths, const LatencyOptions& options = {});

}  // namespace bellows
