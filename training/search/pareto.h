// Fronts of two objectives, both to be made small, and the area that they dominate.
#pragma once

#include <array>
#include <cstddef>
#include <span>
#include <vector>

namespace bellows {

using Objectives = std::array<double, 2>;

/// Positions of those that no other one betters in both, by rising first objective. Of equals the
/// first.
[[nodiscard]] std::vector<std::size_t> pareto_indices(std::span<const Objectives> points);

/// The area between the front of `points` and `reference`: of what is worse than some point and
/// better than `reference` in both.
[[nodiscard]] double hypervolume(std::span<const Objectives> points, const Objectives& reference);

/// How much a further point is expected to add to the hypervolume, if its objectives are normally
/// distributed and independent (exact; Emmerich et al. 2011, "Hypervolume-based expected
/// improvement", in one sum over the steps of the front).
[[nodiscard]] double expected_improvement(std::span<const Objectives> points,
                                          const Objectives& reference, const Objectives& mean,
                                          const Objectives& stddev);

}  // namespace bellows
