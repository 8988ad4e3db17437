// Holding a part of the training images out, for validation and tuning.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "training/data/dataset.h"

namespace bellows {

struct HoldOutOptions {
  /// Share of the images to hold out, in (0, 1); used when `count` is 0.
  double fraction = 0.1;
  /// Number of images to hold out.
  std::size_t count = 0;
  std::uint64_t seed = 1;
};

/// Positions in the data set, both ascending, disjoint, together all.
struct HoldOut {
  std::vector<std::uint32_t> kept;
  std::vector<std::uint32_t> held_out;
};

/// Chooses by seed, stratified: every class gives its share, rounded so that the sum is exact
/// (largest remainders first). When `dataset.neighbours_related()`, the last images are held out
/// instead, whatever the seed. Deterministic on every machine.
/// Throws Error(kInvalidArgument) unless at least one image remains on both sides.
[[nodiscard]] HoldOut hold_out(const Dataset& dataset, const HoldOutOptions& options);

}  // namespace bellows
