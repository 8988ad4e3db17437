#include "training/data/loader.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <stdexcept>
#include <thread>

#include "tests/data_fixtures.h"

namespace bellows {
namespace {

Dataset numbered(std::size_t count) {
  DatasetContent content{.name = "numbered",
                         .provenance = "",
                         .shape = {1, 4, 4},
                         .pixels = noise(count * 16),
                         .labels = {},
                         .class_names = {"a", "b", "c"},
                         .neighbours_related = false};
  for (std::size_t i = 0; i < count; ++i)
    content.labels.push_back(static_cast<std::int32_t>(i % 3));
  return Dataset(std::move(content));
}

LoaderOptions small_batches() {
  LoaderOptions options;
  options.batch_size = 4;
  options.normalisation = {{0.5F}, {0.25F}};
  options.augmentation.crop_padding = 1;
  options.augmentation.flip = true;
  return options;
}

// A batch that outlives the next call.
struct Copy {
  explicit Copy(const Batch& batch)
      : images(batch.images.begin(), batch.images.end()),
        labels(batch.labels.begin(), batch.labels.end()),
        positions(batch.positions.begin(), batch.positions.end()),
        epoch(batch.epoch),
        index(batch.index),
        last(batch.last_of_epoch) {}
  bool operator==(const Copy&) const = default;
  std::vector<float> images;
  std::vector<std::int32_t> labels;
  std::vector<std::uint32_t> positions;
  std::uint64_t epoch, index;
  bool last;
};

std::vector<Copy> take(BatchLoader& loader, int count) {
  std::vector<Copy> batches;
  batches.reserve(static_cast<std::size_t>(count));
  for (int i = 0; i < count; ++i) batches.emplace_back(loader.next());
  return batches;
}

TEST(BatchLoader, GivesEveryImageOnceAnEpochAsTheTransformMakesIt) {
  const Dataset dataset = numbered(10);
  const LoaderOptions options = small_batches();
  BatchLoader loader(dataset, options);
  const ImageTransform transform(dataset.shape(), options.normalisation, options.augmentation,
                                 options.seed);
  EXPECT_EQ(loader.batches_per_epoch(), 3U);
  for (std::uint64_t epoch = 0; epoch < 3; ++epoch) {
    std::vector<std::uint32_t> seen;
    for (std::uint64_t index = 0; index < 3; ++index) {
      const Batch batch = loader.next();
      EXPECT_EQ(batch.epoch, epoch);
      EXPECT_EQ(batch.index, index);
      EXPECT_EQ(batch.last_of_epoch, index == 2);
      ASSERT_EQ(batch.size, index == 2 ? 2 : 4);
      ASSERT_EQ(batch.images.size(), static_cast<std::size_t>(batch.size) * 16);
      for (std::size_t i = 0; i < static_cast<std::size_t>(batch.size); ++i) {
        const std::uint32_t position = batch.positions[i];
        seen.push_back(position);
        EXPECT_EQ(batch.labels[i], dataset.label(position));
        std::vector<float> expected(16);
        transform.augmented(dataset.image(position), epoch, position, expected);
        EXPECT_TRUE(std::equal(expected.begin(), expected.end(),
                               batch.images.begin() + static_cast<std::ptrdiff_t>(i * 16)));
      }
    }
    EXPECT_EQ(seen, epoch_order(10, options.seed, epoch, true));
    std::sort(seen.begin(), seen.end());
    EXPECT_EQ(seen, epoch_order(10, 0, 0, false));
  }
}

TEST(BatchLoader, OrdersDifferBetweenEpochsAndSeeds) {
  EXPECT_NE(epoch_order(100, 1, 0, true), epoch_order(100, 1, 1, true));
  EXPECT_NE(epoch_order(100, 1, 0, true), epoch_order(100, 2, 0, true));
  EXPECT_EQ(epoch_order(3, 1, 5, false), (std::vector<std::uint32_t>{0, 1, 2}));
}

TEST(BatchLoader, DropsTheLastBatchWhenAsked) {
  LoaderOptions options = small_batches();
  options.drop_last = true;
  BatchLoader loader(numbered(10), options);
  EXPECT_EQ(loader.batches_per_epoch(), 2U);
  for (const Copy& batch : take(loader, 5)) EXPECT_EQ(batch.labels.size(), 4U);
}

TEST(BatchLoader, TakesABatchLargerThanTheDataSet) {
  LoaderOptions options = small_batches();
  options.batch_size = 1000;
  BatchLoader loader(numbered(10), options);
  for (const Copy& batch : take(loader, 3)) EXPECT_EQ(batch.labels.size(), 10U);
}

TEST(BatchLoader, BatchesDoNotDependOnWorkersOrBuffers) {
  LoaderOptions options = small_batches();
  BatchLoader one(numbered(50), options);
  options.workers = 3;
  options.buffers = 7;
  BatchLoader several(numbered(50), options);
  options.workers = 5;
  options.buffers = 2;
  BatchLoader tight(numbered(50), options);
  const std::vector<Copy> expected = take(one, 40);
  EXPECT_EQ(take(several, 40), expected);
  EXPECT_EQ(take(tight, 40), expected);
}

TEST(BatchLoader, SeekingGivesTheBatchesOfAnUninterruptedRun) {
  LoaderOptions options = small_batches();
  options.workers = 2;
  BatchLoader whole(numbered(50), options);
  const std::vector<Copy> expected = take(whole, 60);  // 13 batches an epoch
  BatchLoader loader(numbered(50), options);
  for (const std::size_t start : {30U, 0U, 13U, 12U, 59U, 5U}) {
    loader.seek(start / 13, start % 13);
    const int count = std::min(10, 60 - static_cast<int>(start));
    const std::vector<Copy> found = take(loader, count);
    EXPECT_TRUE(std::equal(found.begin(), found.end(),
                           expected.begin() + static_cast<std::ptrdiff_t>(start)))
        << "from batch " << start;
  }
  expect_error(ErrorCode::kInvalidArgument, {"no batch 13"}, [&] { loader.seek(0, 13); });
}

TEST(BatchLoader, ABatchStaysAsItIsUntilTheNextCall) {
  LoaderOptions options = small_batches();
  options.buffers = 2;
  BatchLoader loader(numbered(50), options);
  for (int i = 0; i < 30; ++i) {
    const Batch batch = loader.next();
    const Copy before(batch);
    std::this_thread::sleep_for(std::chrono::milliseconds(1));  // the worker runs ahead meanwhile
    EXPECT_EQ(Copy(batch), before);
  }
}

TEST(BatchLoader, ErrorsOfAWorkerComeOutOfNextAtTheirBatch) {
  std::atomic<bool> broken = true;
  BatchLoader loader(numbered(12), small_batches(),
                     [&](const SampleRequest& request, std::span<float> out) {
                       if (broken && request.epoch == 1) throw std::runtime_error("sample is bad");
                       std::fill(out.begin(), out.end(), 1.0F);
                     });
  EXPECT_EQ(take(loader, 3).back().images.front(), 1.0F);
  for (int i = 0; i < 2; ++i) {
    try {
      (void)loader.next();
      ADD_FAILURE() << "the error was lost";
    } catch (const std::runtime_error& error) {
      EXPECT_STREQ(error.what(), "sample is bad");
    }
  }
  broken = false;
  loader.seek(1, 0);
  EXPECT_EQ(loader.next().epoch, 1U);
}

TEST(BatchLoader, EndsAtAnyMoment) {
  for (int i = 0; i < 50; ++i) {
    LoaderOptions options = small_batches();
    options.workers = 1 + i % 3;
    BatchLoader loader(numbered(50), options);
    for (int k = 0; k < i % 7; ++k) (void)loader.next();
    if (i % 5 == 0) loader.seek(static_cast<std::uint64_t>(i), 1);
  }
}

TEST(BatchLoader, DoesNotMakeItsOwnerWaitForALongBatch) {
  LoaderOptions options = small_batches();
  options.batch_size = 1000;
  const auto begin = std::chrono::steady_clock::now();
  {
    BatchLoader loader(numbered(1000), options, [](const SampleRequest&, std::span<float>) {
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
    });
    std::this_thread::sleep_for(std::chrono::milliseconds(30));
  }
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(5)) << "a batch is 20 s";
}

TEST(BatchLoader, CountsHowLongTheConsumerStarved) {
  LoaderOptions options = small_batches();
  BatchLoader slow(numbered(12), options, [](const SampleRequest&, std::span<float>) {
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  });
  (void)take(slow, 3);
  EXPECT_GT(slow.starved_seconds(), 0.03) << "3 batches of 4 samples of 5 ms, none ready before";

  BatchLoader fast(numbered(12), options);
  (void)fast.next();
  const double start = fast.starved_seconds();
  std::this_thread::sleep_for(std::chrono::milliseconds(200));
  (void)take(fast, 3);  // all of them were prepared while nobody asked
  EXPECT_EQ(fast.starved_seconds(), start);
}

TEST(BatchLoader, RefusesOptionsThatCanNeverWork) {
  const auto refuse = [](const Dataset& dataset, const LoaderOptions& options,
                         const std::string& part) {
    expect_error(ErrorCode::kInvalidArgument, {part},
                 [&] { BatchLoader loader(dataset, options); });
  };
  LoaderOptions options = small_batches();
  refuse(numbered(3).first(0), options, "no images");
  options.batch_size = 0;
  refuse(numbered(3), options, "batch_size is 0");
  options = small_batches();
  options.drop_last = true;
  refuse(numbered(3), options, "drop_last");
  options = small_batches();
  options.workers = 0;
  refuse(numbered(3), options, "workers is 0");
  options = small_batches();
  options.buffers = 1;
  refuse(numbered(3), options, "buffers is 1");
  options = small_batches();
  options.normalisation = {};
  refuse(numbered(3), options, "normalisation");
}

TEST(BatchLoader, PartsOfABatchTogetherAreTheBatch) {
  const Dataset dataset = numbered(10);
  LoaderOptions options = small_batches();
  options.drop_last = true;
  BatchLoader whole(dataset, options);
  options.parts = 2;
  BatchLoader left(dataset, options);
  options.part = 1;
  BatchLoader right(dataset, options);
  for (int batch = 0; batch < 5; ++batch) {
    const Copy all = take(whole, 1).front();
    Copy parts = take(left, 1).front();
    const Copy rest = take(right, 1).front();
    EXPECT_EQ(parts.labels.size(), 2U);
    parts.images.insert(parts.images.end(), rest.images.begin(), rest.images.end());
    parts.labels.insert(parts.labels.end(), rest.labels.begin(), rest.labels.end());
    parts.positions.insert(parts.positions.end(), rest.positions.begin(), rest.positions.end());
    EXPECT_EQ(parts, all);
  }
}

TEST(BatchLoader, RefusesBatchesThatCannotBeDivided) {
  LoaderOptions options = small_batches();
  options.drop_last = true;
  options.parts = 3;
  expect_error(ErrorCode::kInvalidArgument, {"batch of 4", "3 equal parts"},
               [&] { const BatchLoader loader(numbered(10), options); });
  options.part = 3;
  expect_error(ErrorCode::kInvalidArgument, {"part 3 of 3"},
               [&] { const BatchLoader loader(numbered(10), options); });
}

}  // namespace
}  // namespace bellows
