// Real runs of the command by several processes.
#pragma once

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <fstream>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "tests/data_fixtures.h"
#include "training/ranks.h"

namespace bellows {

/// Skips where there is no MPI.
class UnderMpirun : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!Ranks::supported()) GTEST_SKIP() << "built without MPI";
    if (std::system("command -v mpirun > /dev/null") != 0) GTEST_SKIP() << "there is no mpirun";
    // Tests may run as root, in a container, and beside others.
    ::setenv("OMPI_ALLOW_RUN_AS_ROOT", "1", 1);
    ::setenv("OMPI_ALLOW_RUN_AS_ROOT_CONFIRM", "1", 1);
    // Open MPI loses memory in modules that are gone when the leaks are counted, so that their
    // names are not known. Tests without it look for leaks of ours.
    ::setenv("ASAN_OPTIONS", "detect_leaks=0", 1);
    // Ranks give the first one a second to end them all, which it must not spend in waiting for
    // its own threads to show races at the end.
    ::setenv("TSAN_OPTIONS", "atexit_sleep_ms=0", 1);
  }

  [[nodiscard]] std::string path(const std::string& name) const { return folder_ / name; }

  struct Result {
    int code = 0;
    std::string text;  // both streams
  };
  [[nodiscard]] static std::string launcher(int ranks) {
    return ranks == 1 ? "" : "mpirun --oversubscribe -n " + std::to_string(ranks) + " ";
  }
  // `bellows ARGUMENTS` by so many ranks.
  [[nodiscard]] Result run(int ranks, const std::string& arguments) const {
    const int status = std::system((launcher(ranks) + "'" + BELLOWS_COMMAND + "' " + arguments +
                                    " > '" + path("output") + "' 2>&1")
                                       .c_str());
    return {WIFEXITED(status) ? WEXITSTATUS(status) : -1, output()};
  }

  // The same beside this process, by a launcher of one's own; the launcher's id.
  [[nodiscard]] pid_t start(const std::string& own_launcher, const std::string& arguments) const {
    const std::string command = "exec " + own_launcher + "'" + BELLOWS_COMMAND + "' " + arguments +
                                " > '" + path("output") + "' 2>&1";
    const pid_t child = ::fork();
    if (child == 0) {
      ::execl("/bin/sh", "sh", "-c", command.c_str(), nullptr);
      ::_exit(127);
    }
    return child;
  }
  // mpirun's children.
  [[nodiscard]] static std::vector<pid_t> ranks_of(pid_t mpirun) {
    const std::string id = std::to_string(mpirun);
    std::ifstream list("/proc/" + id + "/task/" + id + "/children");
    std::vector<pid_t> ranks;
    for (pid_t rank = 0; list >> rank;) ranks.push_back(rank);
    return ranks;
  }
  // Or for a minute.
  static void wait_until(const std::function<bool()>& reached) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(60);
    while (std::chrono::steady_clock::now() < deadline && !reached()) {
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
  }
  [[nodiscard]] std::string output() const {
    const Bytes bytes = read_file(path("output"));
    return {bytes.begin(), bytes.end()};
  }

  std::filesystem::path folder_ = fresh_folder();
};

}  // namespace bellows
