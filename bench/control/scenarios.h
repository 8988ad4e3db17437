// The scenarios that the controller is judged by. Their limits are made from the operating points,
// so that they mean the same on every machine.
#pragma once

#include <cstdint>
#include <vector>

#include "bench/control/replay.h"

namespace bellows::control {

/// From one request to the next, with a pause after every point and the slowest once more.
double period_s(const std::vector<OperatingPoint>& points);

/// A limit of latency that steps down past the operating points one after another and up again.
Scenario stepped_latency(const std::vector<OperatingPoint>& points, std::size_t requests);

/// A battery that holds enough for something between two widths, must last to the end, and loses
/// a tenth more than inferences take.
Scenario battery(const std::vector<OperatingPoint>& points, std::size_t requests);

/// Other work takes the cores in bursts, under one limit of latency.
Scenario bursts(const std::vector<OperatingPoint>& points, std::size_t requests);

/// The device runs at half its speed in the middle two thirds, under one limit of latency.
Scenario throttled(const std::vector<OperatingPoint>& points, std::size_t requests);

/// An accuracy that no point has, beside a limit of latency that not all points keep.
Scenario infeasible_accuracy(const std::vector<OperatingPoint>& points, std::size_t requests);

/// Targets drawn anew 1,000 times.
Scenario random_targets(const std::vector<OperatingPoint>& points, std::size_t requests,
                        std::uint64_t seed);

}  // namespace bellows::control
