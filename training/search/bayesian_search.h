// Search for a front of two objectives by few evaluations: multi-objective Bayesian optimisation,
// and random search to compare it with.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "training/search/pareto.h"

namespace bellows {

struct SearchOptions {
  int dimensions = 1;
  int evaluations = 100;
  int random_first = 0;  ///< evaluations at random before models decide; 0: 2 x dimensions + 2
  Objectives reference = {1, 1};  ///< for the hypervolume: what is no better does not count
  std::uint64_t seed = 1;
};

struct Evaluation {
  std::vector<double> input;  ///< each in 0..1
  Objectives objectives = {};
};

/// What the objectives are at an input; both to be made small.
using Objective2 = std::function<Objectives(const std::vector<double>& input)>;

/// All evaluations in their order. A Gaussian process for each objective is fitted to those so far;
/// the next one is made where the hypervolume is expected to grow most, among random inputs and
/// neighbours of the front.
[[nodiscard]] std::vector<Evaluation> bayesian_search(const Objective2& objective,
                                                      const SearchOptions& options);

/// Uniform inputs.
[[nodiscard]] std::vector<Evaluation> random_search(const Objective2& objective,
                                                    const SearchOptions& options);

/// The hypervolume after each evaluation.
[[nodiscard]] std::vector<double> hypervolume_reached(const std::vector<Evaluation>& evaluations,
                                                      const Objectives& reference);

}  // namespace bellows
