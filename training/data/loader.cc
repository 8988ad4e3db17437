#include "training/data/loader.h"

#include <bellows/error.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <exception>
#include <mutex>
#include <numeric>
#include <string>
#include <thread>
#include <utility>

#include "training/data/random.h"

namespace bellows {
namespace {

constexpr std::uint64_t kStream = 0x6f72646572;  // keeps this use of the seed apart from others
constexpr std::uint64_t kMaxBufferBytes = std::uint64_t{1} << 31;

void fill_order(std::vector<std::uint32_t>& order, std::uint64_t seed, std::uint64_t epoch,
                bool shuffled) {
  std::iota(order.begin(), order.end(), 0U);
  if (!shuffled) return;
  data::KeyedRandom random(seed, kStream, epoch);
  data::shuffle(order, random);
}

[[noreturn]] void refuse(const std::string& what) {
  throw Error(ErrorCode::kInvalidArgument, "batch loader: " + what);
}

Dataset checked(Dataset dataset, const LoaderOptions& options) {
  if (dataset.empty()) refuse("data set \"" + dataset.name() + "\" has no images");
  if (options.batch_size < 1) {
    refuse("batch_size is " + std::to_string(options.batch_size) + ", it must be at least 1");
  }
  if (options.workers < 1 || options.workers > 64) {
    refuse("workers is " + std::to_string(options.workers) + ", it must be 1..64");
  }
  if (options.buffers < 2 || options.buffers > 1024) {
    refuse("buffers is " + std::to_string(options.buffers) + ", it must be 2..1024");
  }
  const auto batch_size = static_cast<std::uint64_t>(options.batch_size);
  if (options.drop_last && batch_size > dataset.size()) {
    refuse("batch_size " + std::to_string(batch_size) + " is larger than the " +
           std::to_string(dataset.size()) + " images and drop_last is set: no batch would remain");
  }
  if (options.parts < 1 || options.part < 0 || options.part >= options.parts) {
    refuse("part " + std::to_string(options.part) + " of " + std::to_string(options.parts) +
           " was asked for");
  }
  if (options.parts > 1 && (!options.drop_last || options.batch_size % options.parts != 0)) {
    refuse("a batch of " + std::to_string(options.batch_size) + " cannot be divided into " +
           std::to_string(options.parts) + " equal parts; choose a multiple of their number");
  }
  if (std::min<std::uint64_t>(batch_size, dataset.size()) * dataset.shape().elements() *
          sizeof(float) >
      kMaxBufferBytes) {
    refuse("a batch of " + std::to_string(batch_size) + " images of " + dataset.shape().text() +
           " is larger than 2 GiB; lower batch_size");
  }
  return dataset;
}

SamplePreparation transform_of(const Dataset& dataset, const LoaderOptions& options) {
  ImageTransform transform(dataset.shape(), options.normalisation, options.augmentation,
                           options.seed);
  return [transform = std::move(transform)](const SampleRequest& request, std::span<float> out) {
    transform.augmented(request.image, request.epoch, request.position, out);
  };
}

}  // namespace

// Batches are numbered 0, 1, 2, ... since the start or the last seek; number n lives in slot
// n % buffers. Invariants, all under mutex_:
// - a slot is filled for number n only after number n - buffers was given back by `next`;
// - numbers are taken by workers in order, so the running epoch's order is one array, and a worker
//   copies its positions out of it before it lets go of the mutex.
class BatchLoader::Impl {
 public:
  Impl(Dataset dataset, const LoaderOptions& options, SamplePreparation prepare)
      : dataset_(checked(std::move(dataset), options)),
        options_(options),
        prepare_(std::move(prepare)),
        order_(dataset_.size()),
        slots_(static_cast<std::size_t>(options.buffers)) {
    const std::size_t most =
        std::min(static_cast<std::size_t>(options_.batch_size / options_.parts), dataset_.size());
    for (Slot& slot : slots_) {
      slot.images.resize(most * dataset_.shape().elements());
      slot.labels.resize(most);
      slot.positions.resize(most);
    }
    fill_order(order_, options_.seed, 0, options_.shuffle);
    try {
      for (int i = 0; i < options_.workers; ++i) threads_.emplace_back([this] { work(); });
    } catch (...) {
      stop();
      throw;
    }
  }

  ~Impl() { stop(); }
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;

  [[nodiscard]] std::uint64_t batches_per_epoch() const {
    const std::uint64_t size = static_cast<std::uint64_t>(options_.batch_size);
    const std::uint64_t whole = dataset_.size() / size;
    return whole + (!options_.drop_last && dataset_.size() % size != 0 ? 1 : 0);
  }

  [[nodiscard]] const Dataset& dataset() const { return dataset_; }

  Batch next() {
    std::unique_lock lock(mutex_);
    if (handed_out_) {
      handed_out_ = false;
      ++given_back_;
      room_.notify_all();
    }
    Slot& slot = slots_[given_back_ % slots_.size()];
    const auto ready = [&] { return slot.ready && slot.number == given_back_; };
    if (!ready()) {
      const auto begin = std::chrono::steady_clock::now();
      ready_.wait(lock, ready);
      starved_ += std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
    }
    if (slot.error) std::rethrow_exception(slot.error);
    handed_out_ = true;
    const auto size = static_cast<std::size_t>(slot.size);
    return {.images = std::span<const float>(slot.images).first(size * dataset_.shape().elements()),
            .labels = std::span<const std::int32_t>(slot.labels).first(size),
            .positions = std::span<const std::uint32_t>(slot.positions).first(size),
            .size = slot.size,
            .epoch = slot.epoch,
            .index = slot.index,
            .last_of_epoch = slot.index + 1 == batches_per_epoch()};
  }

