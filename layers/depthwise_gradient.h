// The gradient of depthwise filters where oneDNN has reference code only: for windows above 3 x 3
// on most processors, a thousand times slower than what stands here.
#pragma once

#include "layers/fields.h"

namespace bellows {

/// One depthwise convolution over a batch, whose maps lie in blocks of channels.
struct DepthwiseShape {
  int blocks = 1;  ///< of channels
  int block = 1;   ///< channels of each: 16, 8, 4 or 1
  int batch = 1;
  Size2 src = {};
  Size2 dst = {};
  Size2 kernel = {};
  Size2 stride = {};
  Size2 padding = {};
};

/// `src`: [blocks, N, H, W, block]; `diff_dst` likewise; `diff_weights`: [blocks, Kh, Kw, block];
/// `diff_bias`: [blocks, block], or null. Runs on as many OpenMP threads as the caller has, with
/// the same bits whatever their number. Thread safe.
void depthwise_weight_gradient(const DepthwiseShape& shape, const float* src, const float* diff_dst,
                               float* diff_weights, float* diff_bias);

}  // namespace bellows
