// From a prediction table to the points of a policy file: what every verb and test that makes
// policies goes through.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include "engine/policy_data.h"
#include "training/policies/mixture_program.h"
#include "training/policies/prediction_table.h"
#include "training/policies/threshold_tuning.h"
#include "training/search/minimise.h"

namespace bellows {

using internal::PolicyPoint;
using internal::PolicyScore;

/// What a policy gives on a table. `costs`: of stopping at each width.
[[nodiscard]] PolicyScore score_policy(const Policy& policy, const PredictionTable& table,
                                       std::span<const double> costs, bool intervals = false);

/// Every width by itself.
[[nodiscard]] std::vector<PolicyPoint> width_points(const PredictionTable& table,
                                                    std::span<const double> costs);

/// A front of thresholds as points; of more than `most`, the corners of its upper hull and others
/// evenly over its costs.
[[nodiscard]] std::vector<PolicyPoint> threshold_points(const std::vector<ThresholdPoint>& front,
                                                        const ConfidenceTable& confidences,
                                                        const std::string& found_by,
                                                        const PredictionTable& table,
                                                        std::size_t most);

/// Thresholds as a search sees them: inputs are those of quantile_thresholds; the objectives are
/// the mean cost by the widest width's, and the share of wrong answers.
[[nodiscard]] ObjectiveFunction threshold_objective(const ConfidenceTable& table);

/// Selectors, numbered from `first` in their model, as points.
[[nodiscard]] std::vector<PolicyPoint> selector_points(const std::vector<Selector>& selectors,
                                                       int first, const PredictionTable& table,
                                                       std::span<const double> costs);

/// The mixture that solves `problem`, in which the accuracies and costs are those of `points` on
/// the images that they were tuned on. `first`: number in the file of the first of them, from 1.
/// Throws as solve_mixture.
[[nodiscard]] PolicyPoint mixture_point(const std::vector<PolicyPoint>& points, int first,
                                        MixtureProblem problem, const std::string& found_by);

/// Position of the cheapest point whose accuracy in tuning is not below `accuracy`, among those
/// that were found by `found_by` (empty: all); points.size() if there is none.
[[nodiscard]] std::size_t cheapest_at(const std::vector<PolicyPoint>& points, double accuracy,
                                      const std::string& found_by = {});

}  // namespace bellows
