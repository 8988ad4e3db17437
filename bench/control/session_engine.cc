#include "bench/control/session_engine.h"

#include <sched.h>

#include <ctime>

#include <algorithm>
#include <atomic>
#include <random>
#include <thread>

#include "bench/control/scenarios.h"
#include "training/evaluator.h"

namespace bellows::control {
namespace {

using Clock = std::chrono::steady_clock;
using Seconds = std::chrono::duration<double>;

constexpr double kJoulesPerMac = 5e-12;
constexpr int kWarmUpRounds = 20;
constexpr double kBurstSeconds = 0.25;  // of a burst, and of the pause between two, on average

double us_since(Clock::time_point start) { return 1e6 * Seconds(Clock::now() - start).count(); }

// Time that the calling thread has spent on a core.
double core_us() {
  timespec time{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return 1e6 * static_cast<double>(time.tv_sec) + 1e-3 * static_cast<double>(time.tv_nsec);
}

double percentile(std::vector<double>& values, double share) {
  const auto at = static_cast<std::ptrdiff_t>(share * static_cast<double>(values.size() - 1));
  std::ranges::nth_element(values, values.begin() + at);
  return values[static_cast<std::size_t>(at)];
}

Clock::duration duration_of(double seconds) {
  return std::chrono::duration_cast<Clock::duration>(Seconds(seconds));
}

}  // namespace

void take_real_time_priority() {
  const sched_param parameters{.sched_priority = 50};
  if (sched_setscheduler(0, SCHED_FIFO | SCHED_RESET_ON_FORK, &parameters) != 0) {
    throw Error(ErrorCode::kUnsupported,
                "the system permits no real-time priority; run as root, or with CAP_SYS_NICE");
  }
}

struct Spinners::State {
  std::atomic<bool> ended = false;
  std::atomic<bool> in_burst = false;
  std::vector<std::jthread> threads;
};

Spinners::Spinners(int threads) : state_(std::make_unique<State>()) {
  State& state = *state_;
  for (int i = 0; i < threads; ++i) {
    state.threads.emplace_back([&state] {
      while (!state.ended) {
        if (!state.in_burst) std::this_thread::sleep_for(std::chrono::milliseconds(1));
      }
    });
  }
  state.threads.emplace_back([&state] {
    std::minstd_rand random(1);
    while (!state.ended) {
      const double share = static_cast<double>(random()) / static_cast<double>(random.max());
      std::this_thread::sleep_for(Seconds(2 * kBurstSeconds * share));
      state.in_burst = !state.in_burst;
    }
  });
}

Spinners::~Spinners() { state_->ended = true; }

Images::Images(const Dataset& dataset) : elements_(dataset.shape().elements()) {
  values_.reserve(dataset.size() * elements_);
  for (std::size_t i = 0; i < dataset.size(); ++i) {
    for (const std::uint8_t pixel : dataset.image(i)) {
      values_.push_back(static_cast<float>(pixel) / 255.0F);
    }
    labels_.push_back(dataset.label(i));
  }
}

std::vector<OperatingPoint> measured_points(const Model& model, const Dataset& dataset, int runs) {
  constexpr int kHotRuns = 200;
  const std::vector<WidthScore> scores = evaluate(model, dataset);
  const Images images(dataset.first(64));
  Session session(model);
  session.warm_up(kWarmUpRounds);

  const auto measure = [&](int rounds, Clock::duration period) {
    std::vector<std::vector<double>> times(scores.size());
    const Clock::time_point begin = Clock::now();
    for (int round = 0; round < rounds; ++round) {
      const auto number = static_cast<std::size_t>(round);
      std::this_thread::sleep_until(begin + round * period);
      for (std::size_t turn = 0; turn < scores.size(); ++turn) {
        const std::size_t i = (number + turn) % scores.size();
        const Clock::time_point start = Clock::now();
        session.run(images.image(number % images.size()), scores[i].width);
        times[i].push_back(us_since(start));
      }
    }
    std::vector<OperatingPoint> points;
    for (std::size_t i = 0; i < scores.size(); ++i) {
      const double macs = static_cast<double>(model.width(scores[i].width).macs);
      points.push_back({.width = scores[i].width,
                        .accuracy = scores[i].accuracy,
                        .latency_p50_us = percentile(times[i], 0.5),
                        .latency_p95_us = percentile(times[i], 0.95),
                        .latency_p99_us = percentile(times[i], 0.99),
                        .energy_uj = 1e6 * kJoulesPerMac * macs});
    }
    return points;
  };
  return measure(runs, duration_of(period_s(measure(kHotRuns, Clock::duration(0)))));
}

SessionEngine::SessionEngine(const Model& model, const std::vector<OperatingPoint>& points,
                             const Images& images)
    : points_(points), images_(images), session_(model) {
  session_.warm_up(kWarmUpRounds);
}

void SessionEngine::begin(const Scenario& scenario) {
  spinners_.reset();
  if (scenario.bursts) {
    spinners_ = std::make_unique<Spinners>(static_cast<int>(std::thread::hardware_concurrency()));
  }
  start_ = Clock::now();
}

double SessionEngine::now_s() { return Seconds(Clock::now() - start_).count(); }

void SessionEngine::wait_until(double time_s) {
  std::this_thread::sleep_until(start_ + duration_of(time_s));
}

Answer SessionEngine::run(std::size_t point, std::size_t request, double slowdown) {
  const std::size_t index = request % images_.size();
  const Clock::time_point start = Clock::now();
  session_.run(images_.image(index), points_[point].width);
  const double took_us = us_since(start);
  if (slowdown > 1) {
    const Clock::time_point end = start + duration_of(1e-6 * slowdown * took_us);
    while (Clock::now() < end) {
    }
  }
  return {.latency_us = us_since(start),
          .energy_uj = points_[point].energy_uj,
          .right = session_.best().label == images_.label(index)};
}

DeadlineOutcome run_until_under_bursts(const Model& model, const Images& images, double deadline_us,
                                       std::size_t requests) {
  constexpr std::size_t kGroupRuns = 10000;
  constexpr double kDeadlinesApart = 1.5;
  DeadlineOutcome outcome{.requests = requests};
  Session session(model);
  session.warm_up(kWarmUpRounds);
  int last = 1;
  while (last < model.groups() && session.expected_us(last + 1) <= deadline_us) ++last;

  const Spinners spinners(static_cast<int>(std::thread::hardware_concurrency()));
  Clock::time_point next = Clock::now();
  const auto wait = [&] {
    std::this_thread::sleep_until(next);
    next = std::max(next, Clock::now() - duration_of(1e-6 * deadline_us)) +
           duration_of(kDeadlinesApart * 1e-6 * deadline_us);
  };
  std::vector<double> group_us;
  for (std::size_t i = 0; i < kGroupRuns; ++i) {
    wait();
    const auto image = images.image(i % images.size());
    if (last > 1) session.run(image, last - 1);
    const double start = core_us();
    if (last > 1) {
      session.refine();
    } else {
      session.run(image, 1);
    }
    group_us.push_back(core_us() - start);
  }
  outcome.group_us = percentile(group_us, 0.5);
  outcome.group_scatter_us = *std::ranges::max_element(group_us) - outcome.group_us;

  double widths = 0;
  for (std::size_t i = 0; i < requests; ++i) {
    wait();
    const double core_before = core_us();
    const Clock::time_point start = Clock::now();
    try {
      widths += session.run_until(images.image(i % images.size()),
                                  start + duration_of(1e-6 * deadline_us));
    } catch (const Error& error) {
      if (error.code() != ErrorCode::kDeadline) throw;
      ++outcome.refused;
      continue;
    }
    const double took_us = us_since(start);
    const double off_core_us = std::max(0.0, took_us - (core_us() - core_before));
    const double late_us = took_us - deadline_us;
    if (late_us <= 0) continue;
    ++outcome.late;
    outcome.worst_late_us = std::max(outcome.worst_late_us, late_us);
    const double by_itself_us = late_us - off_core_us;
    if (by_itself_us <= 0) continue;
    ++outcome.late_by_itself;
    outcome.worst_late_by_itself_us = std::max(outcome.worst_late_by_itself_us, by_itself_us);
    if (by_itself_us > outcome.group_scatter_us) ++outcome.late_by_a_group;
  }
  outcome.mean_width =
      widths / static_cast<double>(std::max<std::size_t>(requests - outcome.refused, 1));
  return outcome;
}

}  // namespace bellows::control
