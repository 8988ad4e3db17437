// Sums, products and rectifiers over rows of numbers: by oneDNN where it has fast code for them on
// this machine, else by kernels of our own; and inside a convolution wherever it can take them in.
#pragma once

#include <cstddef>
#include <functional>
#include <optional>

#include "layers/forward_onednn.h"

namespace bellows {

// All views are flat and of one length; `dst` may be one of the others.
void emit_sum(const View& left, const View& right, const View& dst, ForwardEmitter& emitter);
void emit_product(const View& left, const View& right, const View& dst, ForwardEmitter& emitter);
void emit_activation(Activation kind, const View& src, const View& dst, ForwardEmitter& emitter);
void emit_activation_backward(Activation kind, const View& src, const View& diff_dst,
                              const View& diff_src, ForwardEmitter& emitter);

// The kernels, over `count` values; what is written may be one of the others.
/// dst = rectified(left + right); arguments left, right, dst.
Kernel sum_kernel(Activation activation, std::size_t count);
/// dst = left * right; arguments left, right, dst.
Kernel product_kernel(std::size_t count);
/// dst = rectified(src), kRelu or kRelu6; arguments src, dst.
Kernel activation_kernel(Activation kind, std::size_t count);
/// diff_src = diff_dst where the rectifier rises, else 0; arguments src, diff_dst, diff_src.
Kernel slope_kernel(Activation kind, std::size_t count);

/// A convolution, and whether it does what the planner has merged into its layer.
struct FusedConvolution {
  Primitive primitive;
  bool fused = true;  ///< false: `emit_unfused` has to follow it
};

/// The convolution that `make` makes, with `fusion` as its post-ops unless these would take
/// oneDNN's reference code. `addend` describes the fusion's addend. Throws Error(kUnsupported) when
/// there is no convolution at all.
FusedConvolution fused_convolution(
    const Fusion& fusion, const Desc& addend,
    const std::function<std::optional<Primitive>(const PostOps& post_ops)>& make);

/// Adds and rectifies, in dst, what the convolution before did not.
void emit_unfused(const Fusion& fusion, ForwardEmitter& emitter);

}  // namespace bellows
