#include "engine/atomic_file.h"

#include <bellows/error.h>
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdarg>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <string>
#include <vector>

#include "tests/refusal.h"

namespace {

// The call of fsync that fails, counted from the next one; none when negative.
int failing_fsync = -1;
// Whether the file system is one without files that have no name.
bool names_needed = false;

}  // namespace

// Stands before the system's own: disks that fail to flush cannot be had otherwise.
extern "C" int fsync(int descriptor) {
  if (failing_fsync >= 0 && failing_fsync-- == 0) {
    errno = EIO;
    return -1;
  }
  return static_cast<int>(::syscall(SYS_fsync, descriptor));
}

extern "C" int open(const char* path, int flags, ...) {
  if (names_needed && (flags & O_TMPFILE) == O_TMPFILE) {
    errno = EOPNOTSUPP;
    return -1;
  }
  mode_t mode = 0;
  if ((flags & O_CREAT) != 0 || (flags & O_TMPFILE) == O_TMPFILE) {
    va_list more;
    va_start(more, flags);
    mode = va_arg(more, mode_t);
    va_end(more);
  }
  return static_cast<int>(::syscall(SYS_openat, AT_FDCWD, path, flags, mode));
}

namespace bellows {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

std::string content(const std::filesystem::path& path) {
  std::ifstream stream(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(stream), {}};
}

std::string error_of(const std::function<void()>& act) {
  return bellows::refusal(ErrorCode::kIoError, act);
}

// Files beyond `bytes` cannot be written while this lives, as on a full disk.
class FullDisk {
 public:
  explicit FullDisk(rlim_t bytes) : handler_(std::signal(SIGXFSZ, SIG_IGN)) {
    ::getrlimit(RLIMIT_FSIZE, &before_);
    rlimit limit = before_;
    limit.rlim_cur = bytes;
    ::setrlimit(RLIMIT_FSIZE, &limit);
  }
  ~FullDisk() {
    ::setrlimit(RLIMIT_FSIZE, &before_);
    std::signal(SIGXFSZ, handler_);
  }
  FullDisk(const FullDisk&) = delete;
  FullDisk& operator=(const FullDisk&) = delete;

 private:
  void (*handler_)(int);
  rlimit before_{};
};

// On a file system with and without files that have no name.
class AtomicFileTest : public ::testing::TestWithParam<bool> {
 protected:
  void SetUp() override {
    names_needed = GetParam();
    folder_ = std::filesystem::path(::testing::TempDir()) /
              ("bellows_atomic_file_" + std::to_string(::getpid()));
    std::filesystem::remove_all(folder_);
    std::filesystem::create_directories(folder_);
  }
  void TearDown() override {
    names_needed = false;
    std::filesystem::remove_all(folder_);
  }

  [[nodiscard]] std::size_t files() const {
    return static_cast<std::size_t>(
        std::distance(std::filesystem::directory_iterator(folder_), {}));
  }

