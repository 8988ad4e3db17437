// The best mixture of operating points under one budget, in closed form. With further constraints
// it is a linear programme: training/policies/mixture_program.h.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

namespace bellows {

/// A part of a mixture.
struct MixturePart {
  std::size_t point = 0;
  double share = 0;  ///< above 0; those of a mixture sum up to 1

  bool operator==(const MixturePart&) const = default;
};

/// Positions of the points that no mixture of others surpasses, by rising cost, which is also
/// rising accuracy: the corners of the upper concave hull. Of points that are equal in both the
/// first one.
[[nodiscard]] std::vector<std::size_t> upper_hull(std::span<const double> costs,
                                                  std::span<const double> accuracies);

/// The mixture of highest accuracy whose mean cost is not above `budget`: a point of the hull, or
/// two neighbours on it; the cheaper one first. Throws Error(kInvalidArgument) for no points, sizes
/// that differ, and a budget below the cheapest point or that is no number.
[[nodiscard]] std::vector<MixturePart> best_mixture(std::span<const double> costs,
                                                    std::span<const double> accuracies,
                                                    double budget);

}  // namespace bellows
