#include "cli/console.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <iostream>
#include <nlohmann/json.hpp>
#include <string_view>

namespace bellows::cli {
namespace {

constexpr std::chrono::milliseconds kStatusInterval(100);

int columns_of(int descriptor) {
  winsize size{};
  if (ioctl(descriptor, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) return size.ws_col;
  return 80;
}

bool is_set(const char* variable) {
  const char* value = std::getenv(variable);
  return value != nullptr && *value != '\0';
}

}  // namespace

Terminal detect_terminal(const std::ostream& out, const std::ostream& err) {
  Terminal terminal;
  terminal.out = &out == &std::cout && isatty(STDOUT_FILENO) != 0;
  terminal.err = &err == &std::cerr && isatty(STDERR_FILENO) != 0;
  const char* kind = std::getenv("TERM");
  const bool dumb = kind == nullptr || std::string_view(kind) == "dumb";
  // A dumb terminal cannot take a line back.
  if (dumb) terminal.err = false;
  terminal.colours = terminal.out && !dumb && !is_set("NO_COLOR");
  if (terminal.out || terminal.err) {
    terminal.width = columns_of(terminal.err ? STDERR_FILENO : STDOUT_FILENO);
  }
  return terminal;
}

void Console::print(const std::string& text) {
  clear_status();
  out_ << text;
  if (text.empty() || text.back() != '\n') out_ << '\n';
  out_.flush();
}

void Console::print_json(const nlohmann::ordered_json& value) {
  print(value.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace));
}

bool Console::broken() const { return !out_; }

void Console::note(const std::string& text) {
  clear_status();
  err_ << printable(text) << '\n';
  err_.flush();
}

bool Console::status_due() const {
  return terminal_.err &&
         (!status_shown_ || std::chrono::steady_clock::now() - status_time_ >= kStatusInterval);
}

void Console::status(const std::string& text, bool now) {
  if (!terminal_.err || (!now && !status_due())) return;
  // One column stays free: some terminals wrap when the last one is written.
  const auto room = static_cast<std::size_t>(std::max(terminal_.width - 1, 1));
  err_ << "\r\x1b[K" << printable(text).substr(0, room);
  err_.flush();
  status_shown_ = true;
  status_time_ = std::chrono::steady_clock::now();
}

void Console::clear_status() {
  if (!status_shown_) return;
  err_ << "\r\x1b[K";
  err_.flush();
  status_shown_ = false;
}

std::string progress_bar(double share, int width) {
  const int inside = std::max(width - 2, 1);
  const int full = static_cast<int>(std::clamp(share, 0.0, 1.0) * inside);
  std::string bar(static_cast<std::size_t>(full), '=');
  if (full < inside) bar += '>';
  bar.resize(static_cast<std::size_t>(inside), ' ');
  return "[" + bar + "]";
}

std::string printable(const std::string& text) {
  std::string clean = text;
  for (char& c : clean) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte == 0x7f) c = '?';
  }
  return clean;
}

std::string mended(std::string_view text) {
  using Json = nlohmann::json;
  const std::string json = Json(text).dump(-1, ' ', false, Json::error_handler_t::replace);
  return Json::parse(json).get<std::string>();
}

}  // namespace bellows::cli
