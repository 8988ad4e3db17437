// Signed models on the command line: making keys, signing, and asking for signatures.
#pragma once

#include <bellows/bellows.h>

#include <string>
#include <vector>

#include "cli/arguments.h"
#include "engine/model_file.h"

namespace bellows::cli {

/// --require-signature and --min-generation, for verbs that load a model.
[[nodiscard]] std::vector<Option> signature_options();
void add_signature_options(Usage& usage);

/// What these ask of a model. Throws UsageError, or Error naming a file of a key.
[[nodiscard]] LoadLimits load_limits(const Arguments& arguments);

/// The same for Model::load.
[[nodiscard]] ModelOptions model_options(const Arguments& arguments);

}  // namespace bellows::cli
