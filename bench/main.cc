// Runs the benchmarks, with the processor's name at the head of the output.
#include <benchmark/benchmark.h>

#include <fstream>
#include <string>

#include "bench/energy_per_width.h"

namespace {

// As Linux tells it; "unknown" elsewhere.
std::string cpu_model() {
  std::ifstream facts("/proc/cpuinfo");
  for (std::string line; std::getline(facts, line);) {
    if (line.starts_with("model name")) return line.substr(line.find(':') + 2);
  }
  return "unknown";
}

}  // namespace

int main(int argc, char** argv) {
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
  benchmark::AddCustomContext("cpu_model", cpu_model());
  bellows::bench::register_energy_per_width();
  benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
  return 0;
}
