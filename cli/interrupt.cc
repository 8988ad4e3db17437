#include "cli/interrupt.h"

namespace bellows::cli {
namespace {

constexpr std::array kSignals = {SIGINT, SIGTERM, SIGHUP};

volatile std::sig_atomic_t g_interrupted = 0;
volatile std::sig_atomic_t g_watches_int = 0;
volatile std::sig_atomic_t g_watches_term = 0;

extern "C" void remember_interrupt(int /*signal*/) {
  g_interrupted = 1;
  // Whichever of the two comes next must kill.
  if (g_watches_int != 0) std::signal(SIGINT, SIG_DFL);
  if (g_watches_term != 0) std::signal(SIGTERM, SIG_DFL);
}

bool is_ignored(const struct sigaction& action) {
  return (action.sa_flags & SA_SIGINFO) == 0 && action.sa_handler == SIG_IGN;
}

}  // namespace

InterruptWatch::InterruptWatch() {
  g_interrupted = 0;
  struct sigaction action {};
  action.sa_handler = remember_interrupt;
  sigemptyset(&action.sa_mask);
  action.sa_flags = SA_RESTART;
  for (std::size_t i = 0; i < kSignals.size(); ++i) sigaction(kSignals[i], nullptr, &before_[i]);
  g_watches_int = is_ignored(before_[0]) ? 0 : 1;
  g_watches_term = is_ignored(before_[1]) ? 0 : 1;
  for (std::size_t i = 0; i < kSignals.size(); ++i) {
    if (!is_ignored(before_[i])) sigaction(kSignals[i], &action, nullptr);
  }
}

InterruptWatch::~InterruptWatch() {
  for (std::size_t i = 0; i < kSignals.size(); ++i) sigaction(kSignals[i], &before_[i], nullptr);
}

bool InterruptWatch::interrupted() { return g_interrupted != 0; }

}  // namespace bellows::cli
