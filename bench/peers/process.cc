#include "bench/peers/process.h"

#include <bellows/error.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <fstream>

extern char** environ;  // NOLINT(readability-redundant-declaration): not every system declares it

namespace bellows::peers {
namespace {

using Clock = std::chrono::steady_clock;

struct Finished {
  std::string output;
  double seconds_to_first_byte = 0;
};

[[noreturn]] void fail(const std::vector<std::string>& arguments, const char* problem) {
  std::string command;
  for (const std::string& argument : arguments) command += " " + argument;
  throw Error(ErrorCode::kIoError, std::string("could not measure:") + command + ": " + problem);
}

Finished run(const std::vector<std::string>& arguments) {
  std::array<int, 2> ends{};
  if (::pipe(ends.data()) != 0) fail(arguments, "no pipe");
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
  posix_spawn_file_actions_addclose(&actions, ends[0]);
  posix_spawn_file_actions_addclose(&actions, ends[1]);
  std::vector<char*> words;
  words.reserve(arguments.size() + 1);
  for (const std::string& argument : arguments) {
    words.push_back(const_cast<char*>(argument.c_str()));
  }
  words.push_back(nullptr);

  Finished finished;
  const Clock::time_point start = Clock::now();
  pid_t child = 0;
  const int error = posix_spawn(&child, words[0], &actions, nullptr, words.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  ::close(ends[1]);
  std::array<char, 4096> bytes{};
  for (;;) {
    const ssize_t count = error == 0 ? ::read(ends[0], bytes.data(), bytes.size()) : 0;
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) break;
    if (finished.output.empty()) {
      finished.seconds_to_first_byte = std::chrono::duration<double>(Clock::now() - start).count();
    }
    finished.output.append(bytes.data(), static_cast<std::size_t>(count));
  }
  ::close(ends[0]);
  if (error != 0) fail(arguments, "it cannot be started");
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) fail(arguments, "it failed");
  if (finished.output.empty()) fail(arguments, "it printed nothing");
  if (finished.output.back() == '\n') finished.output.pop_back();
  return finished;
}

}  // namespace

std::size_t resident_bytes() {
  std::ifstream facts("/proc/self/statm");
  std::size_t total = 0;
  std::size_t resident = 0;
  facts >> total >> resident;
  return resident * static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
}

std::string output_of(const std::vector<std::string>& arguments) { return run(arguments).output; }

double seconds_to_first_output(const std::vector<std::string>& arguments) {
  return run(arguments).seconds_to_first_byte;
}

}  // namespace bellows::peers
