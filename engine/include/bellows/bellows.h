// Bellows: run one trained network at any of its widths.
//
// Start here. A `Model` is the trained network: loaded once, immutable, shared by any number of
// sessions on any threads. A `Session` is one thread's activations over a model: it allocates
// everything when it is made and nothing while it runs.
//
//   auto model = bellows::Model::load("lenet.safetensors");
//   bellows::Session session(model, {.max_batch = 1, .threads = 1});
//   session.run(image, /*width=*/1);   // image: std::span<const float>, [C, H, W], values 0..1
//   if (session.best().confidence < 0.9F) session.refine();  // width 2, reusing width 1
//
// Words: a *group* is a block of channels in every layer, numbered from 1; a *width* is the number
// of active groups. Every failure is a `bellows::Error`, and leaves the object as it was unless
// said otherwise.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include <bellows/error.h>

namespace bellows {

namespace internal {
struct ModelState;
struct SessionState;
struct ModelAccess;
}  // namespace internal

/// What one width of a model costs, for one image, groups below included.
struct WidthCost {
  std::int64_t parameters = 0;    ///< values in the model file
  std::int64_t weight_bytes = 0;  ///< of the file's values (4 each)
  std::int64_t macs = 0;          ///< multiply-accumulates
};

/// A trained network. Copying shares it. Thread safe. Keeps what sessions of one image on one
/// thread share; what those of another batch size or number of threads share is made with the first
/// of them and goes with the last, but for weights that such a batch size needs in another order:
/// these stay.
class Model {
 public:
  /// Loads and checks a model file; `groups` = 0 loads all, k only the first k (reading only their
  /// bytes). Throws Error: kNotFound, kCorruptData, kInvalidArgument (more groups than the file
  /// has), kUnsupported (oneDNN cannot run it here, or not enough memory), kIoError.
  static Model load(const std::string& path, int groups = 0);

  /// Widths it runs at: 1..groups().
  [[nodiscard]] int groups() const;
  [[nodiscard]] int classes() const;
  /// Names of the classes, in the order of the logits.
  [[nodiscard]] const std::vector<std::string>& class_names() const;
  /// Shape of an image: channels, height, width.
  [[nodiscard]] int image_channels() const;
  [[nodiscard]] int image_height() const;
  [[nodiscard]] int image_width() const;
  /// Product of the three.
  [[nodiscard]] std::size_t image_elements() const;
  /// Throws Error(kInvalidArgument) for a width out of range.
  [[nodiscard]] WidthCost cost(int width) const;
  /// Bytes of weights held in memory, padding included; all widths together.
  [[nodiscard]] std::size_t packed_bytes() const;

 private:
  friend class Session;
  friend struct internal::ModelAccess;
  explicit Model(std::shared_ptr<internal::ModelState> state) : state_(std::move(state)) {}
  std::shared_ptr<internal::ModelState> state_;
};

struct SessionOptions {
  int max_batch = 1;  ///< images that one run can take; fewer take the same time as all
  int threads = 1;    ///< OpenMP threads that a run uses
};

/// The most probable class of one image.
struct Prediction {
  int label = 0;
  float confidence = 0;  ///< its probability
};

/// Activations and scratch of one thread. Not thread safe; any number may share a model.
class Session {
 public:
  /// Allocates everything. Throws Error: kInvalidArgument (options out of range), kUnsupported (not
  /// enough memory, or oneDNN cannot run the model at this batch size).
  explicit Session(const Model& model, SessionOptions options = {});
  ~Session();
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;
  Session(Session&&) noexcept;
  Session& operator=(Session&&) noexcept;

  /// Runs widths 1..`width` on `images` ([N, C, H, W], values 0..1; 1 <= N <= max_batch). Throws
  /// Error(kInvalidArgument) for a width out of range or a size that is not N whole images; the
  /// former results then stay. Error(kUnsupported), when oneDNN fails, leaves no result: width() is
  /// then 0 and the session can be run again.
  void run(std::span<const float> images, int width);
  /// Continues to the next width, computing its group only: afterwards everything is as if `run`
  /// had been called with that width, bit for bit. Throws Error(kInvalidArgument) before the first
  /// run and at the widest width.
  void refine();

  /// Width of the last result; 0 before the first run.
  [[nodiscard]] int width() const;
  /// Images of the last run.
  [[nodiscard]] int batch() const;
  /// Logits of the last result, [N, classes]. Valid until the next run or refine.
  [[nodiscard]] std::span<const float> logits() const;
  /// Logits of a width up to width(), kept since the last run.
  [[nodiscard]] std::span<const float> logits(int width) const;
  /// Softmax of the logits of the last result, [N, classes].
  [[nodiscard]] std::span<const float> probabilities() const;
  /// The most probable class of image `index` of the batch.
  [[nodiscard]] Prediction best(int index = 0) const;

  /// Bytes of activations and scratch.
  [[nodiscard]] std::size_t activation_bytes() const;

 private:
  std::unique_ptr<internal::SessionState> state_;
};

/// "0.1.0"
const char* version();

}  // namespace bellows
