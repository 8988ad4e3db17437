// Ctrl-C as a request to stop at the next good moment.
#pragma once

#include <array>
#include <csignal>

namespace bellows::cli {

/// While this lives, the first SIGINT, SIGTERM or SIGHUP only sets a flag; a SIGINT or SIGTERM
/// after it ends the program at once, as without it. (A terminal that closes sends SIGHUP more than
/// once.) A signal that was ignored, as in background jobs, stays ignored. One at a time in a
/// process.
class InterruptWatch {
 public:
  /// With `patience_ms` a signal from the parent process also sets a clock, and when that has run
  /// out the program ends with `last_words` and exit code 1: for what may hang, as a rank does
  /// whose neighbour is gone and whose parent, the launcher, ends it for that. The text must live
  /// as long as the program.
  explicit InterruptWatch(int patience_ms = 0, const char* last_words = "");
  ~InterruptWatch();
  InterruptWatch(const InterruptWatch&) = delete;
  InterruptWatch& operator=(const InterruptWatch&) = delete;

  /// Whether a signal has come since this was made.
  [[nodiscard]] static bool interrupted();

 private:
  std::array<struct sigaction, 3> before_{};
  struct sigaction alarm_before_ {};
};

}  // namespace bellows::cli
