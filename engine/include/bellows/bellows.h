// Bellows: run one trained network at any of its widths.
//
// Start here. A `Model` is the trained network: loaded once, immutable, shared by any number of
// sessions on any threads. A `Session` is one thread's activations over a model: it allocates
// everything when it is made and nothing while it runs. (oneDNN makes and frees a small table in
// each of its calls, and on processors for which it has no code of its own, working memory.)
//
//   auto model = bellows::Model::load("lenet.safetensors");
//   bellows::Session session(model, {.max_batch = 1, .threads = 1});
//   session.run(image, /*width=*/1);   // image: std::span<const float>, [C, H, W], values 0..1
//   if (session.best().confidence < 0.9F) session.refine();  // width 2, reusing width 1
//
// Words: a *group* is a block of channels in every layer, numbered from 1; a *width* is the number
// of active groups. Every failure is a `bellows::Error`, and leaves the object as it was unless
// said otherwise. <bellows/bellows_c.h> has the same for C.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <bellows/controller.h>
#include <bellows/error.h>
#include <bellows/policy.h>
#include <bellows/profile.h>

namespace bellows {

namespace internal {
struct ModelState;
struct SessionState;
struct ModelAccess;
}  // namespace internal

/// What one width of a model costs and is worth. Costs are for one image, groups below included.
struct Width {
  int number = 1;                 ///< what `run` takes
  std::int64_t parameters = 0;    ///< values in the model file
  std::int64_t weight_bytes = 0;  ///< of the file's values (4 each)
  std::int64_t macs = 0;          ///< multiply-accumulates
  /// Share of right answers, 0..1, where the model file tells it: on images held out of training,
  /// and on the test images of its data set.
  std::optional<double> validation_accuracy = {};
  std::optional<double> test_accuracy = {};
};

struct ModelOptions {
  int groups = 0;  ///< the first so many, reading only their bytes; 0: all
  /// Whether sessions of one image may run 3 x 3 convolutions by Winograd's algorithm where oneDNN
  /// has it and it gains. Faster, but its weights are kept beside the others and are 16/9 as large,
  /// it takes more scratch, and logits differ in the last digits from those of other sessions.
  bool winograd = false;
  /// Whether all sessions will have a max_batch of 1: weights are then kept for these alone.
  bool single_images = false;
  /// Most bytes that the model may take at any time; 0: as many as there are, padding (see
  /// Model::packed_bytes) being held to 8 x the file's weights and 64 MiB. Counted are weights,
  /// those of the file while it is loaded included; operations, oneDNN's code among them, reckoned
  /// as 32 KiB for each layer and group (see MemoryUse), anew for each batch size and number of
  /// threads that sessions have; and, while it is read, the file's header. Beyond it loading, or
  /// making a session of another batch size or number of threads, fails with Error(kOutOfMemory).
  std::size_t max_bytes = 0;
  /// Who must have signed the model: a public key in 64 hexadecimal digits, see `bellows sign`;
  /// none: it need not be signed. An empty text is no key and is refused.
  std::optional<std::string> public_key = {};
  /// The least generation of its signature, with a `public_key` only: against an older model that
  /// was put back. A device keeps the newest that it has seen, `Model::generation`, where nobody
  /// else can change it.
  std::int64_t min_generation = 0;
};

/// What a session keeps of an image's activations.
enum class MemoryMode {
  kRefinable = 0,  ///< all: `refine` can go on from them
  /// Those that are still needed: layers share memory, all groups of one before the next. `refine`
  /// is refused; everything else gives the same bits.
  kOneShot = 1,
};

struct SessionOptions {
  int max_batch = 1;  ///< images that one run can take; fewer take the same time as all
  int threads = 1;    ///< OpenMP threads that a run uses
  MemoryMode memory = MemoryMode::kRefinable;
  /// Most bytes of activations and scratch, `Model::memory`; 0: as many as there are. Beyond it
  /// making the session fails with Error(kOutOfMemory), before any of them are taken.
  std::size_t max_bytes = 0;
};

/// Bytes of memory that running a model takes.
struct MemoryUse {
  std::size_t weights = 0;      ///< of the model, all widths together; shared by its sessions
  std::size_t activations = 0;  ///< of each session, its results included
  std::size_t scratch = 0;      ///< of each session, for oneDNN; in part reckoned
  /// Reckoned, for each batch size and number of threads; shared by the sessions that have these.
  std::size_t operations = 0;
};

/// A trained network. Copying shares it. Thread safe. Keeps what sessions of one image on one
/// thread share; what those of another batch size or number of threads share is made with the first
/// of them and goes with the last, but for weights that such a batch size needs in another order:
/// these stay.
class BELLOWS_API Model {
 public:
  /// Loads and checks a model file; afterwards no file is opened. Throws Error: kNotFound,
  /// kCorruptData (weights that are infinite or no numbers, too), kInvalidArgument (more groups
  /// than the file has, a key that is none), kUnsupported (oneDNN cannot run it here),
  /// kOutOfMemory, kIoError, kUntrusted (not signed as the options ask).
  static Model load(const std::string& path, const ModelOptions& options = {});

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
  [[nodiscard]] Width width(int width) const;
  /// All of them, the narrowest first.
  [[nodiscard]] std::vector<Width> widths() const;
  /// What Session::output can be asked for: "logits" and "probabilities", then "logits.<k>" for
  /// each width.
  [[nodiscard]] std::vector<std::string> output_names() const;
  /// Of its signature; -1: it is not signed.
  [[nodiscard]] std::int64_t generation() const;
  /// Bytes of weights held in memory, padding included; all widths together.
  [[nodiscard]] std::size_t packed_bytes() const;
  /// What a session with these options would take, before it is made. Its operations are planned
  /// for that, and weights that such a batch size needs in another order are made and counted, but
  /// no activations. Throws as Session does.
  [[nodiscard]] MemoryUse memory(SessionOptions options = {}) const;

