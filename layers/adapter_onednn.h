// The one place of the product that knows which generation of oneDNN is in use (2.6+ or 3.x): makes
// primitives. (bench/ has networks of its own to compare with, which must not share this code.)
// Every primitive takes its scratchpad from the caller, so that running one allocates nothing.
#pragma once

#include <dnnl.hpp>
#include <optional>
#include <string>

namespace bellows {

using Desc = dnnl::memory::desc;
using Dims = dnnl::memory::dims;

/// Dimensions of a tensor.
Dims dims_of(const Desc& desc);

/// Whether the layout is known to oneDNN alone, as that of Winograd's weights is: it can be made
/// from plain values and not be turned back.
bool is_opaque(const Desc& desc);

/// The processor, as oneDNN sees it.
const dnnl::engine& cpu_engine();

/// Channels in a block of the widest layout that oneDNN has fast convolutions for on this machine,
/// with their gradients: 16 with AVX-512 or 512-bit SVE, 8 with AVX2, and 1, which is unblocked,
/// where none is fast: its convolutions by matrix products then are. Asked of oneDNN, once.
int channel_block();

/// The layout of maps with such blocks (1: unblocked), with a depth or without.
dnnl::memory::format_tag map_tag(int block, bool with_depth);

/// A primitive with the descriptors it expects. What a member means follows the primitive: for
/// backward data, `src` is diff_src; for backward weights, `weights` is diff_weights; `dst`
/// likewise.
struct Primitive {
  dnnl::primitive primitive;
  std::string implementation;  ///< oneDNN's name of the code that will run
  Desc src;
  Desc weights;
  Desc dst;
  Desc workspace;   ///< of size 0 when there is none
  Desc scratchpad;  ///< of size 0 when there is none
};

/// True when oneDNN fell back to its reference code, about a thousand times slower. (A convolution
/// by plain C++ matrix products, "gemm:ref", is none: it is slower than one made for the machine,
/// but of the same order.)
bool is_reference(const Primitive& primitive);

/// Stride and padding of a window, one entry for each spatial dimension.
struct Window {
  Dims kernel;  ///< of pooling only
  Dims strides;
  Dims padding;
};

enum class Activation { kNone, kRelu, kRelu6 };

/// What a convolution does to its sum before it writes: first adds, then rectifies.
struct PostOps {
  std::optional<Desc> addend;  ///< second operand of an addition, argument `post_op_addend()`
  Activation activation = Activation::kNone;
};

/// The argument index of PostOps::addend.
int post_op_addend();

/// True where the convolution would do these value by value, by reference code of its own.
bool slow_post_ops(const Primitive& convolution, const PostOps& post_ops);

/// How a convolution is computed: as it is defined, or by Winograd's algorithm (Lavin and Gray
/// 2016), with fewer multiplications and weights in a form of their own.
enum class Algorithm { kDirect, kWinograd };

// `weights` may be a descriptor of format `any`; `has_bias` adds a bias of the dst's channels.
// These return nothing when oneDNN has no implementation for exactly this case.
std::optional<Primitive> convolution_forward(const Desc& src, const Desc& weights, bool has_bias,
                                             const Desc& dst, const Window& window,
                                             const PostOps& post_ops,
                                             Algorithm algorithm = Algorithm::kDirect);
std::optional<Primitive> convolution_backward_data(const Desc& diff_src, const Desc& weights,
                                                   const Desc& diff_dst, const Window& window);
std::optional<Primitive> convolution_backward_weights(const Desc& src, const Desc& diff_weights,
                                                      bool has_bias, const Desc& diff_dst,
                                                      const Window& window);

enum class Pooling { kMax, kAverage };
/// `learning`: makes a workspace where the kind has one (maximum).
Primitive pooling_forward(Pooling kind, bool learning, const Desc& src, const Desc& dst,
                          const Window& window);
Primitive pooling_backward(Pooling kind, const Desc& diff_src, const Desc& diff_dst,
                           const Window& window);

/// Where the mean and variance come from.
enum class Statistics {
  kRunning,   ///< given; nothing is learned
  kComputed,  ///< computed from `src` and written
  kGiven,     ///< given, to learn with: their own dependence on `src` is not in the gradient
};
/// `with_relu` rectifies the result in the same pass; its learning forms have a workspace.
Primitive batch_norm_forward(Statistics statistics, const Desc& src, double epsilon,
                             bool with_relu);
/// For a forward pass with these statistics, not running ones.
Primitive batch_norm_backward(Statistics statistics, const Desc& src, double epsilon,
                              bool with_relu);
/// Whether the gradient has the shift among its arguments: generation 2 asks for it, 3 refuses it.
bool batch_norm_backward_takes_shift();

Primitive activation_forward(Activation kind, const Desc& src);
Primitive activation_backward(Activation kind, const Desc& src);

enum class Binary { kAdd, kMultiply };
Primitive binary(Binary kind, const Desc& left, const Desc& right, const Desc& dst);

Primitive reorder(const Desc& src, const Desc& dst);

}  // namespace bellows
