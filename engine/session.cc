#include <bellows/bellows.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <new>
#include <system_error>
#include <thread>
#include <utility>

#include "engine/bound_plan_onednn.h"
#include "engine/denormals.h"
#include "engine/finite.h"
#include "engine/group_times.h"
#include "engine/model_state.h"
#include "engine/policy_rule.h"
#include "engine/softmax.h"
#include "engine/threads.h"

namespace bellows {

using Clock = std::chrono::steady_clock;

namespace internal {

// Of what runs at a time: groups, or whole widths.
std::vector<double> macs_of_pieces(const Network& network, MemoryMode mode) {
  std::vector<double> macs;
  for (int group = 1; group <= network.groups(); ++group) {
    const bool whole = mode == MemoryMode::kOneShot && group > 1;
    macs.push_back(static_cast<double>(network.macs(group)) + (whole ? macs.back() : 0));
  }
  return macs;
}

[[noreturn]] void refuse_second_thread() {
  throw Error(ErrorCode::kInUse,
              "another thread is running this session; give each thread a session of its own");
}

// Marks a session as busy, so that a second thread in it is noticed and not merely undefined.
class InUse {
 public:
  explicit InUse(std::atomic_flag& flag) : flag_(flag) {
    if (flag_.test_and_set(std::memory_order_acquire)) refuse_second_thread();
  }
  ~InUse() { flag_.clear(std::memory_order_release); }
  InUse(const InUse&) = delete;
  InUse& operator=(const InUse&) = delete;

 private:
  std::atomic_flag& flag_;
};

struct SessionState {
  SessionState(std::shared_ptr<ModelState> of, SessionOptions wanted)
      : model(std::move(of)),
        options(wanted),
        bound(within_limit(model->plan(options.max_batch, options.threads)), options.memory),
        times(macs_of_pieces(model->network, options.memory)) {
    const auto& network = model->network;
    const auto values =
        static_cast<std::size_t>(network.classes()) * static_cast<std::size_t>(options.max_batch);
    logits.assign(static_cast<std::size_t>(network.groups()), std::vector<float>(values));
    probabilities.resize(values);
    scratch.resize(selector_inputs(static_cast<std::size_t>(network.classes())));
    const auto channels = static_cast<std::size_t>(network.input().channels_of(1));
    mean.assign(channels, 0.0F);
    stddev.assign(channels, 1.0F);
    std::copy(model->info.mean.begin(), model->info.mean.end(), mean.begin());
    std::copy(model->info.stddev.begin(), model->info.stddev.end(), stddev.begin());
  }

  // The plan, unless what it takes is more than the options allow.
  [[nodiscard]] std::shared_ptr<const Plan> within_limit(std::shared_ptr<const Plan> plan) const {
    const MemoryUse use = model->memory(*plan, options.memory);
    const std::size_t wanted = use.activations + use.scratch;
    if (options.max_bytes == 0 || wanted <= options.max_bytes) return plan;
    throw Error(ErrorCode::kOutOfMemory, "activations and scratch take " + std::to_string(wanted) +
                                             " bytes, max_bytes allows " +
                                             std::to_string(options.max_bytes) +
                                             "; use a smaller max_batch, a one-shot session, or "
                                             "load fewer groups");
  }

  [[nodiscard]] bool one_shot() const { return options.memory == MemoryMode::kOneShot; }
  [[nodiscard]] int groups() const { return model->network.groups(); }

  // What `run` is expected to take at a width.
  [[nodiscard]] double expected_us(int at_width) const {
    double seconds = 0;
    for (int piece = one_shot() ? at_width : 1; piece <= at_width; ++piece) {
      seconds += times.expected(piece);
    }
    return 1e6 * seconds;
  }

  // Notes that a piece of work, begun at `start`, has just ended; returns when.
  Clock::time_point note(int piece, Clock::time_point start) {
    const Clock::time_point end = Clock::now();
    times.measured(piece, std::max(1e-9, std::chrono::duration<double>(end - start).count()));
    return end;
  }

  // Runs the programs behind `width`, in order, as long as `wanted` says so of the next group and
  // the time; the first began at `now`. Where one fails, the width is what it was.
  template <class Wanted>
  void continue_while(Clock::time_point now, const Wanted& wanted) {
    const ThreadCount threads(options.threads);
    const DenormalsAreZero flushed(options.threads);
    const int before = width;
    try {
      while (width < groups() && wanted(width + 1, now)) {
        bound.run({width + 1, width + 1});
        read_logits(++width);
        compute_probabilities();
        now = note(width, now);
      }
    } catch (const std::bad_alloc&) {
      width = before;
      throw Error(no_memory);
    } catch (...) {
      width = before;
      throw;
    }
  }

