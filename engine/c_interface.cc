// The C interface: handles around the C++ objects, and the place where exceptions end.
#include <bellows/bellows.h>
#include <bellows/bellows_c.h>
#include <pthread.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstring>
#include <new>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "engine/signature.h"

using bellows::Error;
using bellows::ErrorCode;

struct bellows_model {
  bellows::Model model;
  std::vector<std::string> output_names = model.output_names();
};
struct bellows_session {
  bellows::Session session;
};
struct bellows_profile {
  bellows::Profile profile;
};
struct bellows_policies {
  explicit bellows_policies(bellows::PolicySet of) : set(std::move(of)) {
    for (const bellows::TunedPolicy& tuned : set) {
      policies.push_back(tuned.policy);
      texts.push_back(tuned.policy.text());
    }
  }
  bellows::PolicySet set;
  std::vector<bellows::Policy> policies;  // with the turns of this handle's calls
  std::vector<std::string> texts;
};
struct bellows_controller {
  bellows::Controller controller;
};

namespace {

// A fixed place, so that telling of a failure cannot fail. Room for two of the longest paths; what
// is longer still is cut.
thread_local std::array<char, 10240> last_error{};

bellows_status failed(bellows_status status, const char* message) noexcept {
  const std::size_t length = std::min(std::strlen(message), last_error.size() - 1);
  std::memcpy(last_error.data(), message, length);
  last_error[length] = '\0';
  return status;
}

// A thread that is cancelled unwinds by an exception that nobody may stop, and we stop all of them:
// calls are no cancellation points.
class NoCancellation {
 public:
  NoCancellation() { pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &before_); }
  ~NoCancellation() { pthread_setcancelstate(before_, nullptr); }
  NoCancellation(const NoCancellation&) = delete;
  NoCancellation& operator=(const NoCancellation&) = delete;

 private:
  int before_ = 0;
};

template <class Call>
bellows_status guarded(const Call& call) noexcept {
  const NoCancellation no_cancellation;
  try {
    call();
    return BELLOWS_OK;
  } catch (const Error& error) {
    return failed(static_cast<bellows_status>(error.code()), error.what());
  } catch (const std::bad_alloc&) {
    return failed(BELLOWS_OUT_OF_MEMORY, "not enough memory");
  } catch (const std::exception& error) {
    return failed(BELLOWS_INTERNAL_ERROR, error.what());
  } catch (...) {
    return failed(BELLOWS_INTERNAL_ERROR, "an unknown exception");
  }
}

template <class T>
T& needed(T* pointer, const char* name) {
  if (pointer == nullptr) {
    throw Error(ErrorCode::kInvalidArgument, std::string("argument '") + name + "' is NULL");
  }
  return *pointer;
}

// What a structure was long before it got its last members; 0: there has been one version so far.
// Programs built then are served still: members that they do not know keep the initialiser's
// values.
template <class Struct>
constexpr std::size_t kFormerBytes = 0;
template <>
constexpr std::size_t kFormerBytes<bellows_session_options> = offsetof(bellows_session_options,
                                                                       max_bytes);
template <>
constexpr std::size_t kFormerBytes<bellows_model_options> = offsetof(bellows_model_options,
                                                                     max_bytes);

template <class Struct>
void check_size(std::size_t known_bytes, const char* name) {
  const bool former = kFormerBytes<Struct> != 0 && known_bytes == kFormerBytes<Struct>;
  if (known_bytes != sizeof(Struct) && !former) {
    throw Error(ErrorCode::kInvalidArgument,
                std::string("'struct_bytes' of ") + name + " is " + std::to_string(known_bytes) +
                    ", this library knows " + std::to_string(sizeof(Struct)) +
                    "; set it with the structure's initialiser, and use a library that is not "
                    "older than the header");
  }
}

