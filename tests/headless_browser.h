// Chromium, as tests ask it what it makes of a page.
#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <string>
#include <vector>

#include "cli/browser.h"

extern char** environ;  // NOLINT(readability-redundant-declaration): not every system declares it

namespace bellows {

/// A browser without a window, spoken to by the DevTools protocol over two pipes. Failures of the
/// browser itself are std::runtime_error.
class HeadlessBrowser {
 public:
  /// REQUIRES: cli::find_browser() finds one. `folder` takes the browser's files.
  explicit HeadlessBrowser(const std::filesystem::path& folder) {
    const std::array<int, 2> commands = make_pipe();
    const std::array<int, 2> answers = make_pipe();
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, commands[0], 3);
    posix_spawn_file_actions_adddup2(&actions, answers[1], 4);
    posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
    std::vector<std::string> arguments = cli::browser_options(folder / "browser");
    arguments.insert(arguments.begin(), cli::find_browser().value().string());
    arguments.emplace_back("--remote-debugging-pipe");
    std::vector<char*> words;
    words.reserve(arguments.size() + 1);
    for (std::string& argument : arguments) words.push_back(argument.data());
    words.push_back(nullptr);
    const int error = posix_spawn(&process_, words[0], &actions, nullptr, words.data(), environ);
    posix_spawn_file_actions_destroy(&actions);
    ::close(commands[0]);
    ::close(answers[1]);
    to_ = commands[1];
    from_ = answers[0];
    if (error != 0) throw std::runtime_error("the browser cannot be started");
  }
  ~HeadlessBrowser() {
    ::close(to_);
    ::close(from_);
    ::kill(process_, SIGKILL);
    ::waitpid(process_, nullptr, 0);
  }
  HeadlessBrowser(const HeadlessBrowser&) = delete;
  HeadlessBrowser& operator=(const HeadlessBrowser&) = delete;

  /// Shows the page at `address` in a window of this size, and returns once it is loaded.
  void open(const std::string& address, int width, int height, bool dark = false) {
    const std::string target =
        call("Target.createTarget", {{"url", "about:blank"}}).at("targetId").get<std::string>();
    session_ = call("Target.attachToTarget", {{"targetId", target}, {"flatten", true}})
                   .at("sessionId")
                   .get<std::string>();
    for (const char* domain : {"Page", "Runtime", "Network", "Log"}) {
      call(std::string(domain) + ".enable");
    }
    call("Emulation.setDeviceMetricsOverride",
         {{"width", width}, {"height", height}, {"deviceScaleFactor", 1}, {"mobile", width < 600}});
    prefer_dark(dark);
    complaints_.clear();
    requests_.clear();
    loaded_ = false;
    call("Page.navigate", {{"url", address}});
    while (!loaded_) take(receive());
  }

  /// What the reader prefers; the page that is open is told, too.
  void prefer_dark(bool dark) {
    const Json feature = {{"name", "prefers-color-scheme"}, {"value", dark ? "dark" : "light"}};
    call("Emulation.setEmulatedMedia", {{"features", Json::array({feature})}});
  }

  /// The value of a JavaScript expression in the page.
  nlohmann::json evaluate(const std::string& expression) {
    const Json answer =
        call("Runtime.evaluate",
             {{"expression", expression}, {"returnByValue", true}, {"awaitPromise", true}});
    if (answer.contains("exceptionDetails")) {
      throw std::runtime_error(expression + ": " + answer["exceptionDetails"].dump());
    }
    return answer.at("result").value("value", Json());
  }

  /// Whatever the page has written to the console or thrown, and what was refused to it.
  [[nodiscard]] const std::vector<std::string>& complaints() const { return complaints_; }
  /// Addresses that were asked for, that of the page itself included.
  [[nodiscard]] const std::vector<std::string>& requests() const { return requests_; }

 private:
  using Json = nlohmann::json;

  // Out of the way of 3 and 4, where the browser looks for its ends.
  static std::array<int, 2> make_pipe() {
    std::array<int, 2> ends{};
    if (::pipe(ends.data()) != 0) throw std::runtime_error("no pipe");
    for (int& end : ends) {
      const int moved = ::fcntl(end, F_DUPFD_CLOEXEC, 10);
      ::close(end);
      end = moved;
    }
    return ends;
  }

  Json call(const std::string& method, const Json& parameters = Json::object()) {
    Json message = {{"id", ++last_id_}, {"method", method}, {"params", parameters}};
    if (!session_.empty() && !method.starts_with("Target.")) message["sessionId"] = session_;
    const std::string text = message.dump() + '\0';
    for (std::size_t sent = 0; sent < text.size();) {
      const ssize_t count = ::write(to_, text.data() + sent, text.size() - sent);
      if (count <= 0) throw std::runtime_error("the browser does not listen");
      sent += static_cast<std::size_t>(count);
    }
    for (;;) {
      const Json answer = receive();
      take(answer);
      if (answer.value("id", 0) != last_id_) continue;
      if (answer.contains("error")) throw std::runtime_error(method + ": " + answer.dump());
      return answer.at("result");
    }
  }

  Json receive() {
    for (;;) {
      const std::size_t end = received_.find('\0');
      if (end != std::string::npos) {
        Json message = Json::parse(received_.substr(0, end));
        received_.erase(0, end + 1);
        return message;
      }
      pollfd waiting{.fd = from_, .events = POLLIN, .revents = 0};
      if (::poll(&waiting, 1, 60'000) <= 0) throw std::runtime_error("the browser says nothing");
      std::array<char, 65536> bytes{};
      const ssize_t count = ::read(from_, bytes.data(), bytes.size());
      if (count <= 0) throw std::runtime_error("the browser has ended");
      received_.append(bytes.data(), static_cast<std::size_t>(count));
    }
  }

  void take(const Json& message) {
    const std::string event = message.value("method", "");
    if (event == "Page.loadEventFired") loaded_ = true;
    if (event == "Runtime.consoleAPICalled" || event == "Runtime.exceptionThrown" ||
        event == "Log.entryAdded") {
      complaints_.push_back(message["params"].dump());
    }
    if (event == "Network.requestWillBeSent") {
      requests_.push_back(message["params"]["request"]["url"].get<std::string>());
    }
  }

  pid_t process_ = -1;
  int to_ = -1;
  int from_ = -1;
  int last_id_ = 0;
  bool loaded_ = false;
  std::string session_;
  std::string received_;
  std::vector<std::string> complaints_;
  std::vector<std::string> requests_;
};

}  // namespace bellows

/// First line of a test that needs a browser.
#define BELLOWS_SKIP_WITHOUT_BROWSER()                                                  \
  if (!cli::find_browser()) {                                                           \
    GTEST_SKIP() << "there is no Chromium; third_party/install.sh --browser brings it"; \
  }                                                                                     \
  static_assert(true)
