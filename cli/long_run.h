// What the verbs have in common that train for long, alone or as one of several ranks.
#pragma once

#include <functional>
#include <string>

#include "cli/arguments.h"
#include "cli/console.h"
#include "training/ranks.h"
#include "training/run_config.h"

namespace bellows::cli {

/// The folder of images that --data or the configuration names; empty where they are drawn. Throws
/// UsageError where there is none, or one too many.
[[nodiscard]] std::string image_folder(const Arguments& arguments, const DataConfig& data);

/// Says that the work was stopped after so many seconds, and the command that goes on.
void print_stopped(const Arguments& arguments, const Ranks& ranks, double seconds,
                   Console& console);

/// For how long one of several ranks waits, when mpirun tells it to end, before it takes itself for
/// abandoned: mpirun tells all of them when one has failed or it is ended itself, and kills them a
/// second later. 0 for one process alone.
[[nodiscard]] int patience_ms(const Ranks& ranks);

/// Runs `act` with all ranks that were started together. What one rank finds wrong most find wrong:
/// the first says it, and its end is that of all. The others only speak where it has found nothing.
int run_as_ranks(const std::function<int(const Ranks&)>& act);

}  // namespace bellows::cli