// Copies as much of a structure as its other side knows of, its size excepted.
template <class Struct>
void exchange(const Struct& from, Struct& to, std::size_t known_bytes, const char* name) {
  constexpr std::size_t kSizeBytes = sizeof(std::size_t);
  check_size<Struct>(known_bytes, name);
  std::memcpy(reinterpret_cast<char*>(&to) + kSizeBytes,
              reinterpret_cast<const char*>(&from) + kSizeBytes, known_bytes - kSizeBytes);
}

// It may mean something one day.
void check_reserved(int value, const char* name) {
  if (value == 0) return;
  throw Error(ErrorCode::kInvalidArgument, std::string("'reserved' of ") + name + " is " +
                                               std::to_string(value) + "; it must be 0");
}

bellows::SessionOptions options_of(const bellows_session_options* given) {
  bellows_session_options options = BELLOWS_SESSION_OPTIONS_INIT;
  if (given != nullptr) exchange(*given, options, given->struct_bytes, "bellows_session_options");
  check_reserved(options.reserved, "bellows_session_options");
  return {.max_batch = options.max_batch,
          .threads = options.threads,
          .memory = static_cast<bellows::MemoryMode>(options.memory_mode),
          .max_bytes = options.max_bytes};
}

// NULL is none; an empty text is one, which is judged where it is used.
std::optional<std::string> optional_text(const char* text) {
  if (text == nullptr) return std::nullopt;
  return text;
}

bellows::ModelOptions options_of(const bellows_model_options* given) {
  bellows_model_options options = BELLOWS_MODEL_OPTIONS_INIT;
  if (given != nullptr) exchange(*given, options, given->struct_bytes, "bellows_model_options");
  check_reserved(options.reserved, "bellows_model_options");
  return {.groups = options.groups,
          .winograd = options.winograd != 0,
          .single_images = options.single_images != 0,
          .max_bytes = options.max_bytes,
          .public_key = optional_text(options.public_key),
          .min_generation = options.min_generation};
}

// A limit as a number: 0 is none, all others are judged by the controller.
std::optional<double> limit_of(double value) {
  if (value == 0) return std::nullopt;
  return value;
}

bellows::Targets targets_of(const bellows_targets* given) {
  bellows_targets targets = BELLOWS_TARGETS_INIT;
  if (given != nullptr) exchange(*given, targets, given->struct_bytes, "bellows_targets");
  if (targets.objective != BELLOWS_MOST_ACCURATE && targets.objective != BELLOWS_CHEAPEST) {
    throw Error(ErrorCode::kInvalidArgument, "'objective' of bellows_targets is " +
                                                 std::to_string(targets.objective) +
                                                 "; there are 0 and 1");
  }
  bellows::Targets made{.max_latency_us = limit_of(targets.max_latency_us),
                        .latency_percentile = targets.latency_percentile,
                        .max_energy_uj = limit_of(targets.max_energy_uj),
                        .max_power_w = limit_of(targets.max_power_w),
                        .power_window_s = targets.power_window_s,
                        .min_accuracy = limit_of(targets.min_accuracy),
                        .objective = static_cast<bellows::Objective>(targets.objective)};
  if (targets.has_energy_left != 0) {
    made.energy_left = {.joules = targets.energy_left_j,
                        .until_s = targets.energy_until_s,
                        .other_power_w = targets.energy_other_power_w};
  }
  return made;
}

bellows::ControllerOptions options_of(const bellows_controller_options* given) {
  bellows_controller_options options = BELLOWS_CONTROLLER_OPTIONS_INIT;
  if (given != nullptr)
    exchange(*given, options, given->struct_bytes, "bellows_controller_options");
  return {.min_dwell = options.min_dwell, .max_dwell = options.max_dwell, .margin = options.margin};
}

