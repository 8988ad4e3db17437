// Learning with a plain network (one group of full width): images per second, and the share of the
// machine's f32 peak that a large matrix product reaches in the same minute.
#include <benchmark/benchmark.h>

#include <string>
#include <vector>

#include "bench/matmul_onednn.h"
#include "bench/networks.h"
#include "bench/side_by_side.h"
#include "engine/threads.h"
#include "training/learning_plan_onednn.h"
#include "training/optimiser.h"

namespace bellows::bench {
namespace {

constexpr int kBatch = 128;
constexpr int kThreads = 2;

// Everything that one training step needs.
class Trainee {
 public:
  explicit Trainee(const std::string& name)
      : network_(shipped_network(name).as_one_group()),
        weights_(initial_weights(network_)),
        gradients_(network_, 1),
        plan_(network_, weights_, gradients_,
              {.trainable = {1, 1}, .batch = kBatch, .threads = kThreads}),
        optimiser_({}, blocks()),
        images_(random_images(network_, kBatch)),
        labels_(kBatch) {
    for (int i = 0; i < kBatch; ++i) {
      labels_[static_cast<std::size_t>(i)] = i % network_.classes();
    }
    // Images of mean 0 and variance 1, as training normalises them.
    for (float& value : images_) value = (value - 0.5F) * 3.46F;
  }

  void forward() { plan_.forward(images_.data(), labels_.data(), ++step_); }
  void backward() { plan_.backward(); }
  // So small a rate that the weights stay where time does not depend on them.
  void step() {
    forward();
    backward();
    optimiser_.step(1e-6);
  }

  [[nodiscard]] double forward_flops() const {
    return 2.0 * kBatch * static_cast<double>(network_.macs(1));
  }
  // Gradients of weights and of inputs cost a forward pass each; nobody wants those of the image.
  [[nodiscard]] double backward_flops() const {
    double macs = 0;
    for (const Node& node : network_.nodes()) {
      const auto own = static_cast<double>(node.layer->macs(node.site, 1));
      macs += node.site.src_is_input ? own : 2 * own;
    }
    return 2.0 * kBatch * macs;
  }

 private:
  std::vector<ParameterBlock> blocks() {
    std::vector<ParameterBlock> blocks;
    for (const ParameterKey& key : network_.parameters(1)) {
      if (!key.spec.learned()) continue;
      blocks.push_back({network_.parameter_name(key), weights_.values(key), gradients_.values(key),
                        key.spec.decays()});
    }
    return blocks;
  }

  Network network_;
  WeightSet weights_;
  WeightSet gradients_;
  LearningPlan plan_;
  Optimiser optimiser_;
  std::vector<float> images_;
  std::vector<std::int32_t> labels_;
  std::uint64_t step_ = 0;
};

void training(benchmark::State& state, const std::string& name) {
  const ThreadCount threads(kThreads);
  Trainee trainee(name);
  trainee.step();
  LargeMatmul matmul;
  std::vector<Contender> contenders{{[&] { trainee.step(); }},
                                    {[&] { trainee.forward(); }},
                                    {[&] { trainee.backward(); }},
                                    {[&] { matmul.run(); }}};
  take_turns(state, contenders);

  const double peak = LargeMatmul::flops() / median(contenders[3].seconds);
  const double forward = median(contenders[1].seconds);
  const double backward = median(contenders[2].seconds);
  const double step = median(contenders[0].seconds);
  state.counters["peak_GFLOPs"] = 1e-9 * peak;
  state.counters["images_per_s"] = kBatch / step;
  state.counters["forward_images_per_s"] = kBatch / forward;
  state.counters["backward_images_per_s"] = kBatch / backward;
  state.counters["forward_share_of_peak"] = trainee.forward_flops() / forward / peak;
  state.counters["backward_share_of_peak"] = trainee.backward_flops() / backward / peak;
  state.counters["step_share_of_peak"] =
      (trainee.forward_flops() + trainee.backward_flops()) / step / peak;
}

BENCHMARK_CAPTURE(training, cifar10_convnet, "cifar10/convnet")
    ->UseManualTime()
    ->Iterations(15)
    ->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(training, cifar10_vgg, "cifar10/vgg")
    ->UseManualTime()
    ->Iterations(7)
    ->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace bellows::bench
