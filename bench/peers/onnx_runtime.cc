#include "bench/peers/onnx_runtime.h"

#include <bellows/error.h>
#include <dlfcn.h>

#include <array>
#include <cstdlib>
#include <utility>

namespace bellows::peers {
namespace {

// ONNX Runtime's C interface, as far as it is used here. A library answers OrtGetApiBase() with a
// table of two functions; the first gives the table of all others for a version of the interface.
// A function keeps its place in that table for ever, so a place is all that has to be known of it.

// Objects of the library; never looked into.
struct OrtStatus;
struct OrtEnv;
struct OrtSessionOptions;
struct OrtSession;
struct OrtRunOptions;
struct OrtMemoryInfo;
struct OrtAllocator;
struct OrtValue;
struct OrtTypeInfo;
struct OrtTensorInfo;

using Table = void* const*;
struct OrtApiBase {
  Table (*get_api)(std::uint32_t version);
  const char* (*version)();
};

constexpr std::uint32_t kApiVersion = 17;

constexpr int kLogErrors = 3;
constexpr int kSequential = 0;
constexpr int kOptimiseAll = 99;
constexpr int kDeviceAllocator = 0;
constexpr int kDefaultMemory = 0;
constexpr int kFloat = 1;

// One function: its place and its type. What can fail returns a status, null when all is well.
template <std::size_t Place, class... Arguments>
struct Function {
  static OrtStatus* call(Table table, Arguments... arguments) {
    return reinterpret_cast<OrtStatus* (*)(Arguments...)>(table[Place])(arguments...);
  }
};
template <std::size_t Place, class Object>
struct Release {
  Table table = nullptr;
  void operator()(Object* object) const {
    reinterpret_cast<void (*)(Object*)>(table[Place])(object);
  }
};

using GetErrorMessage = const char* (*)(const OrtStatus*);
constexpr std::size_t kGetErrorMessage = 2;
using CreateEnv = Function<3, int, const char*, OrtEnv**>;
using CreateSession =
    Function<7, const OrtEnv*, const char*, const OrtSessionOptions*, OrtSession**>;
using CreateSessionFromArray =
    Function<8, const OrtEnv*, const void*, std::size_t, const OrtSessionOptions*, OrtSession**>;
using Run =
    Function<9, OrtSession*, const OrtRunOptions*, const char* const*, const OrtValue* const*,
             std::size_t, const char* const*, std::size_t, OrtValue**>;
using CreateSessionOptions = Function<10, OrtSessionOptions**>;
using SetSessionExecutionMode = Function<13, OrtSessionOptions*, int>;
using EnableMemPattern = Function<16, OrtSessionOptions*>;
using SetGraphOptimizationLevel = Function<23, OrtSessionOptions*, int>;
using SetIntraOpNumThreads = Function<24, OrtSessionOptions*, int>;
using SessionGetInputCount = Function<30, const OrtSession*, std::size_t*>;
using SessionGetOutputCount = Function<31, const OrtSession*, std::size_t*>;
using SessionGetInputTypeInfo = Function<33, const OrtSession*, std::size_t, OrtTypeInfo**>;
using SessionGetOutputTypeInfo = Function<34, const OrtSession*, std::size_t, OrtTypeInfo**>;
using SessionGetInputName = Function<36, const OrtSession*, std::size_t, OrtAllocator*, char**>;
using SessionGetOutputName = Function<37, const OrtSession*, std::size_t, OrtAllocator*, char**>;
using CreateTensorWithData = Function<49, const OrtMemoryInfo*, void*, std::size_t,
                                      const std::int64_t*, std::size_t, int, OrtValue**>;
using CastTypeInfoToTensorInfo = Function<55, const OrtTypeInfo*, const OrtTensorInfo**>;
using GetTensorElementType = Function<60, const OrtTensorInfo*, int*>;
using GetDimensionsCount = Function<61, const OrtTensorInfo*, std::size_t*>;
using GetDimensions = Function<62, const OrtTensorInfo*, std::int64_t*, std::size_t>;
using CreateCpuMemoryInfo = Function<69, int, int, OrtMemoryInfo**>;
using AllocatorFree = Function<76, OrtAllocator*, void*>;
using GetAllocator = Function<78, OrtAllocator**>;
using ReleaseEnv = Release<92, OrtEnv>;
using ReleaseStatus = Release<93, OrtStatus>;
using ReleaseMemoryInfo = Release<94, OrtMemoryInfo>;
using ReleaseSession = Release<95, OrtSession>;
using ReleaseValue = Release<96, OrtValue>;
using ReleaseTypeInfo = Release<98, OrtTypeInfo>;
using ReleaseSessionOptions = Release<100, OrtSessionOptions>;
using AddSessionConfigEntry = Function<130, OrtSessionOptions*, const char*, const char*>;

template <class Object, class Releaser>
using Owned = std::unique_ptr<Object, Releaser>;

// Calls a function; a failure becomes an Error that begins with `culprit`.
template <class Callee, class... Arguments>
void call(Table table, const std::string& culprit, Arguments... arguments) {
  const Owned<OrtStatus, ReleaseStatus> status(Callee::call(table, arguments...), {table});
  if (status == nullptr) return;
  std::string words = reinterpret_cast<GetErrorMessage>(table[kGetErrorMessage])(status.get());
  for (char& c : words) {
    if (c == '\n') c = ' ';
  }
  throw Error(ErrorCode::kUnsupported, culprit + ": ONNX Runtime: " + words);
}

// Calls a function that makes an object.
template <class Callee, class Object, class Releaser, class... Arguments>
Owned<Object, Releaser> make(Table table, const std::string& culprit, Arguments... arguments) {
  Object* made = nullptr;
  call<Callee>(table, culprit, arguments..., &made);
  return {made, Releaser{table}};
}

}  // namespace

std::filesystem::path onnx_runtime_library() {
  const char* named = std::getenv("BELLOWS_ONNXRUNTIME");
  return named != nullptr && *named != '\0' ? named : BELLOWS_ONNXRUNTIME_DEFAULT;
}

struct OnnxRuntime::Library {
  Table table = nullptr;
  std::string version;
  Owned<OrtEnv, ReleaseEnv> env;
  Owned<OrtMemoryInfo, ReleaseMemoryInfo> memory;
  OrtAllocator* allocator = nullptr;  // the library's own
};

OnnxRuntime::OnnxRuntime(const std::filesystem::path& library) {
  const std::string name = library.string();
  if (!std::filesystem::exists(library)) {
    throw Error(ErrorCode::kNotFound, name +
                                          ": no such file; third_party/install_onnxruntime.sh "
                                          "fetches it, or name another one in the environment "
                                          "variable BELLOWS_ONNXRUNTIME");
  }
  // Never closed: its threads and thread-local values may outlive every session.
  void* handle = dlopen(name.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (handle == nullptr) {
    throw Error(ErrorCode::kUnsupported, std::string("cannot open the library: ") + dlerror());
  }
  using GetApiBase = const OrtApiBase* (*)();
  const auto get_api_base = reinterpret_cast<GetApiBase>(dlsym(handle, "OrtGetApiBase"));
  if (get_api_base == nullptr) {
    throw Error(ErrorCode::kUnsupported, name + ": is no ONNX Runtime (it has no OrtGetApiBase)");
  }
  const OrtApiBase& base = *get_api_base();
  auto opened = std::make_shared<Library>();
  opened->version = base.version();
  opened->table = base.get_api(kApiVersion);
  if (opened->table == nullptr) {
    throw Error(ErrorCode::kUnsupported,
                name + ": is ONNX Runtime " + opened->version + "; 1.17 or newer is needed");
  }
  const Table table = opened->table;
  opened->env = make<CreateEnv, OrtEnv, ReleaseEnv>(table, name, kLogErrors, "bellows");
  opened->memory = make<CreateCpuMemoryInfo, OrtMemoryInfo, ReleaseMemoryInfo>(
      table, name, kDeviceAllocator, kDefaultMemory);
  call<GetAllocator>(table, name, &opened->allocator);
  library_ = std::move(opened);
}

const std::string& OnnxRuntime::version() const { return library_->version; }

struct OnnxSession::State {
  // One end of the model: its name, its shape, and the tensor over the memory it was last run with.
  struct End {
    std::string name;
    std::vector<std::int64_t> shape;
    Owned<OrtValue, ReleaseValue> value;
  };

  std::shared_ptr<const OnnxRuntime::Library> library;
  std::string culprit;  // the model, for messages
  Owned<OrtSession, ReleaseSession> session;
  End input, output;
  std::vector<float> logits;
  std::span<const float> images;  // what input.value is over
  int batch = 0;

  template <class GetCount, class GetTypeInfo, class GetName>
  End end_of(const char* what) const {
    const Table table = library->table;
    std::size_t count = 0;
    call<GetCount>(table, culprit, static_cast<const OrtSession*>(session.get()), &count);
    if (count != 1) {
      throw Error(ErrorCode::kUnsupported, culprit + ": has " + std::to_string(count) + " " + what +
                                               "s; a classifier has one");
    }
    End end;
    char* name = nullptr;
    call<GetName>(table, culprit, static_cast<const OrtSession*>(session.get()), std::size_t{0},
                  library->allocator, &name);
    end.name = name;
    call<AllocatorFree>(table, culprit, library->allocator, static_cast<void*>(name));
    const auto info = make<GetTypeInfo, OrtTypeInfo, ReleaseTypeInfo>(
        table, culprit, static_cast<const OrtSession*>(session.get()), std::size_t{0});
    const OrtTensorInfo* tensor = nullptr;  // part of info
    call<CastTypeInfoToTensorInfo>(table, culprit, static_cast<const OrtTypeInfo*>(info.get()),
                                   &tensor);
    int type = 0;
    std::size_t dimensions = 0;
    if (tensor != nullptr) {
      call<GetTensorElementType>(table, culprit, tensor, &type);
      call<GetDimensionsCount>(table, culprit, tensor, &dimensions);
    }
    if (type != kFloat || dimensions == 0) {
      throw Error(ErrorCode::kUnsupported,
                  culprit + ": its " + what + " '" + end.name + "' is no tensor of f32");
    }
    end.shape.resize(dimensions);
    call<GetDimensions>(table, culprit, tensor, end.shape.data(), dimensions);
    return end;
  }

  // A tensor over `batch` times the end's shape.
  void place(End& end, int count, std::span<float> values) const {
    std::vector<std::int64_t> shape = end.shape;
    shape[0] = count;
    end.value = make<CreateTensorWithData, OrtValue, ReleaseValue>(
        library->table, culprit, static_cast<const OrtMemoryInfo*>(library->memory.get()),
        static_cast<void*>(values.data()), values.size_bytes(),
        static_cast<const std::int64_t*>(shape.data()), shape.size(), kFloat);
  }

  static std::size_t elements_of_one(const End& end) {
    std::size_t product = 1;
    for (std::size_t i = 1; i < end.shape.size(); ++i) {
      product *= static_cast<std::size_t>(end.shape[i]);
    }
    return product;
  }
};

OnnxSession::OnnxSession(const OnnxRuntime& runtime, const OnnxSessionOptions& options,
                         const std::string& name, const std::filesystem::path* file,
                         std::span<const std::uint8_t> bytes)
    : state_(std::make_unique<State>()) {
  state_->library = runtime.library_;
  state_->culprit = name;
  const Table table = runtime.library_->table;
  const auto made =
      make<CreateSessionOptions, OrtSessionOptions, ReleaseSessionOptions>(table, name);
  OrtSessionOptions* settings = made.get();
  call<SetSessionExecutionMode>(table, name, settings, kSequential);
  call<SetGraphOptimizationLevel>(table, name, settings, kOptimiseAll);
  call<EnableMemPattern>(table, name, settings);
  call<SetIntraOpNumThreads>(table, name, settings, options.threads);
  if (!options.spinning) {
    call<AddSessionConfigEntry>(table, name, settings, "session.intra_op.allow_spinning", "0");
  }
  const OrtEnv* env = runtime.library_->env.get();
  if (file != nullptr) {
    if (!std::filesystem::exists(*file)) {
      throw Error(ErrorCode::kNotFound, name + ": no such file");
    }
    state_->session = make<CreateSession, OrtSession, ReleaseSession>(
        table, name, env, file->c_str(), static_cast<const OrtSessionOptions*>(settings));
  } else {
    state_->session = make<CreateSessionFromArray, OrtSession, ReleaseSession>(
        table, name, env, static_cast<const void*>(bytes.data()), bytes.size(),
        static_cast<const OrtSessionOptions*>(settings));
  }
  state_->input =
      state_->end_of<SessionGetInputCount, SessionGetInputTypeInfo, SessionGetInputName>("input");
  state_->output =
      state_->end_of<SessionGetOutputCount, SessionGetOutputTypeInfo, SessionGetOutputName>(
          "output");
}

OnnxSession::OnnxSession(const OnnxRuntime& runtime, const std::filesystem::path& model,
                         const OnnxSessionOptions& options)
    : OnnxSession(runtime, options, model.string(), &model, {}) {}

OnnxSession::OnnxSession(const OnnxRuntime& runtime, std::span<const std::uint8_t> model,
                         const OnnxSessionOptions& options)
    : OnnxSession(runtime, options, "ONNX model in memory", nullptr, model) {}

OnnxSession::~OnnxSession() = default;
OnnxSession::OnnxSession(OnnxSession&&) noexcept = default;
OnnxSession& OnnxSession::operator=(OnnxSession&&) noexcept = default;

const std::vector<std::int64_t>& OnnxSession::input_shape() const { return state_->input.shape; }
const std::vector<std::int64_t>& OnnxSession::output_shape() const { return state_->output.shape; }

std::span<const float> OnnxSession::run(std::span<const float> images, int batch) {
  State& state = *state_;
  if (batch < 1 || batch != state.batch || images.data() != state.images.data() ||
      images.size() != state.images.size()) {
    const std::size_t wanted =
        static_cast<std::size_t>(batch < 1 ? 0 : batch) * State::elements_of_one(state.input);
    if (wanted == 0 || images.size() != wanted) {
      throw Error(ErrorCode::kInvalidArgument,
                  state.culprit + ": was given " + std::to_string(images.size()) + " values for " +
                      std::to_string(batch) + " images; it takes " +
                      std::to_string(State::elements_of_one(state.input)) + " for each image");
    }
    state.batch = 0;
    state.logits.resize(static_cast<std::size_t>(batch) * State::elements_of_one(state.output));
    // ONNX Runtime takes a pointer to what it only reads.
    state.place(state.input, batch, {const_cast<float*>(images.data()), images.size()});
    state.place(state.output, batch, state.logits);
    state.images = images;
    state.batch = batch;
  }
  const std::array<const char*, 1> input_names{state.input.name.c_str()};
  const std::array<const char*, 1> output_names{state.output.name.c_str()};
  const std::array<const OrtValue*, 1> inputs{state.input.value.get()};
  std::array<OrtValue*, 1> outputs{state.output.value.get()};
  call<Run>(state.library->table, state.culprit, state.session.get(),
            static_cast<const OrtRunOptions*>(nullptr), input_names.data(), inputs.data(),
            std::size_t{1}, output_names.data(), std::size_t{1}, outputs.data());
  return state.logits;
}

}  // namespace bellows::peers