// Elements lie as far apart as the caller's structure is long.
std::vector<bellows::OperatingPoint> points_of(const bellows_operating_point* points,
                                               std::size_t count) {
  std::vector<bellows::OperatingPoint> made;
  if (count == 0) return made;  // which the controller refuses
  const std::size_t stride = needed(points, "points").struct_bytes;
  for (std::size_t i = 0; i < count; ++i) {
    bellows_operating_point point = BELLOWS_OPERATING_POINT_INIT;
    const auto* given = reinterpret_cast<const bellows_operating_point*>(
        reinterpret_cast<const char*>(points) + i * stride);
    exchange(*given, point, given->struct_bytes, "bellows_operating_point");
    made.push_back({.width = point.width,
                    .threads = point.threads,
                    .accuracy = point.accuracy,
                    .latency_p50_us = point.latency_p50_us,
                    .latency_p95_us = point.latency_p95_us,
                    .latency_p99_us = point.latency_p99_us,
                    .energy_uj = point.energy_uj});
  }
  return made;
}

void tell(const bellows::MemoryUse& use, bellows_memory* memory) {
  const bellows_memory found = {sizeof(bellows_memory), use.weights, use.activations, use.scratch,
                                use.operations};
  bellows_memory& to = needed(memory, "memory");
  exchange(found, to, to.struct_bytes, "bellows_memory");
}

// Writes a file by `write` and tells its facts where they are wanted; a place for them that is no
// good is noticed before there is a file.
template <class Write>
bellows_status written(bellows_growth_facts* facts, const Write& write) {
  return guarded([&] {
    constexpr const char* kName = "bellows_growth_facts";
    if (facts != nullptr) check_size<bellows_growth_facts>(facts->struct_bytes, kName);
    const bellows::GrowthFacts of = write();
    const bellows_growth_facts found = {sizeof(bellows_growth_facts), of.base_groups, of.groups,
                                        of.growth_bytes, of.model_bytes};
    if (facts != nullptr) exchange(found, *facts, facts->struct_bytes, kName);
  });
}

void check_policy_index(const bellows_policies& policies, size_t index) {
  if (index < policies.policies.size()) return;
  throw Error(ErrorCode::kNotFound, "there is no policy " + std::to_string(index) + "; there are " +
                                        std::to_string(policies.policies.size()) +
                                        ", counted from 0");
}

void tell(const bellows::Result& result, bellows_answer& answer) {
  const bellows_answer found = {sizeof(bellows_answer),
                                result.label,
                                result.confidence,
                                result.width,
                                result.decision.feasible ? 1 : 0,
                                static_cast<int>(result.decision.failing),
                                result.latency_us};
  exchange(found, answer, answer.struct_bytes, "bellows_answer");
}

void copy(std::span<const float> from, float* to, std::size_t values, const char* name) {
  needed(to, name);
  if (values != from.size()) {
    throw Error(ErrorCode::kInvalidArgument,
                std::string("'") + name + "' has room for " + std::to_string(values) + " values, " +
                    std::to_string(from.size()) + " are to be copied (images x classes)");
  }
  std::ranges::copy(from, to);
}

}  // namespace

// Exported functions have C linkage by their declarations in the header.

const char* bellows_status_name(bellows_status status) {
  switch (status) {
    case BELLOWS_OK:
      return "ok";
    case BELLOWS_INVALID_ARGUMENT:
      return "invalid argument";
    case BELLOWS_NOT_FOUND:
      return "not found";
    case BELLOWS_CORRUPT_DATA:
      return "corrupt data";
    case BELLOWS_IO_ERROR:
      return "input or output error";
    case BELLOWS_UNSUPPORTED:
      return "unsupported";
    case BELLOWS_DEADLINE:
      return "deadline";
    case BELLOWS_IN_USE:
      return "in use";
    case BELLOWS_OUT_OF_MEMORY:
      return "out of memory";
    case BELLOWS_UNTRUSTED:
      return "untrusted";
    case BELLOWS_INTERNAL_ERROR:
      return "internal error";
  }
  return "unknown status";
}

const char* bellows_last_error() { return last_error.data(); }

const char* bellows_version() { return bellows::version(); }

bellows_status bellows_model_load(const char* path, const bellows_model_options* options,
                                  bellows_model** model) {
  return guarded([&] {
    bellows_model*& made = needed(model, "model");
    made = new bellows_model{bellows::Model::load(&needed(path, "path"), options_of(options))};
  });
}