 private:
  friend class Session;
  friend struct internal::ModelAccess;
  explicit Model(std::shared_ptr<internal::ModelState> state) : state_(std::move(state)) {}
  std::shared_ptr<internal::ModelState> state_;
};

/// The most probable class of one image.
struct Prediction {
  int label = 0;
  float confidence = 0;  ///< its probability
};

/// What came of one image whose width a policy or a controller chose.
struct Result {
  int label = 0;
  float confidence = 0;   ///< its probability
  int width = 1;          ///< that was run
  double latency_us = 0;  ///< from the call to the answer
  Decision decision;      ///< a controller's: whether all targets are kept, and which is not
};

/// Activations and scratch of one thread. One thread at a time, which need not be the one that made
/// it; any number may share a model. While a thread is inside `run`, `run_until`, `warm_up` or
/// `refine`, these throw Error(kInUse) in any other, and so does what tells of results and expected
/// times; what a span from an earlier call shows meanwhile is undefined. One that was moved from
/// may only be destroyed or assigned to.
class BELLOWS_API Session {
 public:
  /// Allocates everything. Throws Error: kInvalidArgument (options out of range, a batch of a model
  /// that was loaded for single images), kOutOfMemory, kUnsupported (the system does not make so
  /// many threads, or oneDNN cannot run the model at this batch size).
  explicit Session(const Model& model, SessionOptions options = {});
  ~Session();
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;
  Session(Session&&) noexcept;
  Session& operator=(Session&&) noexcept;

  /// Runs widths 1..`width` on `images` ([N, C, H, W], values 0..1; 1 <= N <= max_batch). Throws
  /// Error(kInvalidArgument) for a width out of range, a size that is not N whole images, or values
  /// that are infinite or no numbers; the former results then stay. Error(kUnsupported) or
  /// Error(kOutOfMemory), when oneDNN fails, and Error(kInvalidArgument) for logits that are
  /// infinite or no numbers, because values of the image are far too large, leave no result:
  /// width() is then 0 and the session can be run again. Denormal numbers are computed with as
  /// zeros; the floating point mode of the thread is as before afterwards.
  void run(std::span<const float> images, int width);
  /// Runs on `images` as many widths as can be finished by `deadline`, and returns the widest: an
  /// answer at any time. A group is begun only while the time that it is expected to take, by this
  /// session's runs so far, is still left; so it may end later by no more than a group's time
  /// scatters. Before a group has run its time is guessed by its multiply-accumulates, and the
  /// first group is begun in any case: call `warm_up` first where the first answers count. A
  /// one-shot session chooses the width before it begins. Throws Error(kDeadline) when not even
  /// width 1 fits, or the deadline has passed, and as `run` does for its images; the former results
  /// then stay.
  int run_until(std::span<const float> images, std::chrono::steady_clock::time_point deadline);
  /// Runs one image as far as `policy` says: width by width until it stops. Throws as `run`, and
  /// Error(kInvalidArgument) for more than one image, a policy that is wider than the model or for
  /// another number of classes, or one that looks at answers in a one-shot session, which cannot
  /// refine; the former result then stays, and a mixture's turn is not taken.
  Result classify(std::span<const float> image, Policy& policy);
  /// Runs one image as the point that `controller` chooses says, and tells it how long that took.
  /// Its times are those of std::chrono::steady_clock, in seconds since its epoch. Throws as `run`
  /// and `Controller::decide`, and Error(kInvalidArgument) for more than one image, or where a
  /// point is of another number of threads than this session, or has a policy that the other
  /// classify would refuse; the former result then stays, and what is refused is no request to the
  /// controller.
  Result classify(std::span<const float> image, Controller& controller);
  /// Runs all widths `rounds` times on what the last images were (zeros before), so that weights
  /// are in the caches and times known. Leaves no result. Throws Error(kInvalidArgument) for less
  /// than one round.
  void warm_up(int rounds = 3);
  /// What `run` is expected to take at a width on this session, in microseconds; 0 before the first
  /// run. Refining to it takes the difference to the width below. Throws Error(kInvalidArgument)
  /// for a width out of range.
  [[nodiscard]] double expected_us(int width) const;
  /// Continues to the next width, computing its group only: afterwards everything is as if `run`
  /// had been called with that width, bit for bit. Throws Error(kInvalidArgument) before the first
  /// run, at the widest width and in a one-shot session.
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
  /// One of the three above by its name, see Model::output_names. Throws Error(kNotFound) for a
  /// name that the model does not have, Error(kInvalidArgument) for a width that has not been run.
  [[nodiscard]] std::span<const float> output(std::string_view name) const;
  /// The most probable class of image `index` of the batch.
  [[nodiscard]] Prediction best(int index = 0) const;

