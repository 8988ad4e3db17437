// Files that a verb writes must not be those that it reads.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "cli/arguments.h"

namespace bellows::cli {

/// A file that an option names.
struct OutputFile {
  std::string option;  ///< without its dashes
  std::filesystem::path path;
};

/// Throws UsageError naming the option where an output is one of `inputs`, or another output, by
/// name or as the same file; and Error(kIoError) where its folder is not there or cannot be written
/// to, before any work is done for it.
void check_outputs(const std::vector<OutputFile>& outputs,
                   const std::vector<std::filesystem::path>& inputs);

/// The same; the file of a key that `arguments` ask for is an input as well.
void check_outputs(const Arguments& arguments, const std::vector<OutputFile>& outputs,
                   std::vector<std::filesystem::path> inputs);

}  // namespace bellows::cli
