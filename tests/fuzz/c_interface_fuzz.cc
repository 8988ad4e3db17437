// The C interface as a sequence of calls: bytes choose functions, objects and arguments, sensible
// ones and others. Wrong is whatever crashes, leaks, is no known status, or fails without a
// message.
#include <bellows/bellows_c.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <limits>
#include <string>
#include <vector>

#include "engine/model_file.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/samples.h"

namespace bellows::fuzz {
namespace {

const std::filesystem::path& folder() {
  static const std::filesystem::path kFolder = [] {
    const auto base =
        std::filesystem::exists("/dev/shm") ? "/dev/shm" : std::filesystem::temp_directory_path();
    auto path = base / ("bellows-c-fuzz-" + std::to_string(::getpid()));
    std::filesystem::create_directories(path);
    internal::write_profile(path / "profile.json", sample_profile());
    internal::write_policies(path / "policies.json", sample_policies());
    sign_model(kSampleModel, kSampleSecretKey, 7, path / "signed");
    write_sample_with_selector(path / "selector");
    return path;
  }();
  return kFolder;
}

class AtEnd {
 public:
  // The folder's name is made first, so that it goes last.
  AtEnd() { folder(); }
  AtEnd(const AtEnd&) = delete;
  AtEnd& operator=(const AtEnd&) = delete;
  ~AtEnd() {
    std::error_code unknown;
    std::filesystem::remove_all(folder(), unknown);
  }
};

class Caller {
 public:
  explicit Caller(Bytes bytes) : bytes_(bytes) {}
  ~Caller() {
    for (auto* session : sessions_) bellows_session_free(session);
    for (auto* controller : controllers_) bellows_controller_free(controller);
    bellows_policies_free(policies_);
    bellows_profile_free(profile_);
    for (auto* model : models_) bellows_model_free(model);
  }
  Caller(const Caller&) = delete;
  Caller& operator=(const Caller&) = delete;

  void call_all() {
    constexpr int kMostCalls = 200;
    for (int call = 0; call < kMostCalls && !bytes_.empty(); ++call) call_one();
  }

 private:
  std::uint8_t byte() {
    if (bytes_.empty()) return 0;
    const std::uint8_t value = bytes_.front();
    bytes_ = bytes_.subspan(1);
    return value;
  }
  // Mostly small.
  int number() {
    const std::uint8_t value = byte();
    if (value < 240) return value % 8 - 1;
    static constexpr std::array<int, 5> kWild = {-1, 1000, 1 << 20, std::numeric_limits<int>::max(),
                                                 std::numeric_limits<int>::min()};
    return kWild[value % kWild.size()];
  }
  double real() {
    static constexpr std::array<double, 12> kReals = {0,
                                                      1,
                                                      -1,
                                                      0.5,
                                                      10,
                                                      25,
                                                      1e3,
                                                      1e9,
                                                      1e300,
                                                      1e-300,
                                                      std::numeric_limits<double>::infinity(),
                                                      std::numeric_limits<double>::quiet_NaN()};
    return kReals[byte() % kReals.size()];
  }
  template <class T, std::size_t Count>
  T*& one_of(std::array<T*, Count>& all) {
    return all[byte() % Count];
  }
  // The size of a structure, now and then another one.
  template <class Struct>
  Struct with_size(Struct value) {
    if (byte() % 16 == 0) value.struct_bytes = byte();
    return value;
  }
  // Mostly none.
  const char* public_key() {
    switch (byte() % 8) {
      case 0:
      case 1:
        return kSamplePublicKey.c_str();
      case 2:
        return kSampleSecretKey.c_str();
      case 3:
        return "";
      default:
        return nullptr;
    }
  }
  const char* path() {
    static const std::string kProfile = folder() / "profile.json";
    static const std::string kPolicies = folder() / "policies.json";
    static const std::string kSigned = folder() / "signed";
    static const std::string kSelector = folder() / "selector";
    switch (byte() % 9) {
      case 0:
        return kProfile.c_str();
      case 1:
        return kPolicies.c_str();
      case 2:
        return kSampleGrowth.c_str();
      case 3:
        return "/nowhere";
      case 4:
        return "";
      case 5:
        return nullptr;
      case 6:
        return kSigned.c_str();
      case 7:
        return kSelector.c_str();
      default:
        return kSampleModel.c_str();
    }
  }
  const char* result_path() {
    static const std::string kResult = folder() / "result";
    return byte() % 8 == 0 ? nullptr : kResult.c_str();
  }
  // Image values, and how many of them are meant.
  std::size_t images() {
    const double value = real();
    images_.fill(static_cast<float>(byte() % 4 == 0 ? value : 0.25));
    return byte() % 8 == 0 ? byte() % images_.size() : 2 * (1 + byte() % 3U);
  }
  const float* image_memory() { return byte() % 32 == 0 ? nullptr : images_.data(); }

