// Batches prepared in the background, the same for the same seed whatever the machine does.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "training/data/augmentation.h"
#include "training/data/dataset.h"

namespace bellows {

struct LoaderOptions {
  int batch_size = 128;
  std::uint64_t seed = 1;
  /// A new order every epoch, fixed by (seed, epoch); otherwise the order of the data set.
  bool shuffle = true;
  /// Leave out the last batch of an epoch when it is not full.
  bool drop_last = false;
  /// Hand out only this part, from 0, of so many equal parts of each batch, for processes that
  /// share batches. Needs `drop_last` and a batch size that can be divided.
  int part = 0;
  int parts = 1;
  AugmentationOptions augmentation;
  Normalisation normalisation;
  /// Threads that prepare; the batches do not depend on it.
  int workers = 1;
  /// Batches prepared ahead; also the number of buffers.
  int buffers = 4;
};

/// One prepared batch. Points into the loader's buffers: valid until the next call of `next` or
/// `seek` and while the loader lives.
struct Batch {
  std::span<const float> images;             ///< [size, C, H, W], normalised
  std::span<const std::int32_t> labels;      ///< [size]
  std::span<const std::uint32_t> positions;  ///< [size], of each sample in the data set
  int size = 0;
  std::uint64_t epoch = 0;  ///< from 0
  std::uint64_t index = 0;  ///< within the epoch, from 0
  bool last_of_epoch = false;
};

/// The sample that a `SamplePreparation` is asked for.
struct SampleRequest {
  std::span<const std::uint8_t> image;  ///< [C, H, W]
  std::uint32_t position = 0;           ///< in the data set
  std::uint64_t epoch = 0;
};

/// Turns a sample into [C, H, W] floats. Called from the workers, several at a time when there are
/// several; what it throws comes out of `next`.
using SamplePreparation = std::function<void(const SampleRequest& request, std::span<float> out)>;

/// Endless batches, epoch after epoch. `next` and `seek` belong to one thread; destroying the
/// loader at any moment ends its threads. Allocates when made and in `seek`, nothing while it runs.
class BatchLoader {
 public:
  /// Throws Error(kInvalidArgument) for options that can never work (no images, batch size 0, a
  /// batch larger than the data set with drop_last, a batch above 2^31 bytes, bad normalisation).
  BatchLoader(const Dataset& dataset, const LoaderOptions& options);
  /// The same with a preparation of one's own; augmentation and normalisation are then not used.
  BatchLoader(Dataset dataset, const LoaderOptions& options, SamplePreparation prepare);
  ~BatchLoader();
  BatchLoader(const BatchLoader&) = delete;
  BatchLoader& operator=(const BatchLoader&) = delete;

  [[nodiscard]] std::uint64_t batches_per_epoch() const;
  [[nodiscard]] const Dataset& dataset() const;

  /// The next batch, waiting for it if need be. Rethrows what went wrong in a worker, again and
  /// again until `seek`.
  [[nodiscard]] Batch next();

  /// Makes `next` return batch `index` of `epoch`, exactly the one that uninterrupted running would
  /// give. Throws Error(kInvalidArgument) when index >= batches_per_epoch().
  void seek(std::uint64_t epoch, std::uint64_t index);

  /// Seconds `next` has waited so far because no batch was ready, the very first one included.
  [[nodiscard]] double starved_seconds() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

/// The order in which epoch `epoch` visits `count` samples.
[[nodiscard]] std::vector<std::uint32_t> epoch_order(std::size_t count, std::uint64_t seed,
                                                     std::uint64_t epoch, bool shuffled);

}  // namespace bellows
