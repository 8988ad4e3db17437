#include "bench/peers/process.h"

#include <bellows/error.h>
#include <fcntl.h>
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

Conversation::Conversation(const std::vector<std::string>& arguments) : arguments_(arguments) {
  std::array<int, 2> in{};
  std::array<int, 2> out{};
  // Closed in the child by themselves, so that it sees the end of its input.
  if (::pipe2(in.data(), O_CLOEXEC) != 0 || ::pipe2(out.data(), O_CLOEXEC) != 0) {
    fail(arguments, "no pipe");
  }
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, in[0], STDIN_FILENO);
  posix_spawn_file_actions_adddup2(&actions, out[1], STDOUT_FILENO);
  std::vector<char*> words;
  for (const std::string& argument : arguments_) {
    words.push_back(const_cast<char*>(argument.c_str()));
  }
  words.push_back(nullptr);
  pid_t child = 0;
  const int error = posix_spawnp(&child, words[0], &actions, nullptr, words.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  ::close(in[0]);
  ::close(out[1]);
  to_ = in[1];
  from_ = out[0];
  child_ = child;
  if (error != 0) fail(arguments, "it cannot be started");
}

Conversation::~Conversation() {
  ::close(to_);
  ::close(from_);
  while (child_ > 0 && ::waitpid(child_, nullptr, 0) < 0 && errno == EINTR) {
  }
}

std::string Conversation::hear() {
  std::size_t end = 0;
  while ((end = heard_.find('\n')) == std::string::npos) {
    std::array<char, 512> bytes{};
    const ssize_t count = ::read(from_, bytes.data(), bytes.size());
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) fail(arguments_, "it ended without an answer");
    heard_.append(bytes.data(), static_cast<std::size_t>(count));
  }
  std::string line = heard_.substr(0, end);
  heard_.erase(0, end + 1);
  return line;
}

void Conversation::say(const std::string& line) {
  const std::string text = line + "\n";
  for (std::size_t done = 0; done < text.size();) {
    const ssize_t count = ::write(to_, text.data() + done, text.size() - done);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) fail(arguments_, "it reads no more");
    done += static_cast<std::size_t>(count);
  }
}

}  // namespace bellows::peers