  std::filesystem::path folder_;
};

TEST_P(AtomicFileTest, WritesAnythingInPieces) {
  AtomicFile file(folder_ / "new");
  std::string expected;
  for (int i = 0; i < 1000; ++i) {
    const std::string piece(static_cast<std::size_t>(i), static_cast<char>(i));
    file.write(piece);
    expected += piece;
  }
  file.commit();
  EXPECT_EQ(content(folder_ / "new"), expected);
  EXPECT_EQ(files(), 1U);
}

TEST_P(AtomicFileTest, ShowsNothingBeforeTheCommit) {
  write_file_atomically(folder_ / "file", "old");
  AtomicFile file(folder_ / "file");
  file.write("new");
  EXPECT_EQ(content(folder_ / "file"), "old");
  file.commit();
  EXPECT_EQ(content(folder_ / "file"), "new");
}

TEST_P(AtomicFileTest, VanishesWithoutACommit) {
  write_file_atomically(folder_ / "file", "old");
  {
    AtomicFile file(folder_ / "file");
    file.write("new");
    EXPECT_EQ(files(), names_needed ? 2U : 1U);
  }
  EXPECT_EQ(content(folder_ / "file"), "old");
  EXPECT_EQ(files(), 1U);
}

// A process that is killed after its first piece; returns its status.
int killed_writer(const std::filesystem::path& target) {
  const pid_t child = ::fork();
  if (child == 0) {
    AtomicFile file(target);
    file.write("new");
    ::raise(SIGKILL);
  }
  int status = -1;
  ::waitpid(child, &status, 0);
  return status;
}

TEST_P(AtomicFileTest, LeavesNothingBehindWhenKilledButWhereNamesAreNeeded) {
  if (!names_needed) {
    const int unnamed = ::open(folder_.c_str(), O_TMPFILE | O_WRONLY, 0600);
    if (unnamed < 0) GTEST_SKIP() << folder_ << " is on a file system where names are needed";
    ::close(unnamed);
  }
  write_file_atomically(folder_ / "file", "old");
  EXPECT_EQ(killed_writer(folder_ / "file"), SIGKILL);
  EXPECT_EQ(content(folder_ / "file"), "old");
  EXPECT_EQ(files(), names_needed ? 2U : 1U);
  write_file_atomically(folder_ / "file", "new");
  EXPECT_EQ(content(folder_ / "file"), "new");
}

TEST_P(AtomicFileTest, RemovesWhatKilledProcessesLeftAnHourAgoAndNothingElse) {
  const pid_t gone = ::fork();
  if (gone == 0) ::_exit(0);
  ASSERT_EQ(::waitpid(gone, nullptr, 0), gone);
  const std::string of_gone = ".bellows-" + std::to_string(gone) + "-0.tmp";
  const std::string of_living = ".bellows-" + std::to_string(::getpid()) + "-7.tmp";
  const std::string young = ".bellows-" + std::to_string(gone) + "-1.tmp";
  const auto age = [&](const std::string& name, int minutes) {
    std::ofstream(folder_ / name) << "rest";
    std::filesystem::last_write_time(folder_ / name, std::filesystem::file_time_type::clock::now() -
                                                         std::chrono::minutes(minutes));
  };
  const std::vector<std::string> others = {of_living, ".bellows-x-0.tmp", ".bellows-12.tmp",
                                           "model.tmp", ".bellows-" + std::to_string(gone) + "-0"};
  age(of_gone, 61);
  age(young, 59);
  for (const std::string& name : others) age(name, 100);
  write_file_atomically(folder_ / "new", "content");
  EXPECT_FALSE(std::filesystem::exists(folder_ / of_gone));
  EXPECT_TRUE(std::filesystem::exists(folder_ / young));
  for (const std::string& name : others)
    EXPECT_TRUE(std::filesystem::exists(folder_ / name)) << name;
}

TEST_P(AtomicFileTest, TakesOverThePermissionsOfAnotherFile) {
  write_file_atomically(folder_ / "other", "x");
  for (const mode_t mode : {0600U, 0644U, 0751U}) {
    ASSERT_EQ(::chmod((folder_ / "other").c_str(), mode), 0);
    AtomicFile file(folder_ / "file");
    file.copy_permissions(folder_ / "other");
    file.commit();
    struct stat facts {};
    ASSERT_EQ(::stat((folder_ / "file").c_str(), &facts), 0);
    EXPECT_EQ(facts.st_mode & 07777U, mode);
  }
  AtomicFile file(folder_ / "file");
  EXPECT_THAT(error_of([&] { file.copy_permissions(folder_ / "missing"); }),
              HasSubstr("cannot take over permissions: No such file"));
}

TEST(AtomicFile, NamesAFolderThatNobodyMayWriteTo) {
  // Not even root may make files there.
  EXPECT_THAT(error_of([] { AtomicFile file("/sys/model"); }),
              AllOf(HasSubstr("/sys/model"), HasSubstr("choose a folder that you may write to")));
}

TEST_P(AtomicFileTest, LetsTheLastOfTwoWritersWin) {
  AtomicFile first(folder_ / "file");
  AtomicFile second(folder_ / "file");
  first.write("first");
  second.write("second");
  second.commit();
  EXPECT_EQ(content(folder_ / "file"), "second");
  first.commit();
  EXPECT_EQ(content(folder_ / "file"), "first");
  EXPECT_EQ(files(), 1U);
}

TEST_P(AtomicFileTest, TakesNamesAsLongAsTheyCanBe) {
  const std::filesystem::path path = folder_ / std::string(255, 'n');
  write_file_atomically(path, "x");
  EXPECT_EQ(content(path), "x");
}

TEST_P(AtomicFileTest, GivesThePermissionsOfAnyNewFile) {
  std::ofstream(folder_ / "plain") << "x";
  write_file_atomically(folder_ / "atomic", "x");
  EXPECT_EQ(std::filesystem::status(folder_ / "atomic").permissions(),
            std::filesystem::status(folder_ / "plain").permissions());
}

TEST_P(AtomicFileTest, LeavesTheOldFileWhenTheDiskIsFull) {
  write_file_atomically(folder_ / "file", "old");
  const std::string large(100000, 'x');
  const std::string message = error_of([&] {
    const FullDisk full(4096);
    write_file_atomically(folder_ / "file", large);
  });
  EXPECT_THAT(message, HasSubstr((folder_ / "file").string()));
  EXPECT_THAT(message, HasSubstr("File too large"));
  EXPECT_THAT(message, HasSubstr("free some space"));
  EXPECT_EQ(content(folder_ / "file"), "old");
  EXPECT_EQ(files(), 1U);
}

TEST_P(AtomicFileTest, LeavesTheOldFileWhenTheDiskDoesNotFlush) {
  write_file_atomically(folder_ / "file", "old");
  failing_fsync = 0;
  const std::string message = error_of([&] { write_file_atomically(folder_ / "file", "new"); });
  EXPECT_THAT(message, HasSubstr((folder_ / "file").string() + ": cannot be written"));
  EXPECT_THAT(message, HasSubstr("check the disk"));
  EXPECT_EQ(content(folder_ / "file"), "old");
  EXPECT_EQ(files(), 1U);
}

TEST_P(AtomicFileTest, SaysWhenOnlyTheFolderDoesNotFlush) {
  failing_fsync = 1;
  const std::string message = error_of([&] { write_file_atomically(folder_ / "file", "new"); });
  EXPECT_THAT(message, HasSubstr("is written, but its folder could not be flushed"));
  EXPECT_EQ(content(folder_ / "file"), "new");
  EXPECT_EQ(files(), 1U);
}

TEST_P(AtomicFileTest, NamesAMissingFolder) {
  const std::filesystem::path path = folder_ / "missing" / "file";
  const std::string message = error_of([&] { write_file_atomically(path, "x"); });
  EXPECT_THAT(message, HasSubstr(path.string()));
  EXPECT_THAT(message, HasSubstr("create its folder first"));
  EXPECT_FALSE(std::filesystem::exists(folder_ / "missing"));
}

TEST_P(AtomicFileTest, RefusesAPathBelowAFile) {
  write_file_atomically(folder_ / "file", "old");
  const std::string message =
      error_of([&] { write_file_atomically(folder_ / "file" / "below", "x"); });
  EXPECT_THAT(message, HasSubstr("below: cannot be written: Not a directory"));
  EXPECT_EQ(content(folder_ / "file"), "old");
}

TEST_P(AtomicFileTest, RefusesToReplaceAFolderOrADevice) {
  std::filesystem::create_directory(folder_ / "folder");
  EXPECT_THAT(error_of([&] { write_file_atomically(folder_ / "folder", "x"); }),
              HasSubstr("not a regular file"));
  EXPECT_THAT(error_of([&] { write_file_atomically(folder_ / "", "x"); }),
              HasSubstr("names a folder"));
  EXPECT_THAT(error_of([&] { write_file_atomically("/dev/null", "x"); }),
              HasSubstr("/dev/null: cannot be written: it is there and is not a regular file"));
  EXPECT_TRUE(std::filesystem::is_character_file("/dev/null"));
  EXPECT_EQ(files(), 1U);
}

INSTANTIATE_TEST_SUITE_P(FileSystem, AtomicFileTest, ::testing::Bool(), [](const auto& names) {
  return names.param ? "NamesNeeded" : "NamesNotNeeded";
});

}  // namespace
}  // namespace bellows
