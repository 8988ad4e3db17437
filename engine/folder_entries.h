// What lies in a folder, by the system's calls: the library's iterator ends the program where
// memory runs out.
#pragma once

#include <dirent.h>

#include <filesystem>
#include <memory>

namespace bellows {

/// Calls `visit` with a descriptor of the folder and the name of each entry in it, "." and ".."
/// among them; of one that cannot be read with none.
template <class Visit>
void for_each_entry(const std::filesystem::path& path, const Visit& visit) {
  const auto close = [](DIR* folder) { ::closedir(folder); };
  const std::unique_ptr<DIR, decltype(close)> folder(::opendir(path.c_str()), close);
  if (folder == nullptr) return;
  const int descriptor = ::dirfd(folder.get());
  while (const dirent* entry = ::readdir(folder.get())) visit(descriptor, &entry->d_name[0]);
}

}  // namespace bellows
