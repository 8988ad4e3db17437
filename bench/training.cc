// Learning with a plain network (one group of full width): images per second, and the share of the
// machine's f32 peak that a large matrix product reaches in the same minute. And what learning
// group after group costs beside it.
#include <benchmark/benchmark.h>

#include <chrono>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "bench/matmul_onednn.h"
#include "bench/networks.h"
#include "bench/side_by_side.h"
#include "bench/trainee.h"
#include "engine/threads.h"
#include "training/data/loader.h"

namespace bellows::bench {
namespace {

constexpr int kBatch = 128;
constexpr int kThreads = 2;

// Seconds that one core needs to read, crop, flip and normalise a batch of `shape`, as training
// does beside the computation.
double preparation_seconds(const MapShape& input) {
  const ImageShape shape{input.channels_of(1), input.height, input.width};
  constexpr std::size_t kImages = 4096;
  DatasetContent content;
  content.name = "grey";
  content.shape = shape;
  content.pixels.assign(kImages * shape.elements(), 128);
  content.labels.assign(kImages, 0);
  content.class_names = {"one"};
  const Dataset images(std::move(content));
  const auto channels = static_cast<std::size_t>(shape.channels);
  LoaderOptions options;
  options.batch_size = kBatch;
  options.augmentation.crop_padding = 4;
  options.augmentation.flip = true;
  options.normalisation = {.mean = std::vector<float>(channels, 0.5F),
                           .stddev = std::vector<float>(channels, 0.25F)};
  BatchLoader loader(images, options);
  // As many as there are buffers are ready sooner.
  for (int i = 0; i < 8; ++i) static_cast<void>(loader.next());
  constexpr int kBatches = 64;
  const auto start = std::chrono::steady_clock::now();
  for (int i = 0; i < kBatches; ++i) static_cast<void>(loader.next());
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count() / kBatches;
}

void training(benchmark::State& state, const std::string& name) {
  const ThreadCount threads(kThreads);
  Trainee trainee(shipped_network(name).as_one_group(), kBatch, kThreads);
  trainee.update();
  LargeMatmul matmul;
  std::vector<Contender> contenders{{[&] { trainee.update(); }},
                                    {[&] { trainee.forward(); }},
                                    {[&] { trainee.backward(); }},
                                    {[&] { matmul.run(); }},
                                    {[&] { trainee.optimise(); }}};
  take_turns(state, contenders);

  const double peak = LargeMatmul::flops() / median(contenders[3].seconds);
  const double forward = median(contenders[1].seconds);
  const double backward = median(contenders[2].seconds);
  const double step = median(contenders[0].seconds);
  state.counters["optimiser_ms"] = 1e3 * median(contenders[4].seconds);
  state.counters["preparation_ms"] = 1e3 * preparation_seconds(trainee.network().input());
  state.counters["peak_GFLOPs"] = 1e-9 * peak;
  state.counters["images_per_s"] = kBatch / step;
  state.counters["forward_images_per_s"] = kBatch / forward;
  state.counters["backward_images_per_s"] = kBatch / backward;
  state.counters["forward_share_of_peak"] = trainee.forward_flops() / forward / peak;
  state.counters["backward_share_of_peak"] = trainee.backward_flops() / backward / peak;
  state.counters["step_share_of_peak"] =
      (trainee.forward_flops() + trainee.backward_flops()) / step / peak;
}

// An update of each group over its frozen ones, all together, against one of the plain network: as
// many epochs for each group as for that.
void growing(benchmark::State& state, const std::string& name, bool bf16) {
  const ThreadCount threads(kThreads);
  const Network network = triangular_network(name);
  std::vector<std::unique_ptr<Trainee>> trainees;
  trainees.push_back(std::make_unique<Trainee>(network.as_one_group(), kBatch, kThreads, bf16));
  for (int group = 1; group <= network.groups(); ++group) {
    trainees.push_back(
        std::make_unique<Trainee>(network.first_groups(group), kBatch, kThreads, bf16));
  }
  std::vector<Contender> contenders;
  for (const auto& trainee : trainees) {
    trainee->update();
    contenders.push_back({[learner = trainee.get()] { learner->update(); }});
  }
  take_turns(state, contenders);
  const double plain = median(contenders[0].seconds);
  double groups = 0;
  for (std::size_t i = 1; i < contenders.size(); ++i) {
    const double seconds = median(contenders[i].seconds);
    state.counters["group" + std::to_string(i) + "_ms"] = 1e3 * seconds;
    groups += seconds;
  }
  state.counters["plain_ms"] = 1e3 * plain;
  state.counters["groups_to_plain"] = groups / plain;
}

BENCHMARK_CAPTURE(growing, cifar10_convnet_f32, "cifar10/convnet", false)
    ->UseManualTime()
    ->Iterations(15)
    ->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(growing, cifar10_convnet_bf16, "cifar10/convnet", true)
    ->UseManualTime()
    ->Iterations(15)
    ->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(growing, cifar10_vgg_f32, "cifar10/vgg", false)
    ->UseManualTime()
    ->Iterations(7)
    ->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(growing, cifar10_vgg_bf16, "cifar10/vgg", true)
    ->UseManualTime()
    ->Iterations(7)
    ->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(growing, cifar10_resnet20_f32, "cifar10/resnet20", false)
    ->UseManualTime()
    ->Iterations(5)
    ->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(growing, cifar10_resnet20_bf16, "cifar10/resnet20", true)
    ->UseManualTime()
    ->Iterations(5)
    ->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(training, cifar10_convnet, "cifar10/convnet")
    ->UseManualTime()
    ->Iterations(15)
    ->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(training, cifar10_vgg, "cifar10/vgg")
    ->UseManualTime()
    ->Iterations(7)
    ->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(training, cifar10_resnet20, "cifar10/resnet20")
    ->UseManualTime()
    ->Iterations(5)
    ->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace bellows::bench
