// REINFORCE (Williams 1992) over the outcomes of a cascade: the mathematics, apart from networks.
//
// At each width but the widest an input stops with the probability that is the logistic function of
// that width's output; at the widest whatever is left stops.
#pragma once

#include <Eigen/Dense>
#include <vector>

namespace bellows {

/// The probability to stop of an output.
[[nodiscard]] float logistic(float output);

/// Of each outcome: the probability to stop at each width, [widths, N], where `outputs` are those
/// of the networks, [widths - 1, N].
[[nodiscard]] Eigen::MatrixXf stop_probabilities(const Eigen::MatrixXf& outputs);

/// Gradient of the expected reward by the networks' outputs, [widths - 1, N]: the sum over all
/// outcomes. `rewards`: [widths, N].
[[nodiscard]] Eigen::MatrixXf exact_gradient(const Eigen::MatrixXf& outputs,
                                             const Eigen::MatrixXf& rewards);

/// REINFORCE's estimate of it where input n stopped at width `stopped[n]` (from 1). `baselines`:
/// [widths - 1, N], what was expected at each width by whoever gets there.
[[nodiscard]] Eigen::MatrixXf reinforce_gradient(const Eigen::MatrixXf& outputs,
                                                 const Eigen::MatrixXf& rewards,
                                                 const std::vector<int>& stopped,
                                                 const Eigen::MatrixXf& baselines);

/// The variance of that estimate of one input, exact over all outcomes, summed over the outputs and
/// averaged over the inputs.
[[nodiscard]] double reinforce_variance(const Eigen::MatrixXf& outputs,
                                        const Eigen::MatrixXf& rewards,
                                        const Eigen::MatrixXf& baselines);

}  // namespace bellows
