#include "bench/dense_onednn.h"

#include <bellows/error.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <random>
#include <utility>

#include "layers/adapter_onednn.h"
#include "layers/conv.h"
#include "layers/pool.h"

namespace bellows::bench {
namespace {

using Tag = dnnl::memory::format_tag;
constexpr auto kF32 = dnnl::memory::data_type::f32;

// oneDNN 2 wants the arguments wrapped in the operation's own `desc` first.
template <class Operation, class... Arguments>
auto primitive_desc(const dnnl::engine& engine, const dnnl::primitive_attr& attr,
                    const Arguments&... arguments) {
#if DNNL_VERSION_MAJOR >= 3
  return typename Operation::primitive_desc(engine, arguments..., attr);
#else
  return typename Operation::primitive_desc(typename Operation::desc(arguments...), attr, engine);
#endif
}

std::int64_t elements_of(const Desc& desc) {
  std::int64_t elements = 1;
  for (const auto dim : dims_of(desc)) elements *= dim;
  return elements;
}

[[noreturn]] void refuse(const Node& node) {
  throw Error(ErrorCode::kUnsupported, "the dense peer has no layer like '" + node.layer->name() +
                                           "' (" + layer_kind_name(node.layer->kind()) + ")");
}

}  // namespace

DenseNetwork::DenseNetwork(const Network& network, int width, DenseLayout layout, int batch)
    : layout_(layout), batch_(batch), memories_(network.tensors().size()) {
  const MapShape& image = network.input();
  // First convolutions want images of few channels unblocked.
  memory(0) = dnnl::memory({{batch, image.channels_of(1), image.height, image.width},
                            kF32,
                            layout == DenseLayout::kBlocked ? Tag::nchw : Tag::nhwc},
                           engine_);
  for (const FusedNode& fused : fuse(network)) {
    const Node& node = network.nodes()[static_cast<std::size_t>(fused.node)];
    switch (node.layer->kind()) {
      case LayerKind::kConv:
        add_conv(network, fused, width);
        break;
      case LayerKind::kLinear:
        add_inner_product(network, fused, node.site.dst.channels_in({1, width}));
        break;
      case LayerKind::kHead:
        add_inner_product(network, fused, network.classes());
        break;
      case LayerKind::kMaxPool:
      case LayerKind::kAvgPool:
      case LayerKind::kGlobalAvgPool:
        add_pool(node);
        break;
      case LayerKind::kDropout:
        memory(fused.dst) = memory(node.src);
        break;
      default:
        refuse(node);
    }
  }
}

// The rectifier and the sum that are fused into a node.
dnnl::primitive_attr DenseNetwork::attributes(const Network& network, const FusedNode& fused) {
  dnnl::post_ops ops;
  if (fused.sum >= 0) {
    const Node& sum = network.nodes()[static_cast<std::size_t>(fused.sum)];
    ops.append_binary(dnnl::algorithm::binary_add, memory(sum.shortcut).get_desc());
  }
  if (fused.activation >= 0) {
    const Node& activation = network.nodes()[static_cast<std::size_t>(fused.activation)];
    if (activation.layer->kind() != LayerKind::kRelu) refuse(activation);
#if DNNL_VERSION_MAJOR >= 3
    ops.append_eltwise(dnnl::algorithm::eltwise_relu, 0.0F, 0.0F);
#else
    ops.append_eltwise(1.0F, dnnl::algorithm::eltwise_relu, 0.0F, 0.0F);
#endif
  }
  dnnl::primitive_attr attr;
  attr.set_post_ops(ops);
  return attr;
}

Desc DenseNetwork::map_desc(int channels, int height, int width) const {
  const Tag blocked = map_tag(channel_block(), /*with_depth=*/false);
  return {{batch_, channels, height, width},
          kF32,
          layout_ == DenseLayout::kBlocked ? blocked : Tag::nhwc};
}

dnnl::memory DenseNetwork::random_memory(const Desc& desc) {
  // He et al. 2015, so that activations neither grow nor fade into denormal numbers.
  const Dims dims = dims_of(desc);
  const Desc plain(dims, kF32, dims.size() == 1 ? Tag::a : dims.size() == 2 ? Tag::ab : Tag::abcd);
  dnnl::memory values(plain, engine_);
  const double fan_in = static_cast<double>(elements_of(desc)) / static_cast<double>(dims[0]);
  std::mt19937 random(1);
  std::normal_distribution<float> normal(0.0F, static_cast<float>(std::sqrt(2.0 / fan_in)));
  auto* data = static_cast<float*>(values.get_data_handle());
  for (std::int64_t i = 0; i < elements_of(desc); ++i) data[i] = normal(random);
  dnnl::memory packed(desc, engine_);
  dnnl::reorder(values, packed).execute(stream_, values, packed);
  stream_.wait();
  return packed;
}

template <class PrimitiveDesc>
void DenseNetwork::add_weighted(const Network& network, const FusedNode& fused,
                                const PrimitiveDesc& desc, int outputs, std::int64_t macs) {
  const Node& node = network.nodes()[static_cast<std::size_t>(fused.node)];
  Step step{node.layer->name(), desc.impl_info_str(), macs, dnnl::primitive(desc), {}};
  step.arguments = {{DNNL_ARG_WEIGHTS, random_memory(desc.weights_desc())},
                    {DNNL_ARG_BIAS, dnnl::memory({{outputs}, kF32, Tag::a}, engine_)}};
  std::fill_n(static_cast<float*>(step.arguments.at(DNNL_ARG_BIAS).get_data_handle()), outputs,
              0.1F);
  if (fused.sum >= 0) {
    const Node& sum = network.nodes()[static_cast<std::size_t>(fused.sum)];
    step.arguments.insert({post_op_addend(), memory(sum.shortcut)});
  }
  add(std::move(step), node.src, fused.dst, dnnl::memory(desc.dst_desc(), engine_));
}

void DenseNetwork::add_conv(const Network& network, const FusedNode& fused, int width) {
  const Node& node = network.nodes()[static_cast<std::size_t>(fused.node)];
  const auto& conv = static_cast<const Conv&>(*node.layer);
  if (conv.depthwise()) refuse(node);
  const Desc src = memory(node.src).get_desc();
  const int inputs = static_cast<int>(dims_of(src)[1]);
  const int outputs = node.site.dst.channels_in({1, width});
  const Dims filter{outputs, inputs, conv.kernel().height, conv.kernel().width};
  const Dims padding{conv.padding().height, conv.padding().width};
  const auto desc = primitive_desc<dnnl::convolution_forward>(
      engine_, attributes(network, fused), dnnl::prop_kind::forward_inference,
      dnnl::algorithm::convolution_direct, src, Desc(filter, kF32, Tag::any),
      Desc({outputs}, kF32, Tag::a), map_desc(outputs, node.site.dst.height, node.site.dst.width),
      Dims{conv.stride().height, conv.stride().width}, padding, padding);
  add_weighted(network, fused, desc, outputs,
               std::int64_t{outputs} * inputs * conv.kernel().height * conv.kernel().width *
                   node.site.dst.pixels());
}

void DenseNetwork::add_inner_product(const Network& network, const FusedNode& fused, int outputs) {
  const Node& node = network.nodes()[static_cast<std::size_t>(fused.node)];
  const Desc src = memory(node.src).get_desc();
  Dims filter = dims_of(src);
  filter[0] = outputs;
  const std::int64_t inputs = elements_of(src) / batch_;
  const auto desc = primitive_desc<dnnl::inner_product_forward>(
      engine_, attributes(network, fused), dnnl::prop_kind::forward_inference, src,
      Desc(filter, kF32, Tag::any), Desc({outputs}, kF32, Tag::a),
      Desc({batch_, outputs}, kF32, Tag::ab));
  add_weighted(network, fused, desc, outputs, inputs * outputs);
}

void DenseNetwork::add_pool(const Node& node) {
  const MapShape& from = node.site.src;
  Dims kernel{from.height, from.width};
  Dims strides{1, 1};
  Dims padding{0, 0};
  auto algorithm = dnnl::algorithm::pooling_avg_exclude_padding;
  if (node.layer->kind() != LayerKind::kGlobalAvgPool) {
    const auto& pool = static_cast<const Pool&>(*node.layer);
    kernel = {pool.kernel().height, pool.kernel().width};
    strides = {pool.stride().height, pool.stride().width};
    padding = {pool.padding().height, pool.padding().width};
  }
  if (node.layer->kind() == LayerKind::kMaxPool) algorithm = dnnl::algorithm::pooling_max;
  const Desc src = memory(node.src).get_desc();
  const Desc dst =
      map_desc(static_cast<int>(dims_of(src)[1]), node.site.dst.height, node.site.dst.width);
#if DNNL_VERSION_MAJOR >= 3
  const auto desc = primitive_desc<dnnl::pooling_forward>(
      engine_, dnnl::primitive_attr(), dnnl::prop_kind::forward_inference, algorithm, src, dst,
      strides, kernel, Dims{0, 0}, padding, padding);
#else
  const auto desc = primitive_desc<dnnl::pooling_forward>(
      engine_, dnnl::primitive_attr(), dnnl::prop_kind::forward_inference, algorithm, src, dst,
      strides, kernel, padding, padding);
#endif
  add({node.layer->name(), desc.impl_info_str(), 0, dnnl::primitive(desc), {}}, node.src, node.dst,
      dnnl::memory(dst, engine_));
}

void DenseNetwork::add(Step step, int src, int dst, const dnnl::memory& made) {
  memory(dst) = made;
  step.arguments.insert({DNNL_ARG_SRC, memory(src)});
  step.arguments.insert({DNNL_ARG_DST, made});
  for (const auto& [index, memory] : step.arguments) {
    step.call.push_back({index, memory.get()});
  }
  macs_ += step.macs;
  steps_.push_back(std::move(step));
}

// As Bellows calls: the C++ interface copies the arguments into a new vector each time.
void DenseNetwork::execute(const Step& step) {
  dnnl::error::wrap_c_api(
      dnnl_primitive_execute(step.primitive.get(), stream_.get(),
                             static_cast<int>(step.call.size()), step.call.data()),
      "could not execute a primitive of the dense network");
}

void DenseNetwork::run(std::span<const float> images) {
  auto* to = static_cast<float*>(memory(0).get_data_handle());
  // Values are random: how they lie does not matter, that they are brought here does.
  std::copy(images.begin(), images.end(), to);
  for (const Step& step : steps_) execute(step);
}

std::vector<DenseNetwork::StepTime> DenseNetwork::time_steps() {
  std::vector<StepTime> times;
  for (const Step& step : steps_) {
    const auto start = std::chrono::steady_clock::now();
    execute(step);
    const std::chrono::duration<double> taken = std::chrono::steady_clock::now() - start;
    times.push_back({step.label, step.implementation, taken.count(), step.macs});
  }
  return times;
}

}  // namespace bellows::bench