void bellows_model_free(bellows_model* model) { delete model; }

bellows_status bellows_model_describe(const bellows_model* model, bellows_model_info* info) {
  return guarded([&] {
    const bellows::Model& of = needed(model, "model").model;
    const bellows_model_info found = {
        sizeof(bellows_model_info), of.groups(),      of.classes(),       of.image_channels(),
        of.image_height(),          of.image_width(), of.image_elements()};
    bellows_model_info& to = needed(info, "info");
    exchange(found, to, to.struct_bytes, "bellows_model_info");
  });
}

bellows_status bellows_model_generation(const bellows_model* model, int64_t* generation) {
  return guarded(
      [&] { needed(generation, "generation") = needed(model, "model").model.generation(); });
}

bellows_status bellows_model_class_name(const bellows_model* model, int label, const char** name) {
  return guarded([&] {
    const bellows::Model& of = needed(model, "model").model;
    const char*& to = needed(name, "name");
    if (label < 0 || label >= of.classes()) {
      throw Error(ErrorCode::kInvalidArgument, "class " + std::to_string(label) +
                                                   " was asked for; the model has classes 0 to " +
                                                   std::to_string(of.classes() - 1));
    }
    const auto& names = of.class_names();
    to = names.empty() ? nullptr : names[static_cast<std::size_t>(label)].c_str();
  });
}

bellows_status bellows_model_output_name(const bellows_model* model, int index, const char** name) {
  return guarded([&] {
    const std::vector<std::string>& names = needed(model, "model").output_names;
    const char*& to = needed(name, "name");
    if (index < 0 || static_cast<std::size_t>(index) >= names.size()) {
      throw Error(ErrorCode::kNotFound, "there is no output " + std::to_string(index) +
                                            "; the model has outputs 0 to " +
                                            std::to_string(names.size() - 1));
    }
    to = names[static_cast<std::size_t>(index)].c_str();
  });
}

bellows_status bellows_model_width(const bellows_model* model, int number, bellows_width* width) {
  return guarded([&] {
    const bellows::Width of = needed(model, "model").model.width(number);
    const bellows_width found = {sizeof(bellows_width),
                                 of.number,
                                 of.parameters,
                                 of.weight_bytes,
                                 of.macs,
                                 of.validation_accuracy.value_or(-1),
                                 of.test_accuracy.value_or(-1)};
    bellows_width& to = needed(width, "width");
    exchange(found, to, to.struct_bytes, "bellows_width");
  });
}

bellows_status bellows_model_memory(const bellows_model* model,
                                    const bellows_session_options* options,
                                    bellows_memory* memory) {
  return guarded([&] { tell(needed(model, "model").model.memory(options_of(options)), memory); });
}

bellows_status bellows_session_create(const bellows_model* model,
                                      const bellows_session_options* options,
                                      bellows_session** session) {
  return guarded([&] {
    bellows_session*& made = needed(session, "session");
    made = new bellows_session{bellows::Session(needed(model, "model").model, options_of(options))};
  });
}

void bellows_session_free(bellows_session* session) { delete session; }

bellows_status bellows_session_run(bellows_session* session, const float* images, size_t values,
                                   int width) {
  return guarded([&] {
    needed(session, "session").session.run({&needed(images, "images"), values}, width);
  });
}

bellows_status bellows_session_refine(bellows_session* session) {
  return guarded([&] { needed(session, "session").session.refine(); });
}

int64_t bellows_now_ns() {
  const std::chrono::nanoseconds now = std::chrono::steady_clock::now().time_since_epoch();
  return now.count();
}

bellows_status bellows_session_run_until(bellows_session* session, const float* images,
                                         size_t values, int64_t deadline_ns, int* width) {
  return guarded([&] {
    const std::chrono::steady_clock::time_point deadline{std::chrono::nanoseconds(deadline_ns)};
    const int reached =
        needed(session, "session").session.run_until({&needed(images, "images"), values}, deadline);
    if (width != nullptr) *width = reached;
  });
}

