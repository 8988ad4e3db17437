#include "training/data/random.h"

#include <cstddef>
#include <utility>

namespace bellows::data {

void shuffle(std::vector<std::uint32_t>& values, KeyedRandom& random) {
  for (std::size_t left = values.size(); left > 1; --left) {
    std::swap(values[left - 1], values[random.below(static_cast<std::uint32_t>(left))]);
  }
}

}  // namespace bellows::data
