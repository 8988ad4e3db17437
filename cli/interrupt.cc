#include "cli/interrupt.h"

namespace bellows::cli {
namespace {

volatile std::sig_atomic_t g_interrupted = 0;

extern "C" void remember_interrupt(int /*signal*/) {
  g_interrupted = 1;
  // Whichever of the two comes next must kill.
  std::signal(SIGINT, SIG_DFL);
  std::signal(SIGTERM, SIG_DFL);
}

}  // namespace

InterruptWatch::InterruptWatch() {
  g_interrupted = 0;
  struct sigaction action {};
  action.sa_handler = remember_interrupt;
  sigemptyset(&action.sa_mask);
  action.sa_flags = SA_RESTART;
  sigaction(SIGINT, &action, &before_int_);
  sigaction(SIGTERM, &action, &before_term_);
}

InterruptWatch::~InterruptWatch() {
  sigaction(SIGINT, &before_int_, nullptr);
  sigaction(SIGTERM, &before_term_, nullptr);
}

bool InterruptWatch::interrupted() { return g_interrupted != 0; }

}  // namespace bellows::cli
