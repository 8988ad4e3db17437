// Compares gradients with what a small change of the values really does.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <functional>
#include <string>
#include <vector>

namespace bellows {

/// What a series of comparisons found.
struct GradientCheck {
  std::size_t tried = 0;
  std::size_t compared = 0;  ///< the rest stood within a step of a kink (of a maximum, a rectifier)
  std::size_t wrong = 0;
  std::string first_wrong;
};

/// Compares `slope` with central differences of `objective`, a function of one number, at 0. Wrong
/// is what differs by more than 1e-6 of its size, or of 0.01 if that is larger, although the
/// function is smooth there.
inline void check_slope(const std::function<double(double)>& objective, double slope,
                        const std::string& what, GradientCheck& check) {
  constexpr double kStep = 1e-5;
  constexpr double kTolerance = 1e-6;
  const auto numeric = [&](double step) {
    return (objective(step) - objective(-step)) / (2 * step);
  };
  const auto equal = [](double a, double b) {
    return std::abs(a - b) <= kTolerance * std::max({std::abs(a), std::abs(b), 0.01});
  };
  ++check.tried;
  const double coarse = numeric(kStep);
  if (equal(coarse, slope)) {
    ++check.compared;
    return;
  }
  // A smooth function has the same slope at half the step.
  if (!equal(coarse, numeric(kStep / 2))) return;
  ++check.compared;
  if (check.wrong++ == 0) {
    check.first_wrong =
        what + ": gradient " + std::to_string(slope) + ", numeric " + std::to_string(coarse);
  }
}

/// Compares `gradient` with what `objective` does while `values` are moved, one element at a time;
/// leaves `values` as they were. At most `at_most` elements are tried, evenly spread.
inline void check_gradient(const std::function<double()>& objective, std::vector<double>& values,
                           const std::vector<double>& gradient, std::size_t at_most,
                           const std::string& what, GradientCheck& check) {
  if (values.size() != gradient.size()) {
    ++check.wrong;
    check.first_wrong = what + " has a gradient of " + std::to_string(gradient.size()) +
                        " elements, not " + std::to_string(values.size());
    return;
  }
  const std::size_t tries = std::min(at_most, values.size());
  for (std::size_t i = 0; i < tries; ++i) {
    const std::size_t element = i * values.size() / tries;
    const double before = values[element];
    const auto moved = [&](double step) {
      values[element] = before + step;
      const double result = objective();
      values[element] = before;
      return result;
    };
    check_slope(moved, gradient[element], what + "[" + std::to_string(element) + "]", check);
  }
}

}  // namespace bellows