  // Runs what was loaded, from `start` on. Where it fails there is no result.
  void run_loaded(int wanted, Clock::time_point start) {
    if (!one_shot()) {
      continue_while(start, [wanted](int group, Clock::time_point) { return group <= wanted; });
      return;
    }
    const ThreadCount threads(options.threads);
    const DenormalsAreZero flushed(options.threads);
    try {
      bound.run_node_by_node(wanted);
    } catch (const std::bad_alloc&) {
      throw Error(no_memory);
    }
    for (int group = 1; group <= wanted; ++group) read_logits(group);
    width = wanted;
    compute_probabilities();
    note(wanted, start);
  }

  // Runs what was loaded, one image, until `rule` stops it. REQUIRES: it fits the session.
  void run_policy(const PolicyRule& rule, Clock::time_point start) {
    if (rule.kind == PolicyKind::kWidth) {
      run_loaded(rule.widest, start);
      return;
    }
    const auto classes = static_cast<std::size_t>(model->network.classes());
    continue_while(start, [&](int group, Clock::time_point) {
      if (group == 1) return true;
      const std::vector<float>& last = logits[static_cast<std::size_t>(group - 2)];
      return group <= rule.widest && !rule.stops(group - 1, std::span(last).first(classes),
                                                 std::span(probabilities).first(classes), scratch);
    });
  }

  void compute_probabilities() {
    const auto classes = static_cast<std::size_t>(model->network.classes());
    const std::vector<float>& last = logits[static_cast<std::size_t>(width - 1)];
    for (std::size_t i = 0; i < static_cast<std::size_t>(batch); ++i) {
      softmax(last.data() + i * classes, classes, probabilities.data() + i * classes);
    }
  }

  void read_logits(int group) {
    const ActivationLayout& layout = bound.plan().logits.layout;
    const float* from = bound.logits(group);
    std::vector<float>& to = logits[static_cast<std::size_t>(group - 1)];
    std::size_t i = 0;
    for (int sample = 0; sample < batch; ++sample) {
      for (int label = 0; label < model->network.classes(); ++label) {
        to[i++] = from[layout.index(sample, label, 0)];
      }
    }
    if (!all_finite(std::span(to).first(i))) throw Error(too_large);
  }

