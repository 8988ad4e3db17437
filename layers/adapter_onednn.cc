#include "layers/adapter_onednn.h"

#include <bellows/error.h>

#include <functional>

namespace bellows {
namespace {

dnnl::primitive_attr attributes(const PostOps& post_ops = {}) {
  dnnl::post_ops ops;
  if (post_ops.addend) ops.append_binary(dnnl::algorithm::binary_add, *post_ops.addend);
  const bool six = post_ops.activation == Activation::kRelu6;
  const auto algorithm = six ? dnnl::algorithm::eltwise_clip : dnnl::algorithm::eltwise_relu;
  if (post_ops.activation != Activation::kNone) {
#if DNNL_VERSION_MAJOR >= 3
    ops.append_eltwise(algorithm, 0.0F, six ? 6.0F : 0.0F);
#else
    ops.append_eltwise(1.0F, algorithm, 0.0F, six ? 6.0F : 0.0F);
#endif
  }
  dnnl::primitive_attr attr;
  attr.set_scratchpad_mode(dnnl::scratchpad_mode::user);
  attr.set_post_ops(ops);
  return attr;
}

template <class PrimitiveDesc>
void describe(const PrimitiveDesc& desc, Primitive& made) {
  made.implementation = desc.impl_info_str();
  made.workspace = desc.workspace_desc();
  made.scratchpad = desc.scratchpad_desc();
}

// Makes a primitive descriptor: `Operation` with the arguments in the order of oneDNN 3. Generation
// 2 wants them wrapped in the operation's own `desc` first; `Hint` is the forward's descriptor.
template <class Operation, class... Arguments>
auto primitive_desc(const dnnl::primitive_attr& attr, const Arguments&... arguments) {
#if DNNL_VERSION_MAJOR >= 3
  return typename Operation::primitive_desc(cpu_engine(), arguments..., attr);
#else
  return typename Operation::primitive_desc(typename Operation::desc(arguments...), attr,
                                            cpu_engine());
#endif
}

template <class Operation, class Hint, class... Arguments>
auto backward_desc(const Hint& hint, const Arguments&... arguments) {
#if DNNL_VERSION_MAJOR >= 3
  return typename Operation::primitive_desc(cpu_engine(), arguments..., hint, attributes());
#else
  return typename Operation::primitive_desc(typename Operation::desc(arguments...), attributes(),
                                            cpu_engine(), hint);
#endif
}

dnnl::memory::data_type type_of(const Desc& desc) {
#if DNNL_VERSION_MAJOR >= 3
  return desc.get_data_type();
#else
  return desc.data_type();
#endif
}

[[noreturn]] void refuse(const char* what, const dnnl::error& error) {
  throw Error(ErrorCode::kUnsupported,
              std::string("oneDNN cannot make ") + what + " on this machine: " + error.what());
}

std::optional<Primitive> unless_unimplemented(const char* what,
                                              const std::function<Primitive()>& make) {
  try {
    return make();
  } catch (const dnnl::error& error) {
    if (error.status == dnnl_unimplemented) return std::nullopt;
    refuse(what, error);
  }
}

Primitive or_refuse(const char* what, const std::function<Primitive()>& make) {
  try {
    return make();
  } catch (const dnnl::error& error) {
    refuse(what, error);
  }
}

Desc bias_desc(bool has_bias, const Desc& dst) {
  if (!has_bias) return {};
  const dnnl::memory::dim channels = dims_of(dst)[1];
  return {{channels}, dnnl::memory::data_type::f32, dnnl::memory::format_tag::a};
}

auto convolution_forward_desc(dnnl::prop_kind kind, const Desc& src, const Desc& weights,
                              bool has_bias, const Desc& dst, const Window& window,
                              const dnnl::primitive_attr& attr,
                              Algorithm algorithm = Algorithm::kDirect) {
  const auto how = algorithm == Algorithm::kDirect ? dnnl::algorithm::convolution_direct
                                                   : dnnl::algorithm::convolution_winograd;
  return primitive_desc<dnnl::convolution_forward>(attr, kind, how, src, weights,
                                                   bias_desc(has_bias, dst), dst, window.strides,
                                                   window.padding, window.padding);
}

dnnl::algorithm pooling_algorithm(Pooling kind) {
  return kind == Pooling::kMax ? dnnl::algorithm::pooling_max
                               : dnnl::algorithm::pooling_avg_exclude_padding;
}

auto pooling_forward_desc(Pooling kind, bool learning, const Desc& src, const Desc& dst,
                          const Window& window) {
  const auto prop =
      learning ? dnnl::prop_kind::forward_training : dnnl::prop_kind::forward_inference;
#if DNNL_VERSION_MAJOR >= 3
  const Dims dilation(window.kernel.size(), 0);
  return primitive_desc<dnnl::pooling_forward>(attributes(), prop, pooling_algorithm(kind), src,
                                               dst, window.strides, window.kernel, dilation,
                                               window.padding, window.padding);
#else
  return primitive_desc<dnnl::pooling_forward>(attributes(), prop, pooling_algorithm(kind), src,
                                               dst, window.strides, window.kernel, window.padding,
                                               window.padding);
#endif
}

dnnl::normalization_flags batch_norm_flags(Statistics statistics, bool with_relu) {
  auto flags = dnnl::normalization_flags::use_scale | dnnl::normalization_flags::use_shift;
  if (statistics != Statistics::kComputed) {
    flags = flags | dnnl::normalization_flags::use_global_stats;
  }
  return with_relu ? flags | dnnl::normalization_flags::fuse_norm_relu : flags;
}

auto batch_norm_forward_desc(Statistics statistics, const Desc& src, double epsilon,
                             bool with_relu) {
  const auto flags = batch_norm_flags(statistics, with_relu);
  const auto prop = statistics == Statistics::kRunning ? dnnl::prop_kind::forward_inference
                                                       : dnnl::prop_kind::forward_training;
#if DNNL_VERSION_MAJOR >= 3
  return primitive_desc<dnnl::batch_normalization_forward>(attributes(), prop, src, src,
                                                           static_cast<float>(epsilon), flags);
#else
  return primitive_desc<dnnl::batch_normalization_forward>(attributes(), prop, src,
                                                           static_cast<float>(epsilon), flags);
#endif
}

auto activation_forward_desc(Activation kind, dnnl::prop_kind prop, const Desc& src) {
  const bool six = kind == Activation::kRelu6;
  const auto algorithm = six ? dnnl::algorithm::eltwise_clip : dnnl::algorithm::eltwise_relu;
  const float upper = six ? 6.0F : 0.0F;
#if DNNL_VERSION_MAJOR >= 3
  return primitive_desc<dnnl::eltwise_forward>(attributes(), prop, algorithm, src, src, 0.0F,
                                               upper);
#else
  return primitive_desc<dnnl::eltwise_forward>(attributes(), prop, algorithm, src, 0.0F, upper);
#endif
}

// Is there fast code for a 3 x 3 convolution of 64 channels over a batch, and for its gradients?
bool has_fast_convolutions(int block) {
  const auto f32 = dnnl::memory::data_type::f32;
  const Desc map({1, 64, 4, 16, 16}, f32, map_tag(block, /*with_depth=*/true));
  const Desc weights({64, 64, 1, 3, 3}, f32, dnnl::memory::format_tag::any);
  const Window window{{}, {1, 1, 1}, {0, 1, 1}};
  PostOps rectified;
  rectified.activation = Activation::kRelu;
  for (const auto& made : {convolution_forward(map, weights, true, map, window, rectified),
                           convolution_backward_data(map, weights, map, window),
                           convolution_backward_weights(map, weights, true, map, window)}) {
    if (!made || is_reference(*made)) return false;
  }
  return true;
}

}  // namespace

Dims dims_of(const Desc& desc) {
#if DNNL_VERSION_MAJOR >= 3
  return desc.get_dims();
#else
  return desc.dims();
#endif
}

bool is_opaque(const Desc& desc) {
#if DNNL_VERSION_MAJOR >= 3
  return desc.get_format_kind() == dnnl::memory::format_kind::opaque;
#else
  return desc.data.format_kind == dnnl_format_kind_wino;
#endif
}

const dnnl::engine& cpu_engine() {
  static const dnnl::engine kEngine(dnnl::engine::kind::cpu, 0);
  return kEngine;
}

int channel_block() {
  static const int kBlock = [] {
    for (const int block : {16, 8, 4}) {
      if (has_fast_convolutions(block)) return block;
    }
    return 1;
  }();
  return kBlock;
}

dnnl::memory::format_tag map_tag(int block, bool with_depth) {
  using Tag = dnnl::memory::format_tag;
  switch (block) {
    case 16:
      return with_depth ? Tag::nCdhw16c : Tag::nChw16c;
    case 8:
      return with_depth ? Tag::nCdhw8c : Tag::nChw8c;
    case 4:
      return with_depth ? Tag::nCdhw4c : Tag::nChw4c;
    default:
      return with_depth ? Tag::ncdhw : Tag::nchw;
  }
}

bool is_reference(const Primitive& primitive) {
  const std::string& name = primitive.implementation;
  return name.rfind("ref", 0) == 0 || name.find("_ref:") != std::string::npos;
}

bool slow_post_ops(const Primitive& convolution, const PostOps& post_ops) {
  if (!post_ops.addend && post_ops.activation != Activation::kRelu6) return false;
  return convolution.implementation.find("gemm:") != std::string::npos;
}

int post_op_addend() { return DNNL_ARG_ATTR_MULTIPLE_POST_OP(0) | DNNL_ARG_SRC_1; }

std::optional<Primitive> convolution_forward(const Desc& src, const Desc& weights, bool has_bias,
                                             const Desc& dst, const Window& window,
                                             const PostOps& post_ops, Algorithm algorithm) {
  return unless_unimplemented("a convolution", [&] {
    const auto desc =
        convolution_forward_desc(dnnl::prop_kind::forward_inference, src, weights, has_bias, dst,
                                 window, attributes(post_ops), algorithm);
    Primitive made{dnnl::convolution_forward(desc),
                   {},
                   desc.src_desc(),
                   desc.weights_desc(),
                   desc.dst_desc(),
                   {},
                   {}};
    describe(desc, made);
    return made;
  });
}

std::optional<Primitive> convolution_backward_data(const Desc& diff_src, const Desc& weights,
                                                   const Desc& diff_dst, const Window& window) {
  return unless_unimplemented("the gradient of a convolution's input", [&] {
    const auto hint = convolution_forward_desc(dnnl::prop_kind::forward_training, diff_src, weights,
                                               false, diff_dst, window, attributes());
    const auto desc = backward_desc<dnnl::convolution_backward_data>(
        hint, dnnl::algorithm::convolution_direct, diff_src, weights, diff_dst, window.strides,
        window.padding, window.padding);
    Primitive made{dnnl::convolution_backward_data(desc),
                   {},
                   desc.diff_src_desc(),
                   desc.weights_desc(),
                   desc.diff_dst_desc(),
                   {},
                   {}};
    describe(desc, made);
    return made;
  });
}

std::optional<Primitive> convolution_backward_weights(const Desc& src, const Desc& diff_weights,
                                                      bool has_bias, const Desc& diff_dst,
                                                      const Window& window) {
  return unless_unimplemented("the gradient of a convolution's weights", [&] {
    // The forward pass has weights of the type of what it reads, whatever their gradient is.
    const bool same = type_of(src) == type_of(diff_weights);
    const Desc weights =
        same ? diff_weights
             : Desc(dims_of(diff_weights), type_of(src), dnnl::memory::format_tag::any);
    const auto hint = convolution_forward_desc(dnnl::prop_kind::forward_training, src, weights,
                                               has_bias, diff_dst, window, attributes());
    const auto desc = backward_desc<dnnl::convolution_backward_weights>(
        hint, dnnl::algorithm::convolution_direct, src, diff_weights, bias_desc(has_bias, diff_dst),
        diff_dst, window.strides, window.padding, window.padding);
    Primitive made{dnnl::convolution_backward_weights(desc),
                   {},
                   desc.src_desc(),
                   desc.diff_weights_desc(),
                   desc.diff_dst_desc(),
                   {},
                   {}};
    describe(desc, made);
    return made;
  });
}

Primitive pooling_forward(Pooling kind, bool learning, const Desc& src, const Desc& dst,
                          const Window& window) {
  return or_refuse("a pooling", [&] {
    const auto desc = pooling_forward_desc(kind, learning, src, dst, window);
    Primitive made{dnnl::pooling_forward(desc), {}, desc.src_desc(), {}, desc.dst_desc(), {}, {}};
    describe(desc, made);
    return made;
  });
}

Primitive pooling_backward(Pooling kind, const Desc& diff_src, const Desc& diff_dst,
                           const Window& window) {
  return or_refuse("the gradient of a pooling", [&] {
    const auto hint = pooling_forward_desc(kind, true, diff_src, diff_dst, window);
#if DNNL_VERSION_MAJOR >= 3
    const Dims dilation(window.kernel.size(), 0);
    const auto desc = backward_desc<dnnl::pooling_backward>(
        hint, pooling_algorithm(kind), diff_src, diff_dst, window.strides, window.kernel, dilation,
        window.padding, window.padding);
#else
    const auto desc = backward_desc<dnnl::pooling_backward>(
        hint, pooling_algorithm(kind), diff_src, diff_dst, window.strides, window.kernel,
        window.padding, window.padding);
#endif
    Primitive made{
        dnnl::pooling_backward(desc), {}, desc.diff_src_desc(), {}, desc.diff_dst_desc(), {}, {}};
    describe(desc, made);
    return made;
  });
}

Primitive batch_norm_forward(Statistics statistics, const Desc& src, double epsilon,
                             bool with_relu) {
  return or_refuse("a batch normalisation", [&] {
    const auto desc = batch_norm_forward_desc(statistics, src, epsilon, with_relu);
    Primitive made{
        dnnl::batch_normalization_forward(desc), {}, desc.src_desc(), {}, desc.dst_desc(), {}, {}};
    describe(desc, made);
    return made;
  });
}

Primitive batch_norm_backward(Statistics statistics, const Desc& src, double epsilon,
                              bool with_relu) {
  return or_refuse("the gradient of a batch normalisation", [&] {
    const auto hint = batch_norm_forward_desc(statistics, src, epsilon, with_relu);
    const auto flags = batch_norm_flags(statistics, with_relu);
#if DNNL_VERSION_MAJOR >= 3
    const auto desc = backward_desc<dnnl::batch_normalization_backward>(
        hint, dnnl::prop_kind::backward, src, src, src, static_cast<float>(epsilon), flags);
#else
    const auto desc = backward_desc<dnnl::batch_normalization_backward>(
        hint, dnnl::prop_kind::backward, src, src, static_cast<float>(epsilon), flags);
#endif
    Primitive made{dnnl::batch_normalization_backward(desc), {}, src, {}, src, {}, {}};
    describe(desc, made);
    return made;
  });
}

bool batch_norm_backward_takes_shift() { return DNNL_VERSION_MAJOR < 3; }

Primitive activation_forward(Activation kind, const Desc& src) {
  return or_refuse("an activation", [&] {
    const auto desc = activation_forward_desc(kind, dnnl::prop_kind::forward_inference, src);
    Primitive made{dnnl::eltwise_forward(desc), {}, src, {}, src, {}, {}};
    describe(desc, made);
    return made;
  });
}

Primitive activation_backward(Activation kind, const Desc& src) {
  return or_refuse("the gradient of an activation", [&] {
    const auto hint = activation_forward_desc(kind, dnnl::prop_kind::forward_training, src);
    const bool six = kind == Activation::kRelu6;
    const auto algorithm = six ? dnnl::algorithm::eltwise_clip : dnnl::algorithm::eltwise_relu;
    const float upper = six ? 6.0F : 0.0F;
#if DNNL_VERSION_MAJOR >= 3
    const auto desc =
        backward_desc<dnnl::eltwise_backward>(hint, algorithm, src, src, src, 0.0F, upper);
#else
    const auto desc = backward_desc<dnnl::eltwise_backward>(hint, algorithm, src, src, 0.0F, upper);
#endif
    Primitive made{dnnl::eltwise_backward(desc), {}, src, {}, src, {}, {}};
    describe(desc, made);
    return made;
  });
}

Primitive binary(Binary kind, const Desc& left, const Desc& right, const Desc& dst) {
  return or_refuse("an element-wise operation", [&] {
    const auto algorithm =
        kind == Binary::kAdd ? dnnl::algorithm::binary_add : dnnl::algorithm::binary_mul;
    const auto desc = primitive_desc<dnnl::binary>(attributes(), algorithm, left, right, dst);
    Primitive made{dnnl::binary(desc), {}, left, right, dst, {}, {}};
    describe(desc, made);
    return made;
  });
}

Primitive reorder(const Desc& src, const Desc& dst) {
  return or_refuse("a change of layout", [&] {
    const dnnl::reorder::primitive_desc desc(cpu_engine(), src, cpu_engine(), dst, attributes());
    Primitive made{dnnl::reorder(desc), {}, src, {}, dst, {}, {}};
    describe(desc, made);
    return made;
  });
}

}  // namespace bellows
