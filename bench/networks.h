// Networks to measure: those of configs/, with random weights, since time does not depend on
// values.
#pragma once

#include <bellows/bellows.h>

#include <string>
#include <vector>

#include "engine/network.h"
#include "engine/weight_set.h"

namespace bellows::bench {

/// The runs in configs/, each as "cifar10/vgg", in alphabetical order.
std::vector<std::string> shipped_networks();

/// The network of a run in configs/, named "cifar10/vgg". Throws Error as reading does.
Network shipped_network(const std::string& name);

/// The same network with groups that read all narrower ones, whatever its configuration says.
Network triangular_network(const std::string& name);

/// One of the two above.
using NetworkOf = Network (*)(const std::string& name);

/// Weights as training starts from.
WeightSet initial_weights(const Network& network);

/// A model over such weights, in memory.
Model random_model(const Network& network, const ModelOptions& options = {});

/// `count` images [C, H, W] of values in 0..1.
std::vector<float> random_images(const Network& network, int count);

}  // namespace bellows::bench
