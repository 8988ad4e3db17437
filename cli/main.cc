// The program: everything is in command.h.
#include <iostream>
#include <string>
#include <vector>

#include "cli/command.h"

int main(int argc, char** argv) {
  const std::vector<std::string> arguments(argv + (argc > 0 ? 1 : 0), argv + argc);
  return bellows::cli::run_command(arguments, std::cout, std::cerr, argc > 0 ? argv[0] : "bellows");
}