  void check(bellows_status status) {
    if (std::strcmp(bellows_status_name(status), "unknown status") == 0) {
      found("status " + std::to_string(status));
    }
    if (status == BELLOWS_INTERNAL_ERROR) found(bellows_last_error());
    if (status == BELLOWS_OK) {
      ++times_accepted;
      return;
    }
    const std::string message = bellows_last_error();
    if (message.empty() || message.find('\n') != std::string::npos) {
      found("the message '" + message + "'");
    }
  }

  bellows_targets targets() {
    bellows_targets targets = BELLOWS_TARGETS_INIT;
    targets.max_latency_us = real();
    targets.latency_percentile = byte() % 4 == 0 ? number() : 95;
    targets.objective = byte() % 8 == 0 ? number() : byte() % 2;
    targets.max_energy_uj = real();
    targets.max_power_w = real();
    targets.power_window_s = real();
    targets.min_accuracy = real();
    targets.has_energy_left = byte() % 2;
    targets.energy_left_j = real();
    targets.energy_until_s = real();
    targets.energy_other_power_w = real();
    if (byte() % 2 == 0) targets = BELLOWS_TARGETS_INIT;
    return with_size(targets);
  }

  void call_one();
  void call_model(int which);
  void call_session(int which);
  void call_controller(int which);

