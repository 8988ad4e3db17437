// The fast path against the reference, layer by layer.
#pragma once

#include <bellows/bellows.h>

#include <string>
#include <vector>

#include "engine/weight_set.h"
#include "training/data/dataset.h"

namespace bellows::cli {

/// What two ways of computing one layer's output differ by.
struct LayerDifference {
  std::string layer;  ///< "conv1", or all that run as one: "conv1 + norm1 + relu1"
  /// `[g - 1]`: largest difference in the channels of group g, which width g adds, relative to the
  /// largest value that the reference has in this layer.
  std::vector<double> by_width;
};

/// Runs `images` through oneDNN, one by one and as one batch, and through the reference. Layers in
/// order of execution; tensors that only exist within a merged layer are not seen. `weights` are
/// the model's. Throws Error(kInvalidArgument) when images and model do not fit each other.
std::vector<LayerDifference> check_layers(const Model& model, const WeightSet& weights,
                                          const Dataset& images);

}  // namespace bellows::cli
