#include "engine/machine_caches.h"

#include <algorithm>
#include <charconv>
#include <optional>

namespace bellows {
namespace {

// "48K", "2048K", "36M".
std::optional<std::int64_t> size_of(const std::string& text) {
  std::int64_t number = 0;
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, number);
  if (error != std::errc() || number <= 0 || number > (std::int64_t{1} << 40)) return std::nullopt;
  const std::string unit(stop, end);
  if (unit.empty()) return number;
  if (unit == "K") return number * 1024;
  if (unit == "M") return number * 1024 * 1024;
  return std::nullopt;
}

}  // namespace

std::vector<Cache> machine_caches(const Sysfs& sysfs) {
  const std::string folder = "devices/system/cpu/cpu0/cache";
  std::vector<Cache> caches;
  for (const std::string& entry : sysfs.list(folder)) {
    const auto level = sysfs.text(folder + "/" + entry + "/level");
    const auto type = sysfs.text(folder + "/" + entry + "/type");
    const auto size = size_of(sysfs.text(folder + "/" + entry + "/size").value_or(""));
    if (!level || !type || !size || *type == "Instruction") continue;
    caches.push_back({"L" + *level, *size});
  }
  std::ranges::sort(caches, {}, &Cache::size_bytes);
  return caches;
}

std::string smallest_with_room(const std::vector<Cache>& caches, std::int64_t bytes) {
  for (const Cache& cache : caches) {
    if (bytes <= cache.size_bytes) return cache.name;
  }
  return "memory";
}

}  // namespace bellows
