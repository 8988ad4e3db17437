// The configurations that come with Bellows.
#pragma once

#include <algorithm>
#include <filesystem>
#include <vector>

namespace bellows {

/// TOML files in configs/, in the order of their names, whose folder `wanted` accepts.
template <class Wanted>
std::vector<std::filesystem::path> shipped_files(const Wanted& wanted) {
  std::vector<std::filesystem::path> files;
  const auto folder = std::filesystem::path(BELLOWS_SOURCE_DIR) / "configs";
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) {
    if (entry.path().extension() == ".toml" && wanted(entry.path().parent_path().filename())) {
      files.push_back(entry.path());
    }
  }
  std::sort(files.begin(), files.end());
  return files;
}

/// Files that describe runs; what is in configs/devices describes machines, what is in
/// configs/search spaces of networks.
inline std::vector<std::filesystem::path> shipped_runs() {
  return shipped_files([](const std::filesystem::path& folder) {
    return folder != "devices" && folder != "search";
  });
}

inline std::vector<std::filesystem::path> shipped_searches() {
  return shipped_files([](const std::filesystem::path& folder) { return folder == "search"; });
}

}  // namespace bellows