  /// What it takes, and its model.
  [[nodiscard]] MemoryUse memory() const;

 private:
  std::unique_ptr<internal::SessionState> state_;
};

// Growing and trimming in the field. A *growth file* holds only the groups that a wider model has
// beyond the model that it was grown from. These functions look at files, not at models in memory:
// a `Model` that was loaded before stays what it was. They read and write in small pieces, so their
// memory does not grow with the weights. Everything is checked before a result takes its name, and
// it takes it at once: after a failure, a crash or a power cut, there is what was there before or
// the result, whole. Thread safe, also when several work on the same files.

/// What a growth file does.
struct GrowthFacts {
  int base_groups = 0;            ///< groups that a model must have for it
  int groups = 0;                 ///< groups that the model has afterwards
  std::int64_t growth_bytes = 0;  ///< of the growth file
  std::int64_t model_bytes = 0;   ///< of the model's file afterwards
};

/// Writes to `growth` the groups that the model `wide` has beyond the model `base`, whose groups
/// must be the first ones of `wide`, byte for byte. Throws Error naming the culprit:
/// kInvalidArgument (not grown from it, and where they differ; nothing to add; a result that is one
/// of the two), kNotFound, kCorruptData, kUnsupported (a newer format), kOutOfMemory, kIoError,
/// kUntrusted. With a `public_key`, 64 hexadecimal digits, both models must be signed by it and be
/// of `min_generation` or later; see ModelOptions.
BELLOWS_API GrowthFacts write_growth(const std::string& wide, const std::string& base,
                                     const std::string& growth,
                                     const std::optional<std::string>& public_key = {},
                                     std::int64_t min_generation = 0);

/// Adds the groups in `growth` to the model `model`, which must have exactly the groups that they
/// were grown from. The result equals the wide model byte for byte. It goes to `out`, or takes the
/// place of `model` and its permissions when `out` is empty; the disk needs room for it beside
/// `model`. Throws Error naming the culprit, with `model` as it was: kInvalidArgument (grown from
/// another model, or the model has these groups already), kNotFound, kCorruptData, kUnsupported (a
/// newer format), kOutOfMemory, kIoError (disk full, ...), kUntrusted. A model that is signed takes
/// only groups of a model that is signed by the same key, of its generation or later; with a
/// `public_key`, 64 hexadecimal digits, both must be signed by that one.
BELLOWS_API GrowthFacts apply_growth(const std::string& growth, const std::string& model,
                                     const std::string& out = {},
                                     const std::optional<std::string>& public_key = {});

/// Writes to `out` the model `model` with its first `groups` groups only: the same bytes of weights
/// under the same hashes, and what is known of these widths. Throws Error naming the culprit:
/// kInvalidArgument (`groups` not below those of the model, or `out` is the model itself),
/// kNotFound, kCorruptData, kUnsupported, kOutOfMemory, kIoError, kUntrusted (`out` is a signed
/// model, whose place one that nobody has signed does not take; or `model` is not signed as asked
/// for, as by write_growth).
BELLOWS_API void trim_model(const std::string& model, int groups, const std::string& out,
                            const std::optional<std::string>& public_key = {},
                            std::int64_t min_generation = 0);

/// "0.1.0", as the library was built; the header's own are BELLOWS_VERSION_MAJOR, _MINOR, _PATCH.
BELLOWS_API const char* version();

}  // namespace bellows
