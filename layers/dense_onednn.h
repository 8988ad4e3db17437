// What conv, linear and head have in common: each is a dense convolution to oneDNN.
#pragma once

#include <vector>

#include "layers/conv.h"
#include "layers/forward_onednn.h"
#include "layers/head.h"
#include "layers/linear.h"

namespace bellows {

/// How a convolution-like layer meets oneDNN: a dense convolution over the map, or, for linear
/// layers and heads, a 1 x 1 convolution over features.
struct DenseGeometry {
  Size2 kernel{1, 1};
  Size2 stride{1, 1};
  Size2 padding{0, 0};
  bool features = false;  ///< src is read as features, its H and W flattened into channels
  bool has_bias = true;
};

DenseGeometry dense_geometry(const Conv& layer);
DenseGeometry dense_geometry(const Linear& layer);
DenseGeometry dense_geometry(const Head& layer);

/// The window of a convolution for this batch size: 2-D for one sample or features, else with
/// depth.
Window convolution_window(const DenseGeometry& geometry, int batch);
/// Dimensions of a dense filter for this batch size: [O, I, (1,) Kh, Kw].
Dims dense_weight_dims(int outputs, int inputs, const DenseGeometry& geometry, int batch);
/// A tensor (values or gradients) as such a convolution reads or writes it.
View dense_view(const DenseGeometry& geometry, const TensorPlace& place, GroupRange range);

/// A convolution-like layer that reads groups `reads` of its source.
void emit_dense_forward(const DenseGeometry& geometry, GroupRange reads, ForwardEmitter& emitter);

/// Padded positions of the source's channels (or features) in `range`.
std::vector<int> source_positions(const DenseGeometry& geometry, const TensorPlace& src,
                                  GroupRange range);

}  // namespace bellows
