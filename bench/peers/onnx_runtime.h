// ONNX Runtime from C++, for tests that compare logits with it and benchmarks that compare times.
// Its shared library is opened at run time; nothing is linked and no header of it is needed.
// third_party/install_onnxruntime.sh fetches it.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace bellows::peers {

/// Where the library is looked for: what the environment variable BELLOWS_ONNXRUNTIME names, else
/// where third_party/install_onnxruntime.sh puts it.
[[nodiscard]] std::filesystem::path onnx_runtime_library();

/// The opened library. Copying shares it; it stays open until the program ends. Thread safe.
class OnnxRuntime {
 public:
  /// Throws Error: kNotFound when there is no such file (the message says how to get it),
  /// kUnsupported when it is no ONNX Runtime 1.17 or newer.
  explicit OnnxRuntime(const std::filesystem::path& library = onnx_runtime_library());

  /// "1.30.0"
  [[nodiscard]] const std::string& version() const;

 private:
  friend class OnnxSession;
  struct Library;
  std::shared_ptr<const Library> library_;
};

struct OnnxSessionOptions {
  int threads = 1;       ///< that one operation uses (intra-op); operations run one after another
  bool spinning = true;  ///< whether threads that wait keep their core busy; ONNX Runtime's default
};

/// A model with one input of images and one output of logits, both f32, optimised as far as ONNX
/// Runtime does (graph optimisation level "all"), memory pattern on. Not thread safe; any number
/// may share an OnnxRuntime.
class OnnxSession {
 public:
  /// From a file. Throws Error: kNotFound, kUnsupported with ONNX Runtime's words when it does not
  /// take the model.
  OnnxSession(const OnnxRuntime& runtime, const std::filesystem::path& model,
              const OnnxSessionOptions& options = {});
  /// From the bytes of a file, which need not outlive the call.
  OnnxSession(const OnnxRuntime& runtime, std::span<const std::uint8_t> model,
              const OnnxSessionOptions& options = {});
  ~OnnxSession();
  OnnxSession(const OnnxSession&) = delete;
  OnnxSession& operator=(const OnnxSession&) = delete;
  OnnxSession(OnnxSession&&) noexcept;
  OnnxSession& operator=(OnnxSession&&) noexcept;

  /// Shapes as the model has them, -1 for what is not fixed.
  [[nodiscard]] const std::vector<std::int64_t>& input_shape() const;
  [[nodiscard]] const std::vector<std::int64_t>& output_shape() const;

  /// Runs the model on `batch` images [batch, C, H, W] and returns the logits [batch, classes],
  /// valid until the next run. Input and output stay where they are: ONNX Runtime reads from
  /// `images` and writes into memory kept here, so after a first run over the same `images` a call
  /// is ONNX Runtime's own work alone. Throws Error: kInvalidArgument for a size that is not
  /// `batch` images, kUnsupported with ONNX Runtime's words when it fails.
  std::span<const float> run(std::span<const float> images, int batch);

 private:
  OnnxSession(const OnnxRuntime& runtime, const OnnxSessionOptions& options,
              const std::string& name, const std::filesystem::path* file,
              std::span<const std::uint8_t> bytes);

  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace bellows::peers
