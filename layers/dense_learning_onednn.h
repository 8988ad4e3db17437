// Backward of conv, linear and head, which are all dense convolutions to oneDNN.
#pragma once

#include <functional>

#include "layers/dense_onednn.h"
#include "layers/learning_onednn.h"

namespace bellows {

/// `reads(g)`: the groups of src that group g reads; grows with g, or is {g, g}, or is constant
/// (the input).
void emit_dense_backward(const DenseGeometry& geometry, const std::function<GroupRange(int)>& reads,
                         LearningEmitter& emitter);

}  // namespace bellows
