// Work on many images at once.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <exception>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

#include "engine/threads.h"

namespace bellows::data {

/// Calls `act(i)` for every i below `count`, on `threads` threads (0: as many as the machine has),
/// in any order. What one call throws is thrown again when all have ended; then some of the work is
/// left undone.
inline void for_each_index(std::size_t count, int threads,
                           const std::function<void(std::size_t)>& act) {
  constexpr std::size_t kPortion = 256;  // that a thread takes at a time
  std::atomic<std::size_t> taken{0};
  std::mutex mutex;
  std::exception_ptr thrown;
  const auto work = [&] {
    try {
      for (std::size_t first = 0; (first = taken.fetch_add(kPortion)) < count;) {
        for (std::size_t i = first; i < std::min(first + kPortion, count); ++i) act(i);
      }
    } catch (...) {
      taken = count;
      const std::lock_guard lock(mutex);
      if (!thrown) thrown = std::current_exception();
    }
  };
  const auto wanted = static_cast<std::size_t>(threads > 0 ? threads : available_cores());
  const std::size_t most = std::min(wanted, (count + kPortion - 1) / kPortion);
  {
    std::vector<std::jthread> helpers;
    for (std::size_t i = 1; i < most; ++i) helpers.emplace_back(work);
    work();
  }
  if (thrown) std::rethrow_exception(thrown);
}

}  // namespace bellows::data
