// What Linux tells about the machine in small text files.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace bellows {

/// A tree of such files, /sys or a recorded one. Immutable; thread safe. Its calls are virtual for
/// tests that refuse permission, which the superuser is never refused.
class Sysfs {
 public:
  explicit Sysfs(std::filesystem::path root = "/sys") : root_(std::move(root)) {}
  Sysfs(const Sysfs&) = delete;
  Sysfs& operator=(const Sysfs&) = delete;
  virtual ~Sysfs() = default;

  /// What a file says, or why that cannot be known.
  struct Answer {
    std::string text = {};  ///< the first line, without its end
    int problem = 0;        ///< an errno; 0: none
  };

  /// `file` is relative to the root: "class/hwmon/hwmon0/name".
  [[nodiscard]] virtual Answer read(const std::string& file) const;

  /// The text of a file that may be missing; nothing where it is, or cannot be read.
  [[nodiscard]] std::optional<std::string> text(const std::string& file) const;

  /// A whole number. Throws Error naming the file: kNotFound (no such file), kIoError (it cannot be
  /// read), kCorruptData (anything but one whole number).
  [[nodiscard]] long long number(const std::string& file) const;

  /// Names in a folder, hwmon2 before hwmon10; none where it is missing or closed to us.
  [[nodiscard]] std::vector<std::string> list(const std::string& folder) const;

  /// The path of a file, for messages.
  [[nodiscard]] std::string path(const std::string& file) const { return (root_ / file).string(); }

 private:
  std::filesystem::path root_;
};

}  // namespace bellows
