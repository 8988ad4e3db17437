#include "cli/browser.h"

#include <bellows/error.h>
#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <sstream>
#include <thread>

#include "engine/atomic_file.h"
#include "engine/input_file.h"

extern char** environ;  // NOLINT(readability-redundant-declaration): not every system declares it

namespace bellows::cli {
namespace {

constexpr std::chrono::seconds kPatience{60};

// A folder that goes away with all that is in it.
class ScratchFolder {
 public:
  ScratchFolder() {
    std::string name = (std::filesystem::temp_directory_path() / "bellows-XXXXXX").string();
    if (::mkdtemp(name.data()) == nullptr) {
      throw Error(ErrorCode::kIoError, "cannot make a folder for the browser's files, like '" +
                                           name + "'; is the disk full?");
    }
    path_ = name;
  }
  ~ScratchFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  ScratchFolder(const ScratchFolder&) = delete;
  ScratchFolder& operator=(const ScratchFolder&) = delete;

  [[nodiscard]] const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

// Runs a program to its end, its output thrown away. Returns whether it ended well and in time.
bool succeeds(const std::vector<std::string>& arguments) {
  std::vector<char*> words;
  words.reserve(arguments.size() + 1);
  for (const std::string& argument : arguments) {
    words.push_back(const_cast<char*>(argument.c_str()));
  }
  words.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
  posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
  pid_t child = 0;
  const int error = posix_spawnp(&child, words[0], &actions, nullptr, words.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  if (error != 0) return false;

  const auto deadline = std::chrono::steady_clock::now() + kPatience;
  for (;;) {
    int status = 0;
    const pid_t ended = ::waitpid(child, &status, WNOHANG);
    if (ended == child) return WIFEXITED(status) && WEXITSTATUS(status) == 0;
    if (ended < 0 && errno != EINTR) return false;
    if (std::chrono::steady_clock::now() > deadline) {
      ::kill(child, SIGKILL);
      ::waitpid(child, &status, 0);
      return false;
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
}

}  // namespace

std::optional<std::filesystem::path> find_browser() {
  const char* named = std::getenv("BELLOWS_BROWSER");
  if (named != nullptr && *named != '\0') return named;
  const char* folders = std::getenv("PATH");
  if (folders == nullptr) return std::nullopt;
  for (const char* name :
       {"chromium", "chromium-browser", "google-chrome-stable", "google-chrome"}) {
    std::istringstream all(folders);
    for (std::string folder; std::getline(all, folder, ':');) {
      const std::filesystem::path program = std::filesystem::path(folder) / name;
      if (!folder.empty() && ::access(program.c_str(), X_OK) == 0) return program;
    }
  }
  return std::nullopt;
}

std::string file_address(const std::filesystem::path& file) {
  constexpr std::string_view kPlain =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~/";
  constexpr std::string_view kDigits = "0123456789ABCDEF";
  std::string address = "file://";
  for (const char character : std::filesystem::absolute(file).string()) {
    if (kPlain.find(character) != std::string_view::npos) {
      address += character;
      continue;
    }
    const auto byte = static_cast<unsigned char>(character);
    address += {'%', kDigits[byte / 16], kDigits[byte % 16]};
  }
  return address;
}

std::vector<std::string> browser_options(const std::filesystem::path& folder) {
  std::vector<std::string> options = {"--headless",
                                      "--disable-gpu",
                                      "--disable-extensions",
                                      "--disable-background-networking",
                                      "--disable-component-update",
                                      "--disable-sync",
                                      "--no-first-run",
                                      "--no-default-browser-check",
                                      "--disable-dev-shm-usage",
                                      "--user-data-dir=" + folder.string()};
  // Chromium's sandbox refuses to run as root, as in containers.
  if (::geteuid() == 0) options.emplace_back("--no-sandbox");
  return options;
}

void save_picture(const std::string& address, int width, int height,
                  const std::filesystem::path& picture) {
  const auto browser = find_browser();
  if (!browser) {
    throw Error(ErrorCode::kNotFound,
                "cannot draw '" + picture.string() +
                    "': there is no Chromium on the PATH; on Debian: apt-get install chromium, or "
                    "name one with BELLOWS_BROWSER");
  }
  const ScratchFolder scratch;
  const std::filesystem::path drawn = scratch.path() / "picture.png";
  std::vector<std::string> arguments = browser_options(scratch.path() / "browser");
  arguments.insert(arguments.begin(), browser->string());
  arguments.insert(arguments.end(),
                   {"--hide-scrollbars", "--force-device-scale-factor=2",
                    "--window-size=" + std::to_string(width) + "," + std::to_string(height),
                    "--screenshot=" + drawn.string(), address});
  if (!succeeds(arguments) || !std::filesystem::exists(drawn)) {
    throw Error(ErrorCode::kIoError, "cannot draw '" + picture.string() + "': the browser '" +
                                         browser->string() +
                                         "' fails; does it run with --headless?");
  }
  const InputFile file(drawn);
  std::vector<std::uint8_t> bytes(file.size());
  file.read(0, bytes);
  write_file_atomically(picture, bytes);
}

}  // namespace bellows::cli
