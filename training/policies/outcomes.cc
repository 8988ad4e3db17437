#include "training/policies/outcomes.h"

#include <bellows/error.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <string>

#include "engine/policy_rule.h"
#include "engine/softmax.h"
#include "training/data/random.h"

namespace bellows {
namespace {

void check_fit(const Policy& policy, const PredictionTable& table) {
  const internal::PolicyRule& rule = internal::rule_of(policy);
  if (rule.widest > table.widths()) {
    throw Error(ErrorCode::kInvalidArgument,
                "the policy may run width " + std::to_string(rule.widest) +
                    "; the table has widths 1 to " + std::to_string(table.widths()));
  }
  if (rule.classes() != 0 && rule.classes() != static_cast<std::size_t>(table.classes)) {
    throw Error(ErrorCode::kInvalidArgument,
                "the policy's selector reads answers of " + std::to_string(rule.classes()) +
                    " classes, the table has " + std::to_string(table.classes));
  }
}

// Adds what a policy that is no mixture does, times `share`.
void add_outcomes(const internal::PolicyRule& rule, double share, const PredictionTable& table,
                  Outcomes& outcomes) {
  const auto classes = static_cast<std::size_t>(table.classes);
  std::vector<float> probabilities(classes);
  std::vector<float> scratch(selector_inputs(classes));
  for (std::size_t i = 0; i < table.size(); ++i) {
    int width = rule.kind == PolicyKind::kWidth ? rule.widest : 1;
    for (; width < rule.widest; ++width) {
      const auto logits = table.answer(width, i);
      softmax(logits.data(), classes, probabilities.data());
      if (rule.stops(width, logits, probabilities, scratch)) break;
    }
    const auto answer = table.answer(width, i);
    const auto label = std::ranges::max_element(answer) - answer.begin();
    if (label == table.labels[i]) outcomes.right[i] += share;
    outcomes.stopped[static_cast<std::size_t>(width - 1)][i] += share;
  }
}

}  // namespace

void check_width_costs(std::span<const double> costs, int widths) {
  if (costs.size() != static_cast<std::size_t>(widths)) {
    throw Error(ErrorCode::kInvalidArgument, "there are " + std::to_string(costs.size()) +
                                                 " costs for " + std::to_string(widths) +
                                                 " widths");
  }
  double narrower = 0;
  for (std::size_t i = 0; i < costs.size(); narrower = costs[i++]) {
    // What is no number does not rise either.
    if (costs[i] >= narrower && std::isfinite(costs[i])) continue;
    throw Error(ErrorCode::kInvalidArgument,
                "the costs must rise with the width, that of width " + std::to_string(i + 1) +
                    " is " + std::to_string(costs[i]) + " after " + std::to_string(narrower) +
                    "; measure the profile again, or save multiply-accumulates");
  }
}

double Outcomes::accuracy() const {
  return std::accumulate(right.begin(), right.end(), 0.0) / static_cast<double>(size());
}

std::vector<double> Outcomes::shares() const {
  std::vector<double> result;
  for (const std::vector<double>& width : stopped) {
    result.push_back(std::accumulate(width.begin(), width.end(), 0.0) /
                     static_cast<double>(size()));
  }
  return result;
}

double Outcomes::cost(std::size_t index, std::span<const double> width_costs) const {
  double sum = 0;
  for (std::size_t width = 0; width < stopped.size(); ++width) {
    sum += stopped[width][index] * width_costs[width];
  }
  return sum;
}

double Outcomes::mean_cost(std::span<const double> width_costs) const {
  const std::vector<double> all = shares();
  return std::inner_product(all.begin(), all.end(), width_costs.begin(), 0.0);
}

Outcomes outcomes_of(const Policy& policy, const PredictionTable& table) {
  check_fit(policy, table);
  Outcomes outcomes{
      .right = std::vector<double>(table.size()),
      .stopped = std::vector<std::vector<double>>(static_cast<std::size_t>(table.widths()),
                                                  std::vector<double>(table.size()))};
  const internal::PolicyRule& rule = internal::rule_of(policy);
  if (rule.kind != PolicyKind::kMixture) add_outcomes(rule, 1, table, outcomes);
  for (std::size_t i = 0; i < rule.parts.size(); ++i) {
    add_outcomes(internal::rule_of(rule.parts[i]), rule.shares[i], table, outcomes);
  }
  return outcomes;
}

BootstrapIntervals bootstrap(const Outcomes& outcomes, std::span<const double> width_costs,
                             int resamplings, std::uint64_t seed) {
  const std::size_t count = outcomes.size();
  std::vector<double> costs(count);
  for (std::size_t i = 0; i < count; ++i) costs[i] = outcomes.cost(i, width_costs);
  std::vector<double> accuracy_means;
  std::vector<double> cost_means;
  for (int resampling = 0; resampling < resamplings; ++resampling) {
    data::KeyedRandom random(seed, static_cast<std::uint64_t>(resampling));
    double right = 0;
    double cost = 0;
    for (std::size_t i = 0; i < count; ++i) {
      const std::size_t chosen = random.below(static_cast<std::uint32_t>(count));
      right += outcomes.right[chosen];
      cost += costs[chosen];
    }
    accuracy_means.push_back(right / static_cast<double>(count));
    cost_means.push_back(cost / static_cast<double>(count));
  }
  const auto interval = [](std::vector<double>& means) {
    std::ranges::sort(means);
    const auto last = static_cast<double>(means.size() - 1);
    return Interval{means[static_cast<std::size_t>(0.025 * last)],
                    means[static_cast<std::size_t>(std::ceil(0.975 * last))]};
  };
  return {.accuracy = interval(accuracy_means), .cost = interval(cost_means)};
}

}  // namespace bellows
