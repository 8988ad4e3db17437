// The C interface: handles around the C++ objects, and the place where exceptions end.
#include <bellows/bellows.h>
#include <bellows/bellows_c.h>
#include <pthread.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstring>
#include <new>
#include <string>
#include <utility>
#include <vector>

using bellows::Error;
using bellows::ErrorCode;

struct bellows_model {
  bellows::Model model;
  std::vector<std::string> output_names = model.output_names();
};
struct bellows_session {
  bellows::Session session;
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

// There has been one version of each structure so far; when one gets members, the size that it had
// before is accepted too.
template <class Struct>
void check_size(std::size_t known_bytes, const char* name) {
  if (known_bytes != sizeof(Struct)) {
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

bellows::SessionOptions options_of(const bellows_session_options* given) {
  bellows_session_options options = BELLOWS_SESSION_OPTIONS_INIT;
  if (given != nullptr) exchange(*given, options, given->struct_bytes, "bellows_session_options");
  return {.max_batch = options.max_batch,
          .threads = options.threads,
          .memory = static_cast<bellows::MemoryMode>(options.memory_mode)};
}

bellows::ModelOptions options_of(const bellows_model_options* given) {
  bellows_model_options options = BELLOWS_MODEL_OPTIONS_INIT;
  if (given != nullptr) exchange(*given, options, given->struct_bytes, "bellows_model_options");
  return {.groups = options.groups,
          .winograd = options.winograd != 0,
          .single_images = options.single_images != 0};
}

void tell(const bellows::MemoryUse& use, bellows_memory* memory) {
  const bellows_memory found = {sizeof(bellows_memory), use.weights, use.activations, use.scratch};
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

bellows_status bellows_apply_growth(const char* growth, const char* model, const char* out,
                                    bellows_growth_facts* facts) {
  return written(facts, [&] {
    return bellows::apply_growth(&needed(growth, "growth"), &needed(model, "model"),
                                 out == nullptr ? "" : out);
  });
}

bellows_status bellows_write_growth(const char* wide, const char* base, const char* growth,
                                    bellows_growth_facts* facts) {
  return written(facts, [&] {
    return bellows::write_growth(&needed(wide, "wide"), &needed(base, "base"),
                                 &needed(growth, "growth"));
  });
}

bellows_status bellows_trim_model(const char* model, int groups, const char* out) {
  return guarded(
      [&] { bellows::trim_model(&needed(model, "model"), groups, &needed(out, "out")); });
}
