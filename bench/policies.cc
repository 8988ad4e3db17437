// What policies cost: a decision after a width, and finding thresholds.
#include <benchmark/benchmark.h>

#include <cmath>
#include <cstdint>
#include <random>
#include <vector>

#include "engine/policy_rule.h"
#include "engine/softmax.h"
#include "training/policies/threshold_tuning.h"

namespace bellows::bench {
namespace {

constexpr std::size_t kClasses = 10;
constexpr int kWidths = 4;

// Answers as they may come: some sure, some not.
std::vector<float> random_logits(std::size_t images) {
  std::mt19937 random(1);
  std::normal_distribution<float> normal(0, 3);
  std::vector<float> logits(images * kClasses);
  for (float& logit : logits) logit = normal(random);
  return logits;
}

Policy policy_of(int kind) {
  if (kind < 3) {
    return Policy::with_thresholds(
        {.confidence = static_cast<Confidence>(kind), .values = {0.9, 0.8, 0.7}});
  }
  if (kind == 3) {
    return Policy::with_thresholds({.values = {0.9, 0.8, 0.7}, .temperatures = {1.5, 1.4, 1.3}});
  }
  constexpr std::size_t kUnits = 8;
  const StopNetwork network{
      .hidden_weight = std::vector<float>(kUnits * selector_inputs(kClasses), 0.1F),
      .hidden_bias = std::vector<float>(kUnits, -0.1F),
      .weight = std::vector<float>(kUnits, 0.5F),
      .bias = -1};
  return internal::selector_policy({.alpha = 0.1, .widths = {network, network, network}}, 1);
}

// One decision: the probabilities are there, as the session makes them for every answer.
void decision(benchmark::State& state, int kind) {
  constexpr std::size_t kImages = 1024;
  const Policy policy = policy_of(kind);
  const internal::PolicyRule& rule = internal::rule_of(policy);
  const std::vector<float> logits = random_logits(kImages);
  std::vector<float> probabilities(logits.size());
  for (std::size_t i = 0; i < kImages; ++i) {
    softmax(logits.data() + i * kClasses, kClasses, probabilities.data() + i * kClasses);
  }
  std::vector<float> scratch(selector_inputs(kClasses));
  std::size_t image = 0;
  for (auto _ : state) {
    const std::size_t first = (image++ % kImages) * kClasses;
    benchmark::DoNotOptimize(rule.stops(1, std::span(logits).subspan(first, kClasses),
                                        std::span(probabilities).subspan(first, kClasses),
                                        scratch));
  }
}
BENCHMARK_CAPTURE(decision, max_probability, 0);
BENCHMARK_CAPTURE(decision, margin, 1);
BENCHMARK_CAPTURE(decision, entropy, 2);
BENCHMARK_CAPTURE(decision, max_probability_with_temperature, 3);
BENCHMARK_CAPTURE(decision, selector, 4);

// Whose turn it is in a mixture of so many policies.
void turn(benchmark::State& state) {
  std::vector<std::pair<Policy, double>> parts;
  for (int i = 1; i <= state.range(0); ++i) parts.emplace_back(Policy::at_width(i), std::sqrt(i));
  Policy mixture = Policy::mixture(parts);
  for (auto _ : state) benchmark::DoNotOptimize(mixture.turn().widest());
}
BENCHMARK(turn)->ArgName("parts")->Arg(2)->Arg(4);

// The exact sweep over 10,000 images and 4 widths, from the answers to the front.
void threshold_sweep(benchmark::State& state) {
  constexpr std::size_t kImages = 10000;
  PredictionTable table{.group_sha256 = {},
                        .data_name = "random",
                        .part = "all",
                        .images_sha256 = "",
                        .classes = kClasses};
  table.labels.resize(kImages, 0);
  for (int width = 0; width < kWidths; ++width) table.logits.push_back(random_logits(kImages));
  // The label's logit is larger, the more so the wider.
  for (std::size_t i = 0; i < kImages; ++i) {
    for (int width = 0; width < kWidths; ++width) {
      table.logits[static_cast<std::size_t>(width)][i * kClasses] +=
          3.0F + static_cast<float>(width);
    }
  }
  const std::vector<double> costs = {1, 2, 4, 8};
  std::size_t vectors = 0;
  for (auto _ : state) {
    const SweepResult sweep = sweep_thresholds(confidence_table(table, Confidence::kMargin, costs));
    benchmark::DoNotOptimize(sweep.front.data());
    vectors = sweep.vectors;
  }
  state.counters["vectors"] = static_cast<double>(vectors);
}
BENCHMARK(threshold_sweep)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace bellows::bench
