// Where the command writes to: result lines, messages, and a status line on a terminal.
#pragma once

#include <chrono>
#include <iosfwd>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

namespace bellows::cli {

/// What is said when results cannot be written.
constexpr const char* kOutputProblem =
    "the output could not be written (disk full, or nobody reads it?)";

/// What the two streams are connected to.
struct Terminal {
  bool out = false;      ///< results go to a terminal
  bool err = false;      ///< messages go to a terminal, so there is a status line
  bool colours = false;  ///< headings may be set off
  int width = 80;        ///< columns
};

/// Looks at the streams: those that are not std::cout and std::cerr are no terminals. No colours
/// when NO_COLOR is set (https://no-color.org) or TERM is "dumb".
Terminal detect_terminal(const std::ostream& out, const std::ostream& err);

/// Results go to one stream, everything else to the other. One thread at a time.
class Console {
 public:
  /// The streams must outlive this.
  Console(std::ostream& out, std::ostream& err, Terminal terminal)
      : out_(out), err_(err), terminal_(terminal) {}
  Console(const Console&) = delete;
  Console& operator=(const Console&) = delete;
  /// Takes the status line away.
  ~Console() { clear_status(); }

  /// A result: text of one or more lines; the last line break is added.
  void print(const std::string& text);
  /// A result for machines: JSON on one line. Text that is not UTF-8 is mended.
  void print_json(const nlohmann::ordered_json& value);
  /// Whether a result could not be written.
  [[nodiscard]] bool broken() const;
  /// A message for people, one line.
  void note(const std::string& text);

  /// Replaces the status line; cut to the terminal's width. Nothing without a terminal, and nothing
  /// when the last one is younger than a tenth of a second, unless `now`.
  void status(const std::string& text, bool now = false);
  /// Whether `status` would show something: spares making the text.
  [[nodiscard]] bool status_due() const;
  void clear_status();

  /// What sets a heading off where colours are allowed: written before and behind it.
  [[nodiscard]] const char* heading_begin() const { return terminal_.colours ? "\x1b[1m" : ""; }
  [[nodiscard]] const char* heading_end() const { return terminal_.colours ? "\x1b[0m" : ""; }
  [[nodiscard]] const Terminal& terminal() const { return terminal_; }

 private:
  std::ostream& out_;
  std::ostream& err_;
  Terminal terminal_;
  bool status_shown_ = false;
  std::chrono::steady_clock::time_point status_time_;
};

/// "[=======>        ]" of `width` columns, the brackets included; `share` from 0 to 1.
std::string progress_bar(double share, int width);

/// `text` with what would move the cursor or break the line replaced by '?'.
std::string printable(const std::string& text);

/// `text` with what is not UTF-8 replaced by U+FFFD.
std::string mended(std::string_view text);

}  // namespace bellows::cli
