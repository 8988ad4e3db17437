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
  InterruptWatch();
  ~InterruptWatch();
  InterruptWatch(const InterruptWatch&) = delete;
  InterruptWatch& operator=(const InterruptWatch&) = delete;

  /// Whether a signal has come since this was made.
  [[nodiscard]] static bool interrupted();

 private:
  std::array<struct sigaction, 3> before_{};
};

}  // namespace bellows::cli
