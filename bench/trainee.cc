#include "bench/trainee.h"

#include <utility>

#include "bench/networks.h"

namespace bellows::bench {

Trainee::Trainee(Network network, int batch, int threads, bool bf16)
    : network_(std::move(network)),
      weights_(initial_weights(network_)),
      gradients_(network_, network_.groups()),
      batch_(batch),
      plan_(network_, weights_, gradients_,
            {.trainable = {network_.groups(), network_.groups()},
             .batch = batch,
             .threads = threads,
             .bf16 = bf16}),
      optimiser_({}, blocks()),
      images_(random_images(network_, batch)) {
  for (int i = 0; i < batch; ++i) labels_.push_back(i % network_.classes());
  // Images of mean 0 and variance 1, as training normalises them.
  for (float& value : images_) value = (value - 0.5F) * 3.46F;
}

void Trainee::update() {
  forward();
  backward();
  optimise();
}

void Trainee::optimise() { optimiser_.step(1e-6); }

double Trainee::forward_flops() const {
  return 2.0 * batch_ * static_cast<double>(network_.macs(1));
}

double Trainee::backward_flops() const {
  double macs = 0;
  for (const Node& node : network_.nodes()) {
    const auto own = static_cast<double>(node.layer->macs(node.site, 1));
    macs += node.site.src_is_input ? own : 2 * own;
  }
  return 2.0 * batch_ * macs;
}

std::vector<ParameterBlock> Trainee::blocks() {
  std::vector<ParameterBlock> blocks;
  for (const ParameterKey& key : network_.parameters(network_.groups())) {
    if (!key.spec.learned()) continue;
    blocks.push_back({network_.parameter_name(key), weights_.values(key), gradients_.values(key),
                      key.spec.decays()});
  }
  return blocks;
}

}  // namespace bellows::bench
