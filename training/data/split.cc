#include "training/data/split.h"

#include <bellows/error.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <string>

#include "training/data/random.h"

namespace bellows {
namespace {

constexpr std::uint64_t kStream = 0x73706c6974;  // keeps this use of the seed apart from others

std::size_t held_out_count(const Dataset& dataset, const HoldOutOptions& options) {
  std::size_t count = options.count;
  if (count == 0) {
    if (!(options.fraction > 0 && options.fraction < 1)) {
      throw Error(
          ErrorCode::kInvalidArgument,
          "hold-out fraction " + std::to_string(options.fraction) + " is not between 0 and 1");
    }
    count = static_cast<std::size_t>(
        std::lround(options.fraction * static_cast<double>(dataset.size())));
  }
  if (count == 0 || count >= dataset.size()) {
    throw Error(ErrorCode::kInvalidArgument, "cannot hold " + std::to_string(count) + " out of " +
                                                 std::to_string(dataset.size()) +
                                                 " images; both parts need at least one");
  }
  return count;
}

// How many of each class: its share rounded down, and what is left to the largest remainders.
std::vector<std::size_t> quotas(const std::vector<std::size_t>& counts, std::size_t held_out,
                                std::size_t total) {
  std::vector<std::size_t> quota;
  std::vector<std::size_t> remainder;
  for (const std::size_t count : counts) {
    quota.push_back(count * held_out / total);
    remainder.push_back(count * held_out % total);
  }
  std::vector<std::size_t> order(counts.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return remainder[a] > remainder[b]; });
  std::size_t left = held_out - std::accumulate(quota.begin(), quota.end(), std::size_t{0});
  for (std::size_t i = 0; i < left; ++i) ++quota[order[i]];
  return quota;
}

}  // namespace

HoldOut hold_out(const Dataset& dataset, const HoldOutOptions& options) {
  const std::size_t count = held_out_count(dataset, options);
  std::vector<char> chosen(dataset.size(), 0);
  if (dataset.neighbours_related()) {
    std::fill(chosen.end() - static_cast<std::ptrdiff_t>(count), chosen.end(), 1);
  } else {
    const std::vector<std::size_t> quota = quotas(dataset.count_per_class(), count, dataset.size());
    std::vector<std::vector<std::uint32_t>> members(quota.size());
    for (std::uint32_t i = 0; i < dataset.size(); ++i) {
      members[static_cast<std::size_t>(dataset.label(i))].push_back(i);
    }
    for (std::size_t label = 0; label < quota.size(); ++label) {
      data::KeyedRandom random(options.seed, kStream, label);
      data::shuffle(members[label], random);
      for (std::size_t i = 0; i < quota[label]; ++i) chosen[members[label][i]] = 1;
    }
  }
  HoldOut parts;
  for (std::uint32_t i = 0; i < dataset.size(); ++i) {
    (chosen[i] != 0 ? parts.held_out : parts.kept).push_back(i);
  }
  return parts;
}

}  // namespace bellows
