// The caches of the machine this runs on.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "engine/sysfs.h"

namespace bellows {

/// A memory that may hold data between two uses.
struct Cache {
  std::string name;  ///< "L1", "L2", ...
  std::int64_t size_bytes = 0;
};

/// The caches for data of the first processor, smallest first; empty where the system tells none.
/// Those shared with other cores are told whole. Files that say nothing sensible are left out.
[[nodiscard]] std::vector<Cache> machine_caches(const Sysfs& sysfs);

/// The name of the first of `caches` that has room for `bytes`; "memory" where none has.
[[nodiscard]] std::string smallest_with_room(const std::vector<Cache>& caches, std::int64_t bytes);

}  // namespace bellows