  Bytes bytes_;
  std::array<bellows_model*, 2> models_{};
  std::array<bellows_session*, 3> sessions_{};
  std::array<bellows_controller*, 2> controllers_{};
  bellows_profile* profile_ = nullptr;
  bellows_policies* policies_ = nullptr;
  std::array<float, 64> images_{};
  std::array<float, 64> values_{};
};

void Caller::call_model(int which) {
  bellows_model*& model = one_of(models_);
  switch (which) {
    case 0: {
      bellows_model_options options = BELLOWS_MODEL_OPTIONS_INIT;
      options.groups = number();
      options.winograd = byte() % 2;
      options.single_images = byte() % 4 == 0;
      options.max_bytes = byte() % 4 == 0 ? std::size_t{byte()} << 8 : 0;
      options.public_key = public_key();
      options.min_generation = byte() % 4 == 0 ? number() : 0;
      options = with_size(options);
      bellows_model* made = nullptr;
      const bool with_options = byte() % 2 != 0;
      const bellows_status status =
          bellows_model_load(path(), with_options ? &options : nullptr, &made);
      check(status);
      if ((status == BELLOWS_OK) != (made != nullptr)) found("a model that was not made, or was");
      bellows_model_free(model);
      model = made;
      return;
    }
    case 1:
      bellows_model_free(model);
      model = nullptr;
      return;
    case 2: {
      bellows_model_info info = with_size(bellows_model_info BELLOWS_MODEL_INFO_INIT);
      check(bellows_model_describe(model, byte() % 16 == 0 ? nullptr : &info));
      std::int64_t generation = 0;
      check(bellows_model_generation(model, byte() % 16 == 0 ? nullptr : &generation));
      return;
    }
    case 3: {
      const char* name = nullptr;
      check(bellows_model_class_name(model, number(), &name));
      check(bellows_model_output_name(model, number(), &name));
      return;
    }
    case 4: {
      bellows_width width = with_size(bellows_width BELLOWS_WIDTH_INIT);
      check(bellows_model_width(model, number(), &width));
      return;
    }
    case 5: {
      bellows_session_options options = BELLOWS_SESSION_OPTIONS_INIT;
      options.max_batch = byte() % 4 == 0 ? number() : 2;
      options.memory_mode = number();
      bellows_memory memory = with_size(bellows_memory BELLOWS_MEMORY_INIT);
      check(bellows_model_memory(model, &options, &memory));
      return;
    }
    case 6:
      bellows_profile_free(profile_);
      profile_ = nullptr;
      check(bellows_profile_load(path(), &profile_));
      return;
    case 7: {
      bellows_operating_point point =
          with_size(bellows_operating_point BELLOWS_OPERATING_POINT_INIT);
      check(bellows_profile_point(profile_, model, number(), number(), &point));
      check(bellows_profile_check_device(profile_));
      return;
    }
    case 8:
      bellows_policies_free(policies_);
      policies_ = nullptr;
      check(bellows_policies_load(path(), model, &policies_));
      return;
    case 9: {
      std::size_t count = 0;
      check(bellows_policies_count(policies_, &count));
      bellows_policy policy = with_size(bellows_policy BELLOWS_POLICY_INIT);
      const char* text = nullptr;
      check(bellows_policies_describe(policies_, static_cast<std::size_t>(number()), &policy,
                                      byte() % 2 == 0 ? nullptr : &text));
      return;
    }
    case 10: {
      bellows_growth_facts facts = with_size(bellows_growth_facts BELLOWS_GROWTH_FACTS_INIT);
      const char* first = path();
      const char* second = path();
      // Never in place: the samples are the repository's.
      const char* out = result_path();
      if (out == nullptr) return;
      // What lies there, a signed model or none at all, does not let every result take its place.
      const auto make_room = [out] { std::filesystem::remove(out); };
      make_room();
      check(bellows_apply_growth(first, second, out, byte() % 2 == 0 ? nullptr : &facts));
      check(bellows_apply_signed_growth(first, second, out, public_key(), nullptr));
      check(bellows_write_growth(first, second, out, byte() % 2 == 0 ? nullptr : &facts));
      check(bellows_write_signed_growth(first, second, out, public_key(), number(), nullptr));
      make_room();
      check(bellows_trim_model(first, number(), out));
      check(bellows_trim_signed_model(first, number(), out, public_key(), number()));
      return;
    }
    default: {
      bellows_session_options options = BELLOWS_SESSION_OPTIONS_INIT;
      options.max_batch = byte() % 4 == 0 ? number() : 1 + byte() % 3;
      options.memory_mode = byte() % 4 == 0 ? number() : byte() % 2;
      options.threads = byte() % 4 == 0 ? number() % 8 : 1 + byte() % 2;
      options.max_bytes = byte() % 4 == 0 ? std::size_t{byte()} << 4 : 0;
      options.reserved = byte() % 16 == 0;
      options = with_size(options);
      bellows_session*& session = one_of(sessions_);
      bellows_session* made = nullptr;
      check(bellows_session_create(model, byte() % 4 == 0 ? nullptr : &options, &made));
      bellows_session_free(session);
      session = made;
    }
  }
}

void Caller::call_session(int which) {
  bellows_session*& session = one_of(sessions_);
  switch (which) {
    case 0:
      bellows_session_free(session);
      session = nullptr;
      return;
    case 1:
    case 2:
    case 3: {
      const std::size_t values = images();
      check(bellows_session_run(session, image_memory(), values, number()));
      return;
    }
    case 4:
      check(bellows_session_refine(session));
      return;
    case 5: {
      const std::size_t values = images();
      int width = 0;
      const std::int64_t deadline = byte() % 2 == 0
                                        ? bellows_now_ns() + 1'000'000LL * number()
                                        : static_cast<std::int64_t>(byte()) << (byte() % 56);
      check(bellows_session_run_until(session, image_memory(), values, deadline, &width));
      return;
    }
    case 6:
      check(bellows_session_warm_up(session, number() % 16));
      return;
    case 7: {
      double microseconds = 0;
      check(bellows_session_expected_us(session, number(), &microseconds));
      int width = 0;
      int count = 0;
      check(bellows_session_result(session, &width, &count));
      return;
    }
    case 8:
      check(bellows_session_logits(session, number(), values_.data(), byte() % values_.size()));
      check(bellows_session_probabilities(session, values_.data(), byte() % values_.size()));
      return;
    case 9: {
      static constexpr std::array<const char*, 6> kNames = {
          "logits", "probabilities", "logits.1", "logits.9", "", nullptr};
      check(bellows_session_output(session, kNames[byte() % kNames.size()], values_.data(),
                                   byte() % 8));
      return;
    }
    case 10: {
      int label = -1;
      float confidence = 0;
      const bellows_status status = bellows_session_best(session, number(), &label, &confidence);
      check(status);
      if (status == BELLOWS_OK && (label < 0 || label > 1 || !std::isfinite(confidence))) {
        found("label " + std::to_string(label));
      }
      return;
    }
    case 11: {
      bellows_memory memory = with_size(bellows_memory BELLOWS_MEMORY_INIT);
      check(bellows_session_memory(session, &memory));
      return;
    }
    default: {
      bellows_answer answer = with_size(bellows_answer BELLOWS_ANSWER_INIT);
      const std::size_t values = images();
      if (byte() % 2 == 0) {
        check(bellows_session_classify(session, image_memory(), values, one_of(controllers_),
                                       &answer));
      } else {
        check(bellows_session_classify_by(session, image_memory(), values, policies_,
                                          static_cast<std::size_t>(number()), &answer));
      }
    }
  }
}

void Caller::call_controller(int which) {
  bellows_controller*& controller = one_of(controllers_);
  switch (which) {
    case 0:
      bellows_controller_free(controller);
      controller = nullptr;
      return;
    case 1:
    case 2:
    case 3: {
      std::array<bellows_operating_point, 3> points{};
      for (bellows_operating_point& point : points) {
        point = BELLOWS_OPERATING_POINT_INIT;
        point.width = 1 + byte() % 2;
        point.accuracy = real();
        point.latency_p50_us = real();
        point.latency_p95_us = byte() % 2 == 0 ? real() : point.latency_p50_us;
        point.latency_p99_us = byte() % 2 == 0 ? real() : point.latency_p95_us;
        point.energy_uj = real();
      }
      const bellows_targets wanted = targets();
      bellows_controller_options options = BELLOWS_CONTROLLER_OPTIONS_INIT;
      options.min_dwell = number();
      options.max_dwell = number();
      options.margin = real();
      const bellows_targets* limits = byte() % 4 == 0 ? nullptr : &wanted;
      const bellows_controller_options* chosen = byte() % 2 == 0 ? nullptr : &options;
      bellows_controller* made = nullptr;
      if (which == 1) {
        check(bellows_controller_create(points.data(), byte() % 4, limits, chosen, &made));
      } else if (which == 2) {
        check(bellows_controller_create_from(profile_, one_of(models_), number(), limits, chosen,
                                             &made));
      } else {
        check(bellows_controller_create_with(profile_, policies_, one_of(models_), number(), limits,
                                             chosen, &made));
      }
      bellows_controller_free(controller);
      controller = made;
      return;
    }
    case 4: {
      const bellows_targets wanted = targets();
      check(bellows_controller_set_targets(controller, &wanted, real()));
      return;
    }
    case 5: {
      bellows_decision decision = with_size(bellows_decision BELLOWS_DECISION_INIT);
      check(bellows_controller_decide(controller, real(), real(), &decision));
      return;
    }
    case 6: {
      bellows_reading reading = BELLOWS_READING_INIT;
      reading.point = static_cast<std::size_t>(number());
      reading.latency_us = real();
      reading.energy_uj = real();
      reading.now_s = real();
      reading = with_size(reading);
      check(bellows_controller_observe(controller, &reading));
      return;
    }
    case 7:
      check(bellows_controller_energy_left(controller, real(), real()));
      return;
    default: {
      double latency_us = 0;
      double energy_uj = 0;
      check(bellows_controller_expected(controller, static_cast<std::size_t>(number()), &latency_us,
                                        byte() % 2 == 0 ? nullptr : &energy_uj));
      std::int64_t switches = 0;
      check(bellows_controller_switches(controller, &switches));
    }
  }
}

void Caller::call_one() {
  const std::uint8_t kind = byte();
  const int which = kind / 3;
  switch (kind % 3) {
    case 0:
      call_model(which % 14);
      return;
    case 1:
      call_session(which % 14);
      return;
    default:
      call_controller(which % 9);
  }
}

}  // namespace
}  // namespace bellows::fuzz

// NOLINTNEXTLINE(readability-identifier-naming): the fuzzer's name
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const bellows::fuzz::AtEnd kAtEnd;
  // Of two models, three sessions of at most 1,000 small images and the operations of each.
  const bellows::fuzz::MemoryLimit limit(std::size_t{4} << 20);
  bellows::fuzz::Caller({data, size}).call_all();
  return 0;
}
