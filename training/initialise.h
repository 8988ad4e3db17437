// Values that parameters start from.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "engine/network.h"
#include "engine/weight_set.h"
#include "layers/layer.h"

namespace bellows {

/// Fills `values`, one tensor of a layer of kind `kind`, with what training starts from:
///   weight           normal, variance 2 / fan_in (He et al. 2015: keeps the size of activations
///                    through rectifiers); 1 / fan_in for a head, whose logits pass no rectifier
///   bias, shift, mean      0
///   scale, variance        1
/// The numbers depend on `seed`, `name` (the tensor's, "group.2.conv1.weight") and the position
/// alone, so neither the order of calls nor other groups matter. Thread safe. Throws
/// Error(kInvalidArgument) unless `values` holds spec.elements().
void initialise(const ParameterSpec& spec, LayerKind kind, const std::string& name,
                std::uint64_t seed, std::span<float> values);

/// All parameters of `group`, which is there: each tensor as above, the weights by which
/// convolutions and linear layers read narrower groups times `lateral`. With 0 a group begins as
/// one that stands apart.
void initialise_group(const Network& network, int group, std::uint64_t seed, double lateral,
                      WeightSet& weights);

}  // namespace bellows
