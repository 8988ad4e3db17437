// Trees as Linux shows below /sys, written into a folder of the running test.
#pragma once

#include <cerrno>
#include <filesystem>
#include <set>
#include <string>

#include "engine/sysfs.h"
#include "tests/data_fixtures.h"

namespace bellows {

/// A recorded tree whose files a test writes, takes away or closes.
class SysfsTree {
 public:
  SysfsTree() : root_(fresh_folder()) {}

  /// Writes a file as the kernel does, with a line break behind the value.
  void write(const std::string& file, const std::string& value) const {
    write_file(root_ / file, bytes_of(value + "\n"));
  }
  void write(const std::string& file, long long value) const { write(file, std::to_string(value)); }
  void remove(const std::string& file) const { std::filesystem::remove_all(root_ / file); }

  [[nodiscard]] const std::filesystem::path& root() const { return root_; }

 private:
  std::filesystem::path root_;
};

/// The superuser may read everything; here nobody may read the files whose paths end so.
class ClosedSysfs final : public Sysfs {
 public:
  ClosedSysfs(const std::filesystem::path& root, std::string ending)
      : Sysfs(root), ending_(std::move(ending)) {}
  [[nodiscard]] Answer read(const std::string& file) const override {
    return file.ends_with(ending_) ? Answer{.problem = EACCES} : Sysfs::read(file);
  }

 private:
  std::string ending_;
};

}  // namespace bellows
