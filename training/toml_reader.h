// TOML files as configuration values that remember their lines.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "layers/config_value.h"

namespace bellows {

/// Reads a TOML 1.0 file. Every value's `where()` is "file:line" with the file as `path` names it;
/// the table of the whole file has "file" alone. Keys are in the order of writing.
/// Throws Error: kNotFound (no such file), kIoError (it cannot be read), kInvalidArgument
/// ("file:line: message": a syntax error, a date or time, which no key takes, a file of more than
/// 1 MiB, values nested too deep).
[[nodiscard]] ConfigValue read_toml(const std::filesystem::path& path);

/// The same for a text, called `name` where `read_toml` names the file.
[[nodiscard]] ConfigValue parse_toml(std::string_view text, const std::string& name);

}  // namespace bellows
