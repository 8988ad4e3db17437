// Device models read from TOML: those of configs/devices, which are part of the program, and a
// user's own. docs/energy.md lists the keys.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "engine/device_model.h"
#include "layers/fields.h"

namespace bellows {

/// Reads a device model. Throws Error: kNotFound, kIoError, kInvalidArgument ("file:line: ...": a
/// key that is unknown, missing, of another type or out of range, memories that do not grow).
[[nodiscard]] DeviceModel read_device_model(const std::filesystem::path& file);

/// The names of those that are part of the program, in alphabetical order.
[[nodiscard]] std::vector<std::string> shipped_device_models();

/// A shipped one by its name, or a file, which is what ends in ".toml". Throws Error as
/// `read_device_model`; kNotFound, listing the names, when there is none of that name.
[[nodiscard]] DeviceModel find_device_model(const std::string& name_or_file);

/// The keys, for the documentation.
[[nodiscard]] std::vector<FieldDocumentation> device_model_documentation();

}  // namespace bellows
