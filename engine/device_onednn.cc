#include <bellows/profile.h>

#include <unistd.h>

#include <dnnl.hpp>
#include <fstream>
#include <string>

#include "engine/profile_data.h"

namespace bellows {
namespace {

// oneDNN has numbers for them only. Those that it adds later keep their number.
std::string isa_name() {
  switch (dnnl_get_effective_cpu_isa()) {
    case dnnl_cpu_isa_sse41:
      return "SSE4.1";
    case dnnl_cpu_isa_avx:
      return "AVX";
    case dnnl_cpu_isa_avx2:
      return "AVX2";
    case dnnl_cpu_isa_avx512_core:
      return "AVX-512";
    case dnnl_cpu_isa_avx512_core_vnni:
      return "AVX-512 with VNNI";
    case dnnl_cpu_isa_avx512_core_bf16:
      return "AVX-512 with BF16";
    case static_cast<dnnl_cpu_isa_t>(0):  // "all" in oneDNN 2, "default" in 3
      return "all";
    default:
      return "number " + std::to_string(static_cast<int>(dnnl_get_effective_cpu_isa()));
  }
}

}  // namespace

Device this_device() {
  const dnnl_version_t* version = dnnl_version();
  return {.processor = internal::processor_name(),
          .isa = isa_name(),
          .cores = static_cast<int>(::sysconf(_SC_NPROCESSORS_ONLN)),
          .onednn = std::to_string(version->major) + "." + std::to_string(version->minor) + "." +
                    std::to_string(version->patch)};
}

namespace internal {

std::string processor_name(const std::filesystem::path& root) {
  // A stream keeps it to itself otherwise when memory runs out.
  std::ifstream cpuinfo(root / "proc/cpuinfo");
  cpuinfo.exceptions(std::ios::badbit);
  for (std::string line; std::getline(cpuinfo, line);) {
    const std::size_t colon = line.find(':');
    if (line.starts_with("model name") && colon != std::string::npos) {
      const std::size_t first = line.find_first_not_of(" \t", colon + 1);
      if (first != std::string::npos) return line.substr(first);
    }
  }
  // Boards with Arm processors are known by the name of the board, which ends in a zero.
  std::ifstream board(root / "proc/device-tree/model");
  board.exceptions(std::ios::badbit);
  std::string name;
  std::getline(board, name, '\0');
  return name.empty() ? "unknown processor" : name;
}

}  // namespace internal
}  // namespace bellows
