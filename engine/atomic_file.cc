#include "engine/atomic_file.h"

#include <bellows/error.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <csignal>
#include <ctime>
#include <optional>
#include <string>
#include <system_error>
#include <utility>

#include "engine/folder_entries.h"

namespace bellows {
namespace {

constexpr int kNameAttempts = 1000;
constexpr std::string_view kNamePrefix = ".bellows-";
constexpr std::string_view kNameSuffix = ".tmp";

// Whoever made a file may be in another container, whose processes are not seen here: an hour is
// longer than any write takes.
constexpr std::time_t kAgeOfLeftovers = 3600;  // seconds

// The process in the name of a temporary file; nothing if it is not such a name.
std::optional<pid_t> process_of(std::string_view name) {
  if (!name.starts_with(kNamePrefix) || !name.ends_with(kNameSuffix)) return std::nullopt;
  name.remove_prefix(kNamePrefix.size());
  pid_t process = 0;
  const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), process);
  const bool found = error == std::errc() && process > 0 && end != name.data() + name.size();
  return found && *end == '-' ? std::optional(process) : std::nullopt;
}

// What to do about a failure of the operating system, to end a message with.
const char* advice(int error) {
  switch (error) {
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
      return "; free some space or choose another folder";
    case EACCES:
    case EPERM:
    case EROFS:
      return "; choose a folder that you may write to";
    case ENOENT:
    case ENOTDIR:
      return "; create its folder first";
    case EIO:
      return "; check the disk";
    default:
      return "";
  }
}

std::string path_of(int descriptor) { return "/proc/self/fd/" + std::to_string(descriptor); }

std::span<const std::uint8_t> bytes_of(std::string_view text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

}  // namespace

AtomicFile::AtomicFile(const std::filesystem::path& target)
    : target_(target), folder_(target.has_parent_path() ? target.parent_path() : ".") {
  if (!target.has_filename()) {
    throw Error(ErrorCode::kIoError,
                "'" + target.string() + "': cannot be written: this names a folder, not a file");
  }
  // Renaming onto a device would replace the device.
  struct stat existing {};
  if (::stat(target_.c_str(), &existing) == 0 && !S_ISREG(existing.st_mode)) {
    throw Error(ErrorCode::kIoError,
                target_.string() + ": cannot be written: it is there and is not a regular file");
  }
  remove_leftovers();
  descriptor_ = ::open(folder_.c_str(), O_TMPFILE | O_WRONLY | O_CLOEXEC, 0666);
  // What has no name gets one through /proc.
  if (descriptor_ >= 0 && ::access(path_of(descriptor_).c_str(), F_OK) == 0) return;
  if (descriptor_ >= 0) ::close(descriptor_);
  const bool made = take_temporary_name([this](const char* name) {
    descriptor_ = ::open(name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    return descriptor_ >= 0;
  });
  if (!made) fail("cannot be written");
}

AtomicFile::~AtomicFile() {
  if (descriptor_ >= 0) ::close(descriptor_);
  if (!temporary_.empty()) ::unlink(temporary_.c_str());
}

// Whether `take` took one of the names there are for temporary files; errno says why not.
template <class Take>
bool AtomicFile::take_temporary_name(const Take& take) {
  // Named after the process and not by mkstemp, so that the file gets the permissions of any new
  // file; and not after the target, whose name may be as long as names can be.
  const std::string prefix = std::string(kNamePrefix) + std::to_string(::getpid()) + "-";
  for (int attempt = 0; attempt < kNameAttempts; ++attempt) {
    std::filesystem::path candidate =
        folder_ / (prefix + std::to_string(attempt) + std::string(kNameSuffix));
    if (take(candidate.c_str())) {
      temporary_ = std::move(candidate);
      return true;
    }
    if (errno != EEXIST && errno != EINTR) break;
  }
  return false;
}

// What cannot be looked at or removed stays: it is in nobody's way.
void AtomicFile::remove_leftovers() const {
  for_each_entry(folder_, [](int folder, const char* name) {
    const std::optional<pid_t> process = process_of(name);
    if (!process || ::kill(*process, 0) == 0 || errno != ESRCH) return;
    struct stat facts {};
    if (::fstatat(folder, name, &facts, AT_SYMLINK_NOFOLLOW) != 0) return;
    if (::time(nullptr) - facts.st_mtime < kAgeOfLeftovers) return;
    ::unlinkat(folder, name, 0);
  });
}

void AtomicFile::fail(const char* what) const {
  const int error = errno;
  throw Error(ErrorCode::kIoError, target_.string() + ": " + what + ": " +
                                       std::generic_category().message(error) + advice(error));
}

void AtomicFile::write(std::span<const std::uint8_t> bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(descriptor_, bytes.data(), bytes.size());
    if (written < 0) {
      if (errno == EINTR) continue;
      fail("cannot be written");
    }
    bytes = bytes.subspan(static_cast<std::size_t>(written));
  }
}

void AtomicFile::write(std::string_view text) { write(bytes_of(text)); }

void AtomicFile::copy_permissions(const std::filesystem::path& other) {
  struct stat facts {};
  if (::stat(other.c_str(), &facts) != 0) fail("cannot take over permissions");
  // Only root may give files away, but a group of one's own can be set.
  if (::fchown(descriptor_, facts.st_uid, facts.st_gid) != 0) {
    static_cast<void>(::fchown(descriptor_, static_cast<uid_t>(-1), facts.st_gid) == 0);
  }
  if (::fchmod(descriptor_, facts.st_mode & 0777U) != 0) fail("cannot take over permissions");
}

void AtomicFile::commit() {
  if (::fsync(descriptor_) != 0) fail("cannot be written");
  // A name is taken by renaming only, so one without a name needs another first.
  if (temporary_.empty() && !take_temporary_name([this](const char* name) {
        return ::linkat(AT_FDCWD, path_of(descriptor_).c_str(), AT_FDCWD, name,
                        AT_SYMLINK_FOLLOW) == 0;
      })) {
    fail("cannot be replaced");
  }
  const int descriptor = descriptor_;
  descriptor_ = -1;
  // Network file systems report a full disk as late as here.
  if (::close(descriptor) != 0) fail("cannot be written");
  if (::rename(temporary_.c_str(), target_.c_str()) != 0) fail("cannot be replaced");
  temporary_.clear();

  const int folder = ::open(folder_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  // A folder that may be written and not read cannot be flushed by us; nor can those of file
  // systems that answer EINVAL. The content is on the disk either way.
  if (folder < 0) return;
  const bool flushed = ::fsync(folder) == 0 || errno == EINVAL;
  const int error = errno;
  ::close(folder);
  if (!flushed) {
    errno = error;
    fail("is written, but its folder could not be flushed to the disk");
  }
}

void write_file_atomically(const std::filesystem::path& target,
                           std::span<const std::uint8_t> bytes) {
  AtomicFile file(target);
  file.write(bytes);
  file.commit();
}

void write_file_atomically(const std::filesystem::path& target, std::string_view text) {
  write_file_atomically(target, bytes_of(text));
}

}  // namespace bellows
