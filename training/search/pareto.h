// Fronts of several objectives, all to be made small, and the volume that they dominate.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

namespace bellows {

/// One value for each objective.
using Objectives = std::vector<double>;

/// Whether `a` is nowhere worse than `b` and somewhere better. REQUIRES: equal lengths.
[[nodiscard]] bool dominates(const Objectives& a, const Objectives& b);

/// Positions of those that no other one dominates, by rising first objective. Of equals the first.
/// REQUIRES: equal lengths, here and below.
[[nodiscard]] std::vector<std::size_t> pareto_indices(std::span<const Objectives> points);

/// The front that each point belongs to: 0 for those that nothing dominates, 1 for those that only
/// these dominate, and so on (non-dominated sorting; Deb et al. 2002).
[[nodiscard]] std::vector<int> front_numbers(std::span<const Objectives> points);

/// How much room each point has on its front: the distances between its neighbours there, by the
/// front's length in each objective, added up; infinite at the ends (Deb et al. 2002).
[[nodiscard]] std::vector<double> crowding_distances(std::span<const Objectives> points,
                                                     std::span<const int> fronts);

/// The volume between the front of `points` and `reference`: of what is worse than some point and
/// better than `reference` in every objective. Exact.
[[nodiscard]] double hypervolume(std::span<const Objectives> points, const Objectives& reference);

/// What lies below no point, cut into boxes: where a further point can add to the hypervolume, and
/// how much it is expected to add. The number of boxes grows with the number of points to the power
/// of the objectives less one.
class FreeSpace {
 public:
  /// What does not better `reference` in all objectives counts for nothing.
  FreeSpace(std::span<const Objectives> points, const Objectives& reference);

  /// How much a point adds in the mean, if its objectives are normally distributed and independent:
  /// exact, for any number of objectives (Emmerich et al. 2011, "Hypervolume-based expected
  /// improvement", as a sum over boxes). What is certain has a deviation of 0.
  [[nodiscard]] double expected_improvement(const Objectives& mean, const Objectives& stddev) const;

 private:
  void cut(const std::vector<const Objectives*>& points, std::size_t objective);

  std::size_t dimensions_;
  std::vector<std::vector<double>> marks_;  // of each objective, rising; the first is -infinity
  std::vector<std::size_t> boxes_;  // for each box and objective the marks where it begins and ends
  std::vector<std::size_t> open_;   // the box that is being cut
};

/// The same for one point.
[[nodiscard]] double expected_improvement(std::span<const Objectives> points,
                                          const Objectives& reference, const Objectives& mean,
                                          const Objectives& stddev);

}  // namespace bellows
