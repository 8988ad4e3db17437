// Convolutions that learn, and those of the frozen groups before them, with products of bfloat16
// numbers, which are added up in f32: on processors with instructions for small matrices (AMX)
// several times as fast as f32, on AMD's with AVX512_BF16 nearly twice. Values between layers,
// weights and their gradients stay f32; what such a convolution reads and writes is rounded to 8
// bits of mantissa, and lies channels last, as oneDNN's code for it wants it.
#pragma once

#include <string_view>

#include "layers/dense_onednn.h"
#include "layers/learning_onednn.h"

namespace bellows {

/// Whether this machine has such instructions and oneDNN code that uses them. Asked once.
bool has_fast_bf16();
/// Whether an implementation of oneDNN, by its name, multiplies bfloat16 numbers faster here than
/// f32.
bool multiplies_fast_bf16(std::string_view implementation);

// Each emits what its name says and returns true, or emits nothing where these convolutions are not
// wanted, do not exist for this shape, or would be no faster: then f32 it is. What the gradient of
// the weights reads is kept by the forward pass of the same group.

/// Of a frozen group, with all that is fused into it. Not for gradients: its input is not kept.
bool emit_bf16_frozen(const DenseGeometry& geometry, GroupRange reads, ForwardEmitter& emitter);
bool emit_bf16_forward(const DenseGeometry& geometry, GroupRange reads, LearningEmitter& emitter);
/// Of the weights (and bias) of `group`; `piece` places them in plain arrays.
bool emit_bf16_weight_gradient(const DenseGeometry& geometry, GroupRange reads, int group,
                               const DensePiece& piece, LearningEmitter& emitter);
/// Of group `source` of src; `rows` are the padded outputs of the groups `readers` that read it.
bool emit_bf16_data_gradient(const DenseGeometry& geometry, int source, GroupRange readers,
                             int rows, const std::vector<StackedPiece>& pieces,
                             const TensorPlace& diff_src, LearningEmitter& emitter);

}  // namespace bellows
