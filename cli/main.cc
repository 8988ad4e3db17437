// The program: everything is in command.h.
#include <csignal>
#include <iostream>
#include <string>
#include <vector>

#include "cli/command.h"

int main(int argc, char** argv) {
  // Whoever reads the output may go away first, as in a pipe at Ctrl-C: that shows as a stream that
  // cannot be written, and must not end a run before its checkpoint is saved.
  std::signal(SIGPIPE, SIG_IGN);
  const std::vector<std::string> arguments(argv + (argc > 0 ? 1 : 0), argv + argc);
  return bellows::cli::run_command(arguments, std::cout, std::cerr, argc > 0 ? argv[0] : "bellows");
}
