// The configurations that come with Bellows.
#pragma once

#include <algorithm>
#include <filesystem>
#include <vector>

namespace bellows {

/// Files that describe runs, in the order of their names; what is in configs/devices describes
/// machines.
inline std::vector<std::filesystem::path> shipped_runs() {
  std::vector<std::filesystem::path> files;
  const auto folder = std::filesystem::path(BELLOWS_SOURCE_DIR) / "configs";
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) {
    if (entry.path().extension() == ".toml" && entry.path().parent_path().filename() != "devices") {
      files.push_back(entry.path());
    }
  }
  std::sort(files.begin(), files.end());
  return files;
}

}  // namespace bellows
