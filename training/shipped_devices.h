// The files of configs/devices, as the build puts them into the program.
#pragma once

#include <span>
#include <string_view>

namespace bellows {

struct ShippedDevice {
  const char* name;       ///< the file's, without ".toml"
  std::string_view text;  ///< TOML
};

/// In alphabetical order.
extern const std::span<const ShippedDevice> kShippedDevices;

}  // namespace bellows
