#include "cli/interrupt.h"

#include <sys/time.h>
#include <unistd.h>

#include <cstring>

namespace bellows::cli {
namespace {

constexpr std::array kSignals = {SIGINT, SIGTERM, SIGHUP};

volatile std::sig_atomic_t g_interrupted = 0;
volatile std::sig_atomic_t g_watches_int = 0;
volatile std::sig_atomic_t g_watches_term = 0;

volatile std::sig_atomic_t g_patience_ms = 0;
const char* volatile g_last_words = "";

void set_alarm(int milliseconds) {
  const itimerval after = {.it_interval = {},
                           .it_value = {.tv_sec = milliseconds / 1000,
                                        .tv_usec = suseconds_t{milliseconds % 1000} * 1000}};
  setitimer(ITIMER_REAL, &after, nullptr);
}

extern "C" void remember_interrupt(int /*signal*/, siginfo_t* info, void* /*context*/) {
  g_interrupted = 1;
  if (g_patience_ms != 0 && info->si_pid == getppid()) set_alarm(g_patience_ms);
  // Whichever of the two comes next must kill.
  if (g_watches_int != 0) std::signal(SIGINT, SIG_DFL);
  if (g_watches_term != 0) std::signal(SIGTERM, SIG_DFL);
}

// Only what a handler may call.
extern "C" void end_with_last_words(int /*signal*/) {
  const char* text = g_last_words;
  static_cast<void>(!write(STDERR_FILENO, text, std::strlen(text)));
  _exit(1);
}

bool is_ignored(const struct sigaction& action) {
  return (action.sa_flags & SA_SIGINFO) == 0 && action.sa_handler == SIG_IGN;
}

}  // namespace

InterruptWatch::InterruptWatch(int patience_ms, const char* last_words) {
  g_interrupted = 0;
  g_patience_ms = patience_ms;
  g_last_words = last_words;
  struct sigaction action {};
  action.sa_handler = end_with_last_words;
  sigaction(SIGALRM, patience_ms != 0 ? &action : nullptr, &alarm_before_);
  action.sa_sigaction = remember_interrupt;
  sigemptyset(&action.sa_mask);
  action.sa_flags = SA_RESTART | SA_SIGINFO;
  for (std::size_t i = 0; i < kSignals.size(); ++i) sigaction(kSignals[i], nullptr, &before_[i]);
  g_watches_int = is_ignored(before_[0]) ? 0 : 1;
  g_watches_term = is_ignored(before_[1]) ? 0 : 1;
  for (std::size_t i = 0; i < kSignals.size(); ++i) {
    if (!is_ignored(before_[i])) sigaction(kSignals[i], &action, nullptr);
  }
}

InterruptWatch::~InterruptWatch() {
  if (g_patience_ms != 0) set_alarm(0);
  g_patience_ms = 0;
  sigaction(SIGALRM, &alarm_before_, nullptr);
  for (std::size_t i = 0; i < kSignals.size(); ++i) sigaction(kSignals[i], &before_[i], nullptr);
}

bool InterruptWatch::interrupted() { return g_interrupted != 0; }

}  // namespace bellows::cli
