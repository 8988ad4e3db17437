// Targets as they are written: options of a verb, lines of a file.
#pragma once

#include <bellows/controller.h>

#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <vector>

#include "cli/arguments.h"

namespace bellows::cli {

void add_target_options(Usage& usage);

/// `until_s` of --until counts from 0. Throws UsageError.
[[nodiscard]] Targets targets_of(const Arguments& arguments);

/// Only those that are set.
[[nodiscard]] nlohmann::ordered_json targets_json(const Targets& targets);

/// From `time_s` on, these.
struct ScheduledTargets {
  double time_s = 0;
  Targets targets;
};

/// A file of one JSON object a line, with "time_s" and keys as targets_json gives them. Throws
/// Error naming file and line: kNotFound, kIoError, kCorruptData (also times that fall, and targets
/// that a controller over `points` would refuse at their time).
[[nodiscard]] std::vector<ScheduledTargets> read_schedule(
    const std::filesystem::path& path, const std::vector<OperatingPoint>& points);

}  // namespace bellows::cli