bellows_status bellows_session_warm_up(bellows_session* session, int rounds) {
  return guarded([&] { needed(session, "session").session.warm_up(rounds); });
}

bellows_status bellows_session_expected_us(const bellows_session* session, int width,
                                           double* microseconds) {
  return guarded([&] {
    double& to = needed(microseconds, "microseconds");
    to = needed(session, "session").session.expected_us(width);
  });
}

bellows_status bellows_session_result(const bellows_session* session, int* width, int* images) {
  return guarded([&] {
    const bellows::Session& of = needed(session, "session").session;
    if (width != nullptr) *width = of.width();
    if (images != nullptr) *images = of.width() == 0 ? 0 : of.batch();
  });
}

bellows_status bellows_session_logits(const bellows_session* session, int width, float* logits,
                                      size_t values) {
  return guarded([&] {
    const bellows::Session& of = needed(session, "session").session;
    copy(width == 0 ? of.logits() : of.logits(width), logits, values, "logits");
  });
}

bellows_status bellows_session_probabilities(const bellows_session* session, float* probabilities,
                                             size_t values) {
  return guarded([&] {
    copy(needed(session, "session").session.probabilities(), probabilities, values,
         "probabilities");
  });
}

bellows_status bellows_session_output(const bellows_session* session, const char* name,
                                      float* output, size_t values) {
  return guarded([&] {
    const bellows::Session& of = needed(session, "session").session;
    copy(of.output(&needed(name, "name")), output, values, "output");
  });
}

bellows_status bellows_session_best(const bellows_session* session, int index, int* label,
                                    float* confidence) {
  return guarded([&] {
    const bellows::Prediction best = needed(session, "session").session.best(index);
    if (label != nullptr) *label = best.label;
    if (confidence != nullptr) *confidence = best.confidence;
  });
}

bellows_status bellows_session_memory(const bellows_session* session, bellows_memory* memory) {
  return guarded([&] { tell(needed(session, "session").session.memory(), memory); });
}

bellows_status bellows_profile_load(const char* path, bellows_profile** profile) {
  return guarded([&] {
    bellows_profile*& made = needed(profile, "profile");
    made = new bellows_profile{bellows::Profile::load(&needed(path, "path"))};
  });
}

void bellows_profile_free(bellows_profile* profile) { delete profile; }

bellows_status bellows_profile_check_device(const bellows_profile* profile) {
  return guarded([&] { needed(profile, "profile").profile.check_device(); });
}

bellows_status bellows_profile_point(const bellows_profile* profile, const bellows_model* model,
                                     int width, int threads, bellows_operating_point* point) {
  return guarded([&] {
    bellows_operating_point& to = needed(point, "point");
    const auto points =
        needed(profile, "profile").profile.points(needed(model, "model").model, threads);
    const auto of = std::ranges::find(points, width, &bellows::OperatingPoint::width);
    if (of == points.end()) {
      throw Error(ErrorCode::kNotFound,
                  "the profile has no width " + std::to_string(width) + " of this model");
    }
    const bellows_operating_point found = {sizeof(bellows_operating_point),
                                           of->width,
                                           of->threads,
                                           of->accuracy,
                                           of->latency_p50_us,
                                           of->latency_p95_us,
                                           of->latency_p99_us,
                                           of->energy_uj};
    exchange(found, to, to.struct_bytes, "bellows_operating_point");
  });
}

const char* bellows_limit_name(int limit) {
  if (limit < BELLOWS_LIMIT_NONE || limit > BELLOWS_LIMIT_ACCURACY) return "unknown limit";
  return bellows::limit_name(static_cast<bellows::Limit>(limit));
}

bellows_status bellows_controller_create(const bellows_operating_point* points, size_t count,
                                         const bellows_targets* targets,
                                         const bellows_controller_options* options,
                                         bellows_controller** controller) {
  return guarded([&] {
    bellows_controller*& made = needed(controller, "controller");
    made = new bellows_controller{
        bellows::Controller(points_of(points, count), targets_of(targets), options_of(options))};
  });
}