  void seek(std::uint64_t epoch, std::uint64_t index) {
    if (index >= batches_per_epoch()) {
      refuse("no batch " + std::to_string(index) + " in an epoch of " +
             std::to_string(batches_per_epoch()));
    }
    std::unique_lock lock(mutex_);
    paused_ = true;
    idle_.wait(lock, [&] { return busy_ == 0; });
    for (Slot& slot : slots_) {
      slot.ready = false;
      slot.error = nullptr;
    }
    taken_ = 0;
    given_back_ = 0;
    handed_out_ = false;
    epoch_ = epoch;
    index_ = index;
    fill_order(order_, options_.seed, epoch, options_.shuffle);
    paused_ = false;
    room_.notify_all();
  }

  [[nodiscard]] double starved_seconds() const {
    const std::scoped_lock lock(mutex_);
    return starved_;
  }

 private:
  struct Slot {
    std::vector<float> images;
    std::vector<std::int32_t> labels;
    std::vector<std::uint32_t> positions;
    int size = 0;
    std::uint64_t number = 0;
    std::uint64_t epoch = 0;
    std::uint64_t index = 0;
    bool ready = false;
    std::exception_ptr error;
  };

  void stop() {
    {
      const std::scoped_lock lock(mutex_);
      stopping_ = true;
    }
    room_.notify_all();
    for (std::thread& thread : threads_) thread.join();
  }

  // Claims the next number; the caller holds the mutex.
  Slot& take() {
    if (index_ == batches_per_epoch()) {
      index_ = 0;
      ++epoch_;
      fill_order(order_, options_.seed, epoch_, options_.shuffle);
    }
    Slot& slot = slots_[taken_ % slots_.size()];
    slot.ready = false;
    slot.number = taken_++;
    slot.epoch = epoch_;
    slot.index = index_++;
    const std::uint64_t first = slot.index * static_cast<std::uint64_t>(options_.batch_size);
    slot.size = static_cast<int>(std::min<std::uint64_t>(
                    static_cast<std::uint64_t>(options_.batch_size), order_.size() - first)) /
                options_.parts;
    const auto begin = static_cast<std::ptrdiff_t>(first) + options_.part * slot.size;
    std::copy_n(order_.begin() + begin, slot.size, slot.positions.begin());
    return slot;
  }

  void fill(Slot& slot) {
    const std::size_t elements = dataset_.shape().elements();
    for (std::size_t i = 0; i < static_cast<std::size_t>(slot.size); ++i) {
      // A batch can be large: somebody who wants to leave should not wait for its end.
      if (stopping_ || paused_) return;
      const std::uint32_t position = slot.positions[i];
      slot.labels[i] = dataset_.label(position);
      prepare_({dataset_.image(position), position, slot.epoch},
               std::span(slot.images).subspan(i * elements, elements));
    }
  }

  void work() {
    std::unique_lock lock(mutex_);
    for (;;) {
      room_.wait(lock,
                 [&] { return stopping_ || (!paused_ && taken_ < given_back_ + slots_.size()); });
      if (stopping_) return;
      Slot& slot = take();
      ++busy_;
      lock.unlock();
      std::exception_ptr error;
      try {
        fill(slot);
      } catch (...) {
        error = std::current_exception();
      }
      lock.lock();
      slot.error = error;
      slot.ready = true;
      --busy_;
      ready_.notify_all();
      idle_.notify_all();
    }
  }

  Dataset dataset_;
  LoaderOptions options_;
  SamplePreparation prepare_;

  mutable std::mutex mutex_;
  std::condition_variable room_;   // a slot was given back, or stop
  std::condition_variable ready_;  // a slot was filled
  std::condition_variable idle_;   // a worker has finished its slot
  std::vector<std::uint32_t> order_;
  std::vector<Slot> slots_;
  std::uint64_t epoch_ = 0;  // of the next batch to be taken
  std::uint64_t index_ = 0;
  std::uint64_t taken_ = 0;
  std::uint64_t given_back_ = 0;
  bool handed_out_ = false;
  int busy_ = 0;
  double starved_ = 0;
  std::atomic<bool> stopping_ = false;
  std::atomic<bool> paused_ = false;
  std::vector<std::thread> threads_;  // last: they use all of the above
};

BatchLoader::BatchLoader(const Dataset& dataset, const LoaderOptions& options)
    : BatchLoader(dataset, options, transform_of(dataset, options)) {}

BatchLoader::BatchLoader(Dataset dataset, const LoaderOptions& options, SamplePreparation prepare)
    : impl_(std::make_unique<Impl>(std::move(dataset), options, std::move(prepare))) {}

BatchLoader::~BatchLoader() = default;

std::uint64_t BatchLoader::batches_per_epoch() const { return impl_->batches_per_epoch(); }

const Dataset& BatchLoader::dataset() const { return impl_->dataset(); }

Batch BatchLoader::next() { return impl_->next(); }

void BatchLoader::seek(std::uint64_t epoch, std::uint64_t index) { impl_->seek(epoch, index); }

double BatchLoader::starved_seconds() const { return impl_->starved_seconds(); }

std::vector<std::uint32_t> epoch_order(std::size_t count, std::uint64_t seed, std::uint64_t epoch,
                                       bool shuffled) {
  std::vector<std::uint32_t> order(count);
  fill_order(order, seed, epoch, shuffled);
  return order;
}

}  // namespace bellows
