// A network that learns from the same random batch again and again, to be timed.
#pragma once

#include <cstdint>
#include <vector>

#include "engine/network.h"
#include "engine/weight_set.h"
#include "training/learning_plan_onednn.h"
#include "training/optimiser.h"

namespace bellows::bench {

/// Everything that an update of a group needs; those before it are frozen.
class Trainee {
 public:
  /// The last group of `network` learns. `bf16`: as in LearningOptions.
  Trainee(Network network, int batch, int threads, bool bf16 = false);

  void forward() { plan_.forward(images_.data(), labels_.data(), ++updates_); }
  void backward() { plan_.backward(); }
  /// The last third of an update, by gradients of a `backward` before.
  void optimise();
  /// Forward, backward and SGD, at so small a rate that the weights stay where time does not depend
  /// on them.
  void update();

  [[nodiscard]] const Network& network() const { return network_; }
  /// Operations of a batch of a network of one group, two for each multiply-accumulate. Gradients
  /// of weights and of inputs cost a forward pass each; nobody wants those of the image.
  [[nodiscard]] double forward_flops() const;
  [[nodiscard]] double backward_flops() const;

 private:
  std::vector<ParameterBlock> blocks();

  Network network_;
  WeightSet weights_;
  WeightSet gradients_;
  int batch_;
  LearningPlan plan_;
  Optimiser optimiser_;
  std::vector<float> images_;
  std::vector<std::int32_t> labels_;
  std::uint64_t updates_ = 0;
};

}  // namespace bellows::bench