bellows_status bellows_controller_create_from(const bellows_profile* profile,
                                              const bellows_model* model, int threads,
                                              const bellows_targets* targets,
                                              const bellows_controller_options* options,
                                              bellows_controller** controller) {
  return guarded([&] {
    bellows_controller*& made = needed(controller, "controller");
    made = new bellows_controller{bellows::Controller(
        needed(profile, "profile").profile.points(needed(model, "model").model, threads),
        targets_of(targets), options_of(options))};
  });
}

bellows_status bellows_controller_create_with(const bellows_profile* profile,
                                              const bellows_policies* policies,
                                              const bellows_model* model, int threads,
                                              const bellows_targets* targets,
                                              const bellows_controller_options* options,
                                              bellows_controller** controller) {
  return guarded([&] {
    bellows_controller*& made = needed(controller, "controller");
    made = new bellows_controller{bellows::Controller(
        needed(policies, "policies")
            .set.points(needed(profile, "profile").profile, needed(model, "model").model, threads),
        targets_of(targets), options_of(options))};
  });
}

void bellows_controller_free(bellows_controller* controller) { delete controller; }

bellows_status bellows_policies_load(const char* path, const bellows_model* model,
                                     bellows_policies** policies) {
  return guarded([&] {
    bellows_policies*& made = needed(policies, "policies");
    made = new bellows_policies(
        bellows::PolicySet::load(&needed(path, "path"), needed(model, "model").model));
  });
}

void bellows_policies_free(bellows_policies* policies) { delete policies; }

bellows_status bellows_policies_count(const bellows_policies* policies, size_t* count) {
  return guarded([&] { needed(count, "count") = needed(policies, "policies").policies.size(); });
}

bellows_status bellows_policies_describe(const bellows_policies* policies, size_t index,
                                         bellows_policy* policy, const char** text) {
  return guarded([&] {
    const bellows_policies& of = needed(policies, "policies");
    bellows_policy& to = needed(policy, "policy");
    check_policy_index(of, index);
    const bellows::TunedPolicy& tuned = of.set[index];
    const bellows_policy found = {sizeof(bellows_policy), static_cast<int>(tuned.policy.kind()),
                                  tuned.policy.widest(), tuned.accuracy};
    exchange(found, to, to.struct_bytes, "bellows_policy");
    if (text != nullptr) *text = of.texts[index].c_str();
  });
}

bellows_status bellows_controller_set_targets(bellows_controller* controller,
                                              const bellows_targets* targets, double now_s) {
  return guarded([&] {
    needed(controller, "controller")
        .controller.set_targets(targets_of(&needed(targets, "targets")), now_s);
  });
}

bellows_status bellows_controller_decide(bellows_controller* controller, double now_s,
                                         double deadline_us, bellows_decision* decision) {
  return guarded([&] {
    constexpr const char* kName = "bellows_decision";
    bellows_decision& to = needed(decision, "decision");
    check_size<bellows_decision>(to.struct_bytes, kName);
    bellows::Controller& chooses = needed(controller, "controller").controller;
    for (const bellows::OperatingPoint& point : chooses.points()) {
      if (!point.policy) continue;
      throw Error(ErrorCode::kInvalidArgument,
                  "the controller chooses between policies too, which stop by what they see; call "
                  "bellows_session_classify");
    }
    const bellows::Decision of = chooses.decide(now_s, limit_of(deadline_us));
    const bellows_decision found = {
        sizeof(bellows_decision),    of.point, of.width, of.threads, of.feasible ? 1 : 0,
        static_cast<int>(of.failing)};
    exchange(found, to, to.struct_bytes, kName);
  });
}

bellows_status bellows_controller_observe(bellows_controller* controller,
                                          const bellows_reading* reading) {
  return guarded([&] {
    bellows_reading of = BELLOWS_READING_INIT;
    const bellows_reading& given = needed(reading, "reading");
    exchange(given, of, given.struct_bytes, "bellows_reading");
    bellows::Reading told{.point = of.point, .latency_us = of.latency_us, .now_s = of.now_s};
    if (!(of.energy_uj < 0)) told.energy_uj = of.energy_uj;  // NaN is for the controller to refuse
    needed(controller, "controller").controller.observe(told);
  });
}

