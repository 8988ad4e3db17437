// What every verb of the command consists of.
#pragma once

#include <vector>

#include "cli/arguments.h"
#include "cli/console.h"

namespace bellows::cli {

/// One verb: how its arguments look and what it does with them.
struct Verb {
  Usage usage;
  /// Returns the exit code. Throws UsageError or bellows::Error, which end in run_command.
  int (*run)(const Arguments& arguments, Console& console) = nullptr;
};

// One in each source file of the same name.
Verb train_verb();
Verb evaluate_verb();
Verb infer_verb();
Verb inspect_verb();
Verb profile_verb();
Verb tune_verb();
Verb run_verb();
Verb search_verb();
Verb export_verb();
/// "diff", "apply", "trim".
std::vector<Verb> growth_verbs();
/// Of signing.cc.
Verb sign_verb();
Verb report_verb();
/// "data list", "data verify", "data sheet", "data download".
std::vector<Verb> data_verbs();

}  // namespace bellows::cli
