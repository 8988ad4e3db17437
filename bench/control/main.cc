// The controller in six scenarios, beside every fixed width and an oracle that knows the future: in
// virtual time, or on the real engine with real images. docs/results/control.md has results.
//
//   bellows_control --simulate [--spells] [--seed N] [--check]
//   bellows_control --model FILE --data DIR [--realtime] [--requests N] [--until-requests N]
//                   [--check]
#include <bellows/bellows.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdarg>
#include <cstdint>
#include <cstdio>
#include <cxxopts.hpp>
#include <exception>
#include <iostream>
#include <limits>
#include <string>
#include <vector>

#include "bench/control/replay.h"
#include "bench/control/scenarios.h"
#include "bench/control/session_engine.h"
#include "bench/control/simulated_engine.h"
#include "cli/evaluation_data.h"
#include "engine/model_state.h"

namespace bellows::control {
namespace {

// What the controller is to reach.
constexpr double kMostLate = 0.01;
constexpr double kLeastLateAtFullWidth = 0.5;
constexpr double kAccuracyBelowOracle = 0.003;
constexpr double kBatteryEnd = 0.02;
constexpr double kDecisionUs = 1;

class Aims {
 public:
  void add(bool met, const std::string& text) {
    all_met_ = all_met_ && met;
    lines_.push_back(std::string(met ? "- met: " : "- MISSED: ") + text);
  }
  [[nodiscard]] bool all_met() const { return all_met_; }
  void print() const {
    std::printf("\n## Aims\n\n");
    for (const std::string& line : lines_) std::printf("%s\n", line.c_str());
  }