bellows_status bellows_controller_energy_left(bellows_controller* controller, double joules,
                                              double now_s) {
  return guarded([&] { needed(controller, "controller").controller.energy_left(joules, now_s); });
}

bellows_status bellows_controller_expected(const bellows_controller* controller, size_t point,
                                           double* latency_us, double* energy_uj) {
  return guarded([&] {
    const bellows::Controller& of = needed(controller, "controller").controller;
    const double latency = of.expected_latency_us(point);
    const double energy = of.expected_energy_uj(point);
    if (latency_us != nullptr) *latency_us = latency;
    if (energy_uj != nullptr) *energy_uj = energy;
  });
}

bellows_status bellows_controller_switches(const bellows_controller* controller,
                                           int64_t* switches) {
  return guarded([&] {
    needed(switches, "switches") = needed(controller, "controller").controller.switches();
  });
}

bellows_status bellows_session_classify(bellows_session* session, const float* image, size_t values,
                                        bellows_controller* controller, bellows_answer* answer) {
  return guarded([&] {
    bellows_answer& to = needed(answer, "answer");
    check_size<bellows_answer>(to.struct_bytes, "bellows_answer");
    tell(needed(session, "session")
             .session.classify({&needed(image, "image"), values},
                               needed(controller, "controller").controller),
         to);
  });
}

bellows_status bellows_session_classify_by(bellows_session* session, const float* image,
                                           size_t values, bellows_policies* policies, size_t index,
                                           bellows_answer* answer) {
  return guarded([&] {
    bellows_answer& to = needed(answer, "answer");
    check_size<bellows_answer>(to.struct_bytes, "bellows_answer");
    bellows_policies& of = needed(policies, "policies");
    check_policy_index(of, index);
    tell(needed(session, "session")
             .session.classify({&needed(image, "image"), values}, of.policies[index]),
         to);
  });
}

bellows_status bellows_apply_growth(const char* growth, const char* model, const char* out,
                                    bellows_growth_facts* facts) {
  return written(facts, [&] {
    return bellows::apply_growth(&needed(growth, "growth"), &needed(model, "model"),
                                 out == nullptr ? "" : out);
  });
}

bellows_status bellows_apply_signed_growth(const char* growth, const char* model, const char* out,
                                           const char* public_key, bellows_growth_facts* facts) {
  return written(facts, [&] {
    return bellows::apply_growth(&needed(growth, "growth"), &needed(model, "model"),
                                 out == nullptr ? "" : out, &needed(public_key, "public_key"));
  });
}

bellows_status bellows_write_growth(const char* wide, const char* base, const char* growth,
                                    bellows_growth_facts* facts) {
  return written(facts, [&] {
    return bellows::write_growth(&needed(wide, "wide"), &needed(base, "base"),
                                 &needed(growth, "growth"));
  });
}

bellows_status bellows_write_signed_growth(const char* wide, const char* base, const char* growth,
                                           const char* public_key, int64_t min_generation,
                                           bellows_growth_facts* facts) {
  return written(facts, [&] {
    return bellows::write_growth(&needed(wide, "wide"), &needed(base, "base"),
                                 &needed(growth, "growth"), &needed(public_key, "public_key"),
                                 min_generation);
  });
}

bellows_status bellows_trim_model(const char* model, int groups, const char* out) {
  return guarded(
      [&] { bellows::trim_model(&needed(model, "model"), groups, &needed(out, "out")); });
}

bellows_status bellows_trim_signed_model(const char* model, int groups, const char* out,
                                         const char* public_key, int64_t min_generation) {
  return guarded([&] {
    bellows::trim_model(&needed(model, "model"), groups, &needed(out, "out"),
                        &needed(public_key, "public_key"), min_generation);
  });
}
