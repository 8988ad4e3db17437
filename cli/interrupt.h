// Ctrl-C as a request to stop at the next good moment.
#pragma once

#include <csignal>

namespace bellows::cli {

/// While this lives, the first SIGINT or SIGTERM only sets a flag; the second ends the program at
/// once, as without it. One at a time in a process.
class InterruptWatch {
 public:
  InterruptWatch();
  ~InterruptWatch();
  InterruptWatch(const InterruptWatch&) = delete;
  InterruptWatch& operator=(const InterruptWatch&) = delete;

  /// Whether a signal has come since this was made.
  [[nodiscard]] static bool interrupted();

 private:
  struct sigaction before_int_ {};
  struct sigaction before_term_ {};
};

}  // namespace bellows::cli
