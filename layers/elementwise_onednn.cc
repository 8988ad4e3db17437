#include "layers/elementwise_onednn.h"

#include <bellows/error.h>

#include <algorithm>
#include <utility>

namespace bellows {
namespace {

std::size_t values_in(const View& view) { return view.desc.get_size() / sizeof(float); }

float rectified(Activation kind, float value) {
  switch (kind) {
    case Activation::kNone:
      return value;
    case Activation::kRelu:
      return std::max(value, 0.0F);
    case Activation::kRelu6:
      return std::min(std::max(value, 0.0F), 6.0F);
  }
  return value;
}

// dst[i] = operation(left[i], right[i]); arguments left, right, dst.
template <class Operation>
Kernel pairwise_kernel(std::size_t count, Operation operation) {
  return [=](void* const* arguments) {
    const auto* left = static_cast<const float*>(arguments[0]);
    const auto* right = static_cast<const float*>(arguments[1]);
    auto* dst = static_cast<float*>(arguments[2]);
    for (std::size_t i = 0; i < count; ++i) dst[i] = operation(left[i], right[i]);
  };
}

// dst[i] = operation(src[i]); arguments src, dst.
template <class Operation>
Kernel single_kernel(std::size_t count, Operation operation) {
  return [=](void* const* arguments) {
    const auto* src = static_cast<const float*>(arguments[0]);
    auto* dst = static_cast<float*>(arguments[1]);
    for (std::size_t i = 0; i < count; ++i) dst[i] = operation(src[i]);
  };
}

void emit_binary(Binary kind, const View& left, const View& right, const View& dst, Kernel kernel,
                 ForwardEmitter& emitter) {
  const Primitive primitive = binary(kind, left.desc, right.desc, dst.desc);
  if (is_reference(primitive)) {
    emitter.add_kernel(std::move(kernel), {left, right, dst});
  } else {
    emitter.add(primitive, {{DNNL_ARG_SRC_0, left}, {DNNL_ARG_SRC_1, right}, {DNNL_ARG_DST, dst}});
  }
}

}  // namespace

// Kernels for each kind apart, so that no choice is left in their loops.
Kernel activation_kernel(Activation kind, std::size_t count) {
  if (kind == Activation::kRelu) {
    return single_kernel(count, [](float value) { return rectified(Activation::kRelu, value); });
  }
  return single_kernel(count, [](float value) { return rectified(Activation::kRelu6, value); });
}

Kernel sum_kernel(Activation kind, std::size_t count) {
  switch (kind) {
    case Activation::kNone:
      break;
    case Activation::kRelu:
      return pairwise_kernel(count, [](float left, float right) {
        return rectified(Activation::kRelu, left + right);
      });
    case Activation::kRelu6:
      return pairwise_kernel(count, [](float left, float right) {
        return rectified(Activation::kRelu6, left + right);
      });
  }
  return pairwise_kernel(count, [](float left, float right) { return left + right; });
}

// The slope at 0 is 0 and that at 6 is 1, as in oneDNN.
Kernel slope_kernel(Activation kind, std::size_t count) {
  if (kind == Activation::kRelu) {
    return pairwise_kernel(count, [](float src, float diff) { return src > 0.0F ? diff : 0.0F; });
  }
  return pairwise_kernel(
      count, [](float src, float diff) { return src > 0.0F && src <= 6.0F ? diff : 0.0F; });
}

Kernel product_kernel(std::size_t count) {
  return pairwise_kernel(count, [](float left, float right) { return left * right; });
}

void emit_sum(const View& left, const View& right, const View& dst, ForwardEmitter& emitter) {
  emit_binary(Binary::kAdd, left, right, dst, sum_kernel(Activation::kNone, values_in(dst)),
              emitter);
}

void emit_product(const View& left, const View& right, const View& dst, ForwardEmitter& emitter) {
  emit_binary(Binary::kMultiply, left, right, dst, product_kernel(values_in(dst)), emitter);
}

void emit_activation(Activation kind, const View& src, const View& dst, ForwardEmitter& emitter) {
  const Primitive primitive = activation_forward(kind, src.desc);
  if (is_reference(primitive)) {
    emitter.add_kernel(activation_kernel(kind, values_in(dst)), {src, dst});
  } else {
    emitter.add(primitive, {{DNNL_ARG_SRC, src}, {DNNL_ARG_DST, dst}});
  }
}

void emit_activation_backward(Activation kind, const View& src, const View& diff_dst,
                              const View& diff_src, ForwardEmitter& emitter) {
  const Primitive primitive = activation_backward(kind, src.desc);
  if (is_reference(primitive)) {
    emitter.add_kernel(slope_kernel(kind, values_in(src)), {src, diff_dst, diff_src});
  } else {
    emitter.add(
        primitive,
        {{DNNL_ARG_SRC, src}, {DNNL_ARG_DIFF_DST, diff_dst}, {DNNL_ARG_DIFF_SRC, diff_src}});
  }
}

FusedConvolution fused_convolution(
    const Fusion& fusion, const Desc& addend,
    const std::function<std::optional<Primitive>(const PostOps& post_ops)>& make) {
  PostOps post_ops;
  post_ops.activation = fusion.activation;
  if (fusion.addend != nullptr) post_ops.addend = addend;
  std::optional<Primitive> fused = make(post_ops);
  if (fused && !is_reference(*fused) && !slow_post_ops(*fused, post_ops)) return {*fused, true};
  std::optional<Primitive> bare = make({});
  if (bare && !is_reference(*bare)) return {*bare, false};
  if (fused) return {*fused, true};
  if (bare) return {*bare, false};
  throw Error(ErrorCode::kUnsupported, "oneDNN has no convolution for this layer's shape");
}

void emit_unfused(const Fusion& fusion, ForwardEmitter& emitter) {
  const View dst = emitter.dst().flat({emitter.group(), emitter.group()});
  if (fusion.addend != nullptr) {
    const View addend = fusion.addend->flat({fusion.addend_group, fusion.addend_group});
    emitter.add_kernel(sum_kernel(fusion.activation, values_in(dst)), {dst, addend, dst});
  } else if (fusion.activation != Activation::kNone) {
    emitter.add_kernel(activation_kernel(fusion.activation, values_in(dst)), {dst, dst});
  }
}

}  // namespace bellows