  std::shared_ptr<ModelState> model;
  SessionOptions options;
  BoundPlan bound;
  std::vector<float> mean;
  std::vector<float> stddev;
  std::vector<std::vector<float>> logits;  // [width - 1], [max_batch, classes]
  std::vector<float> probabilities;
  std::vector<float> scratch;  // of policies
  GroupTimes times;
  int width = 0;
  int batch = 0;
  std::atomic_flag in_use;
  // Made beforehand: when it is needed there is no memory for a message.
  const Error no_memory{ErrorCode::kOutOfMemory, "not enough memory for oneDNN to run"};
  const Error too_large{
      ErrorCode::kInvalidArgument,
      "the network's answer is infinite or no number: values of the image, which should be in "
      "0..1, or weights are far too large"};
};

void check(const SessionOptions& options) {
  if (options.max_batch < 1 || options.max_batch > 65536) {
    throw Error(ErrorCode::kInvalidArgument, "max_batch is " + std::to_string(options.max_batch) +
                                                 ", it must be from 1 to 65536");
  }
  if (options.threads < 1 || options.threads > 1024) {
    throw Error(ErrorCode::kInvalidArgument,
                "threads is " + std::to_string(options.threads) + ", it must be from 1 to 1024");
  }
  if (options.memory != MemoryMode::kRefinable && options.memory != MemoryMode::kOneShot) {
    throw Error(ErrorCode::kInvalidArgument,
                "memory mode " + std::to_string(static_cast<int>(options.memory)) +
                    " is unknown; there are 0 (refinable) and 1 (one-shot)");
  }
}

}  // namespace internal

namespace {

// Before something is read that a run changes.
const internal::SessionState& idle(const internal::SessionState& state) {
  if (state.in_use.test(std::memory_order_acquire)) internal::refuse_second_thread();
  return state;
}

void require_result(const internal::SessionState& state) {
  if (state.width == 0) {
    throw Error(ErrorCode::kInvalidArgument, "the session has no result yet; call run first");
  }
}

// The OpenMP runtime ends the program when it cannot make its threads, so try beforehand.
void require_threads(int count) {
  try {
    std::vector<std::jthread> threads;  // joined whichever way this is left
    for (int i = 1; i < count; ++i) threads.emplace_back([] {});
  } catch (const std::system_error& error) {
    throw Error(ErrorCode::kUnsupported,
                "the system makes no " + std::to_string(count) + " threads: " + error.what());
  }
}

// Whether all values are numbers once they are normalised. REQUIRES: they are whole images.
bool normalised_finite(const internal::SessionState& state, std::span<const float> images) {
  const std::size_t channels = state.mean.size();
  const std::size_t pixels =
      static_cast<std::size_t>(state.model->network.input_elements()) / channels;
  for (std::size_t at = 0; at < images.size(); at += pixels) {
    const std::size_t channel = at / pixels % channels;
    if (!all_finite(images.subspan(at, pixels), state.mean[channel], 1 / state.stddev[channel])) {
      return false;
    }
  }
  return true;
}

// How many images these values are. Throws unless they are whole images and not too many.
int count_images(const internal::SessionState& state, std::span<const float> images) {
  const Network& network = state.model->network;
  const auto elements = static_cast<std::size_t>(network.input_elements());
  const std::size_t count = images.size() / elements;
  if (images.size() % elements != 0 || count < 1 ||
      count > static_cast<std::size_t>(state.options.max_batch)) {
    throw Error(ErrorCode::kInvalidArgument,
                "the session takes 1 to " + std::to_string(state.options.max_batch) +
                    " images of " + std::to_string(elements) + " values (" +
                    network.input().text() + "), it was given " + std::to_string(images.size()) +
                    " values");
  }
  // Rectifiers turn what is not a number into 0 on some processors: the answer would look sound.
  if (!normalised_finite(state, images)) {
    throw Error(
        ErrorCode::kInvalidArgument,
        all_finite(images)
            ? "an image has values that are infinite once they are normalised; they should "
              "be in 0..1"
            : "an image has values that are infinite or no numbers; they should be in 0..1");
  }
  return static_cast<int>(count);
}

void load(internal::SessionState& state, std::span<const float> images, int count) {
  state.batch = count;
  load_images(state.bound.plan(), images.data(), count, state.mean, state.stddev,
              state.bound.input());
  state.width = 0;
}

std::string microseconds(double us) {
  return std::to_string(static_cast<std::int64_t>(std::ceil(us))) + " us";
}

}  // namespace

Session::Session(const Model& model, SessionOptions options)
    : state_(internal::for_session(options, [&] {
        require_threads(options.threads);
        return std::make_unique<internal::SessionState>(model.state_, options);
      })) {}
Session::~Session() = default;
Session::Session(Session&&) noexcept = default;
Session& Session::operator=(Session&&) noexcept = default;

void Session::run(std::span<const float> images, int width) {
  internal::SessionState& state = *state_;
  const internal::InUse in_use(state.in_use);
  const Network& network = state.model->network;
  if (width < 1 || width > network.groups()) {
    throw Error(ErrorCode::kInvalidArgument, "width " + std::to_string(width) +
                                                 " was asked for; the model has widths 1 to " +
                                                 std::to_string(network.groups()));
  }
  const int count = count_images(state, images);
  const Clock::time_point start = Clock::now();
  load(state, images, count);
  state.run_loaded(width, start);
}

int Session::run_until(std::span<const float> images, Clock::time_point deadline) {
  internal::SessionState& state = *state_;
  const internal::InUse in_use(state.in_use);
  const int count = count_images(state, images);
  const Clock::time_point start = Clock::now();
  // As floating point, since a deadline may be as far away as the clock's numbers reach.
  using Microseconds = std::chrono::duration<double, std::micro>;
  const auto left_us = [deadline](Clock::time_point now) {
    return (Microseconds(deadline.time_since_epoch()) - Microseconds(now.time_since_epoch()))
        .count();
  };
  if (left_us(start) <= 0) {
    throw Error(ErrorCode::kDeadline,
                "the deadline passed " + microseconds(-left_us(start)) + " ago");
  }
  if (state.expected_us(1) > left_us(start)) {
    state.times.passed_over(1);
    throw Error(ErrorCode::kDeadline, "width 1 is expected to take " +
                                          microseconds(state.expected_us(1)) +
                                          ", the deadline is in " + microseconds(left_us(start)));
  }
  load(state, images, count);
  if (state.one_shot()) {
    const auto fits = [&](int width) {
      return state.expected_us(width) > 0 && state.expected_us(width) <= left_us(start);
    };
    int width = 1;
    while (width < state.groups() && fits(width + 1)) ++width;
    if (width < state.groups()) state.times.passed_over(width + 1);
    state.run_loaded(width, start);
  } else {
    state.continue_while(start, [&](int group, Clock::time_point now) {
      if (group == 1 || 1e6 * state.times.expected(group) <= left_us(now)) return true;
      state.times.passed_over(group);
      return false;
    });
  }
  return state.width;
}

namespace {

double seconds(Clock::time_point moment) {
  return std::chrono::duration<double>(moment.time_since_epoch()).count();
}

void check_single(const internal::SessionState& state, std::span<const float> image) {
  const int count = count_images(state, image);
  if (count == 1) return;
  throw Error(ErrorCode::kInvalidArgument,
              "one image is classified at a time, " + std::to_string(count) + " were given");
}

// Whether the session can run a policy, whichever part of it has the turn.
void check_policy(const internal::SessionState& state, const Policy& policy) {
  const internal::PolicyRule& rule = internal::rule_of(policy);
  const auto refuse = [](const std::string& problem) {
    throw Error(ErrorCode::kInvalidArgument, problem);
  };
  if (rule.widest > state.groups()) {
    refuse("the policy may run width " + std::to_string(rule.widest) +
           "; the session has widths 1 to " + std::to_string(state.groups()));
  }
  const auto classes = static_cast<std::size_t>(state.model->network.classes());
  if (rule.classes() != 0 && rule.classes() != classes) {
    refuse("the policy's selector reads answers of " + std::to_string(rule.classes()) +
           " classes, the model has " + std::to_string(classes));
  }
  const bool looks = rule.kind == PolicyKind::kThresholds || rule.kind == PolicyKind::kSelector;
  if (looks && state.one_shot()) {
    refuse(
        "the session is one-shot, so that a policy which looks at answers cannot go on from "
        "them; make it refinable, or take widths and mixtures of them");
  }
  for (const Policy& part : rule.parts) check_policy(state, part);
}

}  // namespace

Result Session::classify(std::span<const float> image, Policy& policy) {
  internal::SessionState& state = *state_;
  Result result;
  const Clock::time_point start = Clock::now();
  {
    const internal::InUse in_use(state.in_use);
    // Everything before the policy is asked, so that a refused call takes no turn.
    check_single(state, image);
    check_policy(state, policy);
    const internal::PolicyRule& rule = internal::rule_of(policy.turn());
    load(state, image, 1);
    state.run_policy(rule, start);
  }
  const Prediction answer = best();
  result.label = answer.label;
  result.confidence = answer.confidence;
  result.width = state.width;
  result.latency_us = 1e6 * (seconds(Clock::now()) - seconds(start));
  return result;
}

Result Session::classify(std::span<const float> image, Controller& controller) {
  internal::SessionState& state = *state_;
  Result result;
  const Clock::time_point start = Clock::now();
  {
    const internal::InUse in_use(state.in_use);
    // Everything before the controller is asked, so that a refused call is no request to it.
    check_single(state, image);
    for (const OperatingPoint& point : controller.points()) {
      if (point.threads != state.options.threads || point.width > state.groups()) {
        throw Error(ErrorCode::kInvalidArgument,
                    "the controller may choose width " + std::to_string(point.width) + " on " +
                        std::to_string(point.threads) + " threads; the session has widths 1 to " +
                        std::to_string(state.groups()) + " on " +
                        std::to_string(state.options.threads) +
                        "; make the controller from Profile::points for these");
      }
      if (point.policy) check_policy(state, *point.policy);
    }
    result.decision = controller.decide(seconds(start));
    load(state, image, 1);
    if (result.decision.policy != nullptr) {
      state.run_policy(internal::rule_of(*result.decision.policy), start);
    } else {
      state.run_loaded(result.decision.width, start);
    }
  }
  const Prediction answer = best();
  const Clock::time_point end = Clock::now();
  result.label = answer.label;
  result.confidence = answer.confidence;
  result.width = state.width;
  result.latency_us = 1e6 * (seconds(end) - seconds(start));
  controller.observe({.point = result.decision.point,
                      .latency_us = std::max(result.latency_us, 1e-3),
                      .now_s = seconds(end),
                      .width = result.width});
  return result;
}

void Session::warm_up(int rounds) {
  internal::SessionState& state = *state_;
  const internal::InUse in_use(state.in_use);
  if (rounds < 1) {
    throw Error(ErrorCode::kInvalidArgument,
                std::to_string(rounds) + " rounds of warming up were asked for; at least 1");
  }
  for (int round = 0; round < rounds; ++round) {
    // Groups of a refinable session are timed one by one; here, every width is.
    for (int width = state.one_shot() ? 1 : state.groups(); width <= state.groups(); ++width) {
      state.width = 0;
      state.run_loaded(width, Clock::now());
    }
  }
  state.width = 0;
}

double Session::expected_us(int width) const {
  if (width < 1 || width > state_->groups()) {
    throw Error(ErrorCode::kInvalidArgument, "the time of width " + std::to_string(width) +
                                                 " was asked for; the model has widths 1 to " +
                                                 std::to_string(state_->groups()));
  }
  return idle(*state_).expected_us(width);
}

void Session::refine() {
  internal::SessionState& state = *state_;
  const internal::InUse in_use(state.in_use);
  if (state.one_shot()) {
    throw Error(ErrorCode::kInvalidArgument,
                "refine was called on a one-shot session, which keeps no activations; make it with "
                "MemoryMode::kRefinable, or run the wider width");
  }
  require_result(state);
  if (state.width == state.groups()) {
    throw Error(ErrorCode::kInvalidArgument, "refine was called at width " +
                                                 std::to_string(state.width) +
                                                 ", the widest; start again with run");
  }
  const int wanted = state.width + 1;
  state.continue_while(Clock::now(),
                       [wanted](int group, Clock::time_point) { return group <= wanted; });
}

int Session::width() const { return idle(*state_).width; }
int Session::batch() const { return idle(*state_).batch; }

std::span<const float> Session::logits() const { return logits(width()); }

std::span<const float> Session::logits(int width) const {
  require_result(idle(*state_));
  if (width < 1 || width > state_->width) {
    throw Error(ErrorCode::kInvalidArgument,
                "logits of width " + std::to_string(width) +
                    " were asked for; the last result has widths 1 to " +
                    std::to_string(state_->width));
  }
  return std::span(state_->logits[static_cast<std::size_t>(width - 1)])
      .first(static_cast<std::size_t>(state_->batch) *
             static_cast<std::size_t>(state_->model->network.classes()));
}

std::span<const float> Session::probabilities() const {
  require_result(idle(*state_));
  return std::span(state_->probabilities)
      .first(static_cast<std::size_t>(state_->batch) *
             static_cast<std::size_t>(state_->model->network.classes()));
}

std::span<const float> Session::output(std::string_view name) const {
  constexpr std::string_view kLogits = "logits";
  if (name == kLogits) return logits();
  if (name == "probabilities") return probabilities();
  for (int width = 1; width <= state_->groups(); ++width) {
    if (name.starts_with(kLogits) && name.substr(kLogits.size()) == "." + std::to_string(width)) {
      return logits(width);
    }
  }
  throw Error(ErrorCode::kNotFound,
              "there is no output '" + std::string(name.substr(0, 100)) +
                  "'; there are logits, probabilities and logits.1 to logits." +
                  std::to_string(state_->groups()));
}

Prediction Session::best(int index) const {
  require_result(idle(*state_));
  if (index < 0 || index >= state_->batch) {
    throw Error(ErrorCode::kInvalidArgument, "image " + std::to_string(index) +
                                                 " was asked for; the last run had " +
                                                 std::to_string(state_->batch));
  }
  const auto classes = static_cast<std::size_t>(state_->model->network.classes());
  const auto all = probabilities().subspan(static_cast<std::size_t>(index) * classes, classes);
  const auto largest = std::max_element(all.begin(), all.end());
  return {static_cast<int>(largest - all.begin()), *largest};
}

MemoryUse Session::memory() const {
  return state_->model->memory(state_->bound.plan(), state_->options.memory);
}

}  // namespace bellows
