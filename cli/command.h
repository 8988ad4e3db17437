// The command: finds the verb, runs it, and is where every failure ends.
#pragma once

#include <iosfwd>
#include <string>
#include <vector>

namespace bellows::cli {

/// What the program returns.
enum ExitCode : int {
  kDone = 0,
  kFailed = 1,    ///< the work could not be done, or was stopped
  kBadUsage = 2,  ///< the arguments make no sense
};

/// Runs `bellows <arguments>`. Results go to `out`, progress and failures to `err`; a failure is
/// one line "bellows <verb>: error: ...". Returns the exit code; throws nothing. Terminals are
/// recognised when the streams are std::cout and std::cerr. `program` is what was typed to get
/// here. One call at a time.
int run_command(const std::vector<std::string>& arguments, std::ostream& out, std::ostream& err,
                const std::string& program = "bellows");

/// The verbs as typed, "data list" and its like included, in the order of the help.
std::vector<std::string> command_verbs();

}  // namespace bellows::cli
