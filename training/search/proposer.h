// What to evaluate next, out of what has been measured so far.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "training/search/domain.h"
#include "training/search/pareto.h"

namespace bellows {

/// One result of an evaluation. An evaluation may have several, one for each of some settings in
/// which what the point describes can be used: the widths of a network.
struct Measurement {
  int setting = 1;             ///< from 1
  double share = 1;            ///< of what an evaluation takes in full, above 0; 1: all of it
  Objectives objectives = {};  ///< NaN: not measured
};

/// What is known of one point; without measurements: that it could not be evaluated.
struct Evaluation {
  SearchPoint point;
  std::vector<Measurement> measurements = {};
};

enum class SearchMethod {
  kBayesian,   ///< Gaussian processes and the expected growth of the hypervolume
  kEvolution,  ///< NSGA-II, one child at a time
  kRandom,
};

struct ProposerOptions {
  SearchMethod method = SearchMethod::kBayesian;
  int random_first = 0;       ///< points at random before others; 0: 2 x dimensions + 2, at most 24
  Objectives reference = {};  ///< for the hypervolume: what is no better does not count
  /// Of each objective what it may be at most in the first setting; NaN: anything. Empty: no
  /// limits.
  Objectives limits = {};
  std::uint64_t seed = 1;
  /// How many settings a point has; empty: one.
  std::function<int(const SearchPoint&)> settings = {};
  int most_settings = 1;
};

/// Immutable, thread safe, and without memory: the same number, evaluations and pending points give
/// the same proposal, so that a search goes on from its log as if it had never stopped.
class Proposer {
 public:
  /// `domain` must outlive this.
  Proposer(const SearchDomain& domain, ProposerOptions options);

  /// The point of proposal `number`, from 0. `evaluations` are in the order in which they ended;
  /// `pending` are being evaluated. Points of either are not proposed again, unless the domain has
  /// hardly any others.
  ///
  /// Bayesian: a Gaussian process for each objective over all measurements, with the setting and
  /// the share as further inputs, fitted anew every few evaluations; pending points count as if
  /// they had given what is expected of them ("fantasies"). Of a point with several settings the
  /// growths expected are added up, each over those before it.
  [[nodiscard]] SearchPoint propose(int number, std::span<const Evaluation> evaluations,
                                    std::span<const SearchPoint> pending = {}) const;

 private:
  [[nodiscard]] SearchPoint random_point(data::KeyedRandom& random,
                                         const std::vector<SearchPoint>& known) const;
  [[nodiscard]] SearchPoint bred(data::KeyedRandom& random, std::span<const Evaluation> evaluations,
                                 const std::vector<SearchPoint>& known) const;
  [[nodiscard]] SearchPoint expected_best(data::KeyedRandom& random,
                                          std::span<const Evaluation> evaluations,
                                          std::span<const SearchPoint> pending,
                                          const std::vector<SearchPoint>& known) const;

  const SearchDomain& domain_;
  ProposerOptions options_;
};

/// The objectives of all measurements in full.
[[nodiscard]] std::vector<Objectives> measured_in_full(std::span<const Evaluation> evaluations);

/// The hypervolume after each evaluation.
[[nodiscard]] std::vector<double> hypervolume_reached(std::span<const Evaluation> evaluations,
                                                      const Objectives& reference);

}  // namespace bellows
