// A device that is not this machine: a command copies a model there, measures, and prints what it
// saw.
#pragma once

#include <chrono>
#include <filesystem>
#include <string>
#include <vector>

#include "training/search/candidate.h"

namespace bellows::cli {

/// Runs `command` by the shell with the model's path as a further argument and reads the profile
/// that it prints: the file that `bellows profile` writes, of which one number of threads counts,
/// the first; or a short form,
///   {"widths": [{"latency_us": 12.5, "energy_uj": 40, "memory_bytes": 100000}, ...]}
/// with the narrowest width first, memory_bytes being optional. A command that fails is run again,
/// `tries` times in all with `pause` in between: a connection may break. Throws Error(kIoError)
/// when it cannot be run or fails each time, Error(kCorruptData) for anything else that it prints,
/// with its first words.
[[nodiscard]] std::vector<WidthCost> measured_by_command(
    const std::string& command, const std::filesystem::path& model, int tries = 3,
    std::chrono::milliseconds pause = std::chrono::seconds(3));

/// What the command has printed.
[[nodiscard]] std::vector<WidthCost> read_measured(const std::string& printed,
                                                   const std::string& source);

}  // namespace bellows::cli