 private:
  bool all_met_ = true;
  std::vector<std::string> lines_;
};

__attribute__((format(printf, 1, 2))) std::string format(const char* pattern, ...) {
  char text[256];
  va_list values;
  va_start(values, pattern);
  std::vsnprintf(text, sizeof text, pattern, values);
  va_end(values);
  return text;
}

double late_share(const Outcome& outcome) {
  return outcome.counted == 0
             ? 0
             : static_cast<double>(outcome.late) / static_cast<double>(outcome.counted);
}

void print_points(const std::vector<OperatingPoint>& points) {
  std::printf(
      "\n| width | accuracy | p50 us | p95 us | p99 us | energy uJ |\n|---|---|---|---|---|---|\n");
  for (const OperatingPoint& point : points) {
    std::printf("| %d | %.2f %% | %.0f | %.0f | %.0f | %.1f |\n", point.width, 100 * point.accuracy,
                point.latency_p50_us, point.latency_p95_us, point.latency_p99_us, point.energy_uj);
  }
}

// Of a scenario: the controller first, then the oracle, then the fixed widths, the narrowest first.
std::vector<Outcome> compare(const Scenario& scenario, const std::vector<OperatingPoint>& points,
                             Engine& engine) {
  std::printf("\n## Scenario %s\n\n%zu requests, one each %.0f us.\n\n", scenario.name.c_str(),
              scenario.requests, 1e6 * scenario.period_s);
  std::printf(
      "| policy | late | mean accuracy | right answers | mean energy uJ | switches | battery ends "
      "|\n|---|---|---|---|---|---|---|\n");
  std::vector<Outcome> outcomes = replay(scenario, points, engine);
  for (const Outcome& outcome : outcomes) {
    const std::string end =
        scenario.battery_j > 0 ? format("%.2f %%", 100 * outcome.battery_end) : "-";
    std::printf("| %s | %.2f %% | %.2f %% | %.2f %% | %.1f | %zu | %s |\n", outcome.policy.c_str(),
                100 * late_share(outcome), 100 * outcome.accuracy, 100 * outcome.right,
                outcome.energy_uj, outcome.switches, end.c_str());
  }
  std::fflush(stdout);
  return outcomes;
}

void judge_latency(const std::string& name, const std::vector<Outcome>& outcomes, Aims& aims) {
  const double late = late_share(outcomes.front());
  aims.add(late <= kMostLate,
           format("%s: %.2f %% late, at most %.0f %%", name.c_str(), 100 * late, 100 * kMostLate));
  const double full = late_share(outcomes.back());
  aims.add(full > kLeastLateAtFullWidth,
           format("%s: the full width alone is late for %.1f %%, most", name.c_str(), 100 * full));
}

void judge_accuracy(const std::string& name, const std::vector<Outcome>& outcomes, Aims& aims) {
  const double below = outcomes[1].accuracy - outcomes[0].accuracy;
  aims.add(below <= kAccuracyBelowOracle,
           format("%s: accuracy %.2f points below the oracle's, at most %.1f", name.c_str(),
                  100 * below, 100 * kAccuracyBelowOracle));
}

// Share of decisions that are the oracle's.
double like_oracle(const std::vector<Outcome>& outcomes) {
  std::size_t same = 0;
  const std::vector<Decision>& ours = outcomes[0].decisions;
  const std::vector<Decision>& oracles = outcomes[1].decisions;
  for (std::size_t i = 0; i < ours.size(); ++i) {
    if (ours[i].point == oracles[i].point) ++same;
  }
  return static_cast<double>(same) / static_cast<double>(ours.size());
}

// Share of the controller's decisions that name a limit as the one that fails.
double naming(const std::vector<Outcome>& outcomes, Limit limit) {
  const std::vector<Decision>& ours = outcomes[0].decisions;
  const auto named = std::ranges::count(ours, limit, &Decision::failing);
  return static_cast<double>(named) / static_cast<double>(ours.size());
}

// The least mean over rounds, since whatever else the machine does makes it longer.
double decision_us(const std::vector<OperatingPoint>& points) {
  constexpr int kRounds = 50;
  constexpr int kRequests = 2000;
  Controller controller(
      points,
      {.max_latency_us = points.back().latency_p99_us, .max_power_w = 1, .min_accuracy = 0.5});
  double least_us = std::numeric_limits<double>::infinity();
  int request = 0;
  for (int round = 0; round < kRounds; ++round) {
    const auto start = std::chrono::steady_clock::now();
    for (int i = 0; i < kRequests; ++i) {
      const double now_s = 1e-3 * ++request;
      const Decision next = controller.decide(now_s);
      const double scatter = 1 + 1e-3 * (i % 100);
      controller.observe({.point = next.point,
                          .latency_us = scatter * points[next.point].latency_p50_us,
                          .now_s = now_s});
    }
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
    least_us = std::min(least_us, 1e6 * took.count() / kRequests);
  }
  return least_us;
}

void replay_all(const std::vector<OperatingPoint>& points, std::size_t requests, std::uint64_t seed,
                Engine& engine, Aims& aims) {
  std::vector<Outcome> outcomes = compare(stepped_latency(points, requests), points, engine);
  judge_latency("1", outcomes, aims);
  judge_accuracy("1", outcomes, aims);

  outcomes = compare(battery(points, requests), points, engine);
  const double end = outcomes[0].battery_end;
  aims.add(std::abs(end - 1) <= kBatteryEnd,
           format("2: the battery ends at %.2f %% of its time, within %.0f %%", 100 * end,
                  100 * kBatteryEnd));
  judge_accuracy("2", outcomes, aims);

  compare(bursts(points, requests), points, engine);

  outcomes = compare(throttled(points, requests), points, engine);
  judge_latency("4", outcomes, aims);
  judge_accuracy("4", outcomes, aims);

  outcomes = compare(infeasible_accuracy(points, requests), points, engine);
  judge_accuracy("5", outcomes, aims);
  const double named = naming(outcomes, Limit::kAccuracy);
  aims.add(
      named >= 1 - kMostLate,
      format("5: %.2f %% of the decisions say that the accuracy cannot be had, at least %.0f %%",
             100 * named, 100 * (1 - kMostLate)));

  outcomes = compare(random_targets(points, requests, seed), points, engine);
  judge_accuracy("6", outcomes, aims);
  std::printf("\n%.2f %% of the controller's decisions are the oracle's.\n",
              100 * like_oracle(outcomes));
}

int run(int argc, char** argv) {
  cxxopts::Options options("bellows_control",
                           "The controller in six scenarios, beside fixed widths and an oracle.");
  auto add = options.add_options();
  add("simulate", "In virtual time, on a model of a shared machine's noise");
  add("spells", "With --simulate: neighbours on shared cores slow it down for spells");
  add("seed", "Of noise and random targets", cxxopts::value<std::uint64_t>()->default_value("1"));
  add("model", "The model file to run", cxxopts::value<std::string>());
  add("data", "Folder of its data set; the images held out of training are used",
      cxxopts::value<std::string>());
  add("requests", "Of each scenario", cxxopts::value<std::size_t>()->default_value("20000"));
  add("until-requests", "Of run_until under bursts; 0: none",
      cxxopts::value<std::size_t>()->default_value("100000"));
  add("profile-runs", "Runs of each width that its latencies are measured by",
      cxxopts::value<int>()->default_value("2000"));
  add("realtime", "Go before all other programs, so that the machine seems quiet");
  add("check", "Exit with 1 if an aim is missed");
  add("help", "This page");
  const cxxopts::ParseResult parsed = options.parse(argc, argv);
  if (parsed.count("help") > 0) {
    std::cout << options.help();
    return 0;
  }
  const auto requests = parsed["requests"].as<std::size_t>();
  const auto seed = parsed["seed"].as<std::uint64_t>();
  Aims aims;
  if (parsed.count("simulate") > 0) {
    const SimulatedNoise noise{.seed = seed, .spells = parsed.count("spells") > 0};
    const std::vector<OperatingPoint> points = simulated_points(noise);
    std::printf("Simulated, %s spells, seed %llu.\n", noise.spells ? "with" : "without",
                static_cast<unsigned long long>(seed));
    print_points(points);
    SimulatedEngine engine(noise);
    replay_all(points, requests, seed, engine, aims);
  } else {
    if (parsed.count("model") == 0 || parsed.count("data") == 0) {
      throw Error(ErrorCode::kInvalidArgument, "give --simulate, or --model FILE and --data DIR");
    }
    const Model model = Model::load(parsed["model"].as<std::string>());
    const cli::EvaluationData data = cli::load_evaluation_data(
        internal::state_of(model)->info, model,
        {.data = parsed["data"].as<std::string>(), .format = {}, .split = "validation"});
    if (parsed.count("realtime") > 0) take_real_time_priority();
    const std::vector<OperatingPoint> points =
        measured_points(model, data.images, parsed["profile-runs"].as<int>());
    std::printf("%s: %zu images, %s; one thread%s; seed %llu.\n", data.images.name().c_str(),
                data.images.size(), data.part.c_str(),
                parsed.count("realtime") > 0 ? " at real-time priority" : "",
                static_cast<unsigned long long>(seed));
    print_points(points);
    std::fflush(stdout);
    const Images images(data.images);
    SessionEngine engine(model, points, images);
    replay_all(points, requests, seed, engine, aims);
    const double decision = decision_us(points);
    aims.add(decision < kDecisionUs,
             format("a decision and a reading take %.3f us, below %.0f", decision, kDecisionUs));
    if (const auto count = parsed["until-requests"].as<std::size_t>(); count > 0) {
      const double deadline_us = bursts(points, 1).targets.front().second.max_latency_us.value();
      const DeadlineOutcome outcome = run_until_under_bursts(model, images, deadline_us, count);
      std::printf(
          "\n## run_until under bursts\n\n"
          "| requests | deadline us | mean width | refused | late | worst us | late beyond time "
          "off "
          "the core | worst us | of these by more than a group's scatter | group us | scatter us "
          "|\n"
          "|---|---|---|---|---|---|---|---|---|---|---|\n"
          "| %zu | %.0f | %.2f | %zu | %zu | %.0f | %zu | %.1f | %zu | %.0f | %.0f |\n",
          outcome.requests, deadline_us, outcome.mean_width, outcome.refused, outcome.late,
          outcome.worst_late_us, outcome.late_by_itself, outcome.worst_late_by_itself_us,
          outcome.late_by_a_group, outcome.group_us, outcome.group_scatter_us);
      aims.add(outcome.late_by_a_group == 0,
               format("3: run_until is late by more than time off the core and a group's scatter "
                      "%zu times in %zu",
                      outcome.late_by_a_group, outcome.requests));
    }
  }
  aims.print();
  return parsed.count("check") > 0 && !aims.all_met() ? 1 : 0;
}

}  // namespace
}  // namespace bellows::control

int main(int argc, char** argv) try {
  return bellows::control::run(argc, argv);
} catch (const std::exception& error) {
  std::fprintf(stderr, "bellows_control: error: %s\n", error.what());
  return 1;
}
