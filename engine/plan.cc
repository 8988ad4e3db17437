#include "engine/plan.h"

#include <bellows/error.h>

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

#include "engine/finite.h"
#include "layers/conv.h"
#include "layers/dense_onednn.h"
#include "layers/head.h"

namespace bellows {
namespace {

const Tensor& tensor_of(const Network& network, int tensor) {
  return network.tensors()[static_cast<std::size_t>(tensor)];
}

const Node& node_of(const Network& network, int node) {
  return network.nodes()[static_cast<std::size_t>(node)];
}

// oneDNN's first-layer convolutions (grey and RGB images) want unblocked channels; everything else
// wants blocks. Not every machine has fast gradients for unblocked ones.
bool input_is_plain(const Network& network, int batch, bool learning) {
  const int channels = network.input().channels_of(1);
  if (channels != 1 && channels != 3) return false;
  for (const int consumer : tensor_of(network, 0).consumers) {
    const Node& node = node_of(network, consumer);
    if (node.layer->kind() != LayerKind::kConv) return false;
    if (!learning) continue;
    const DenseGeometry geometry = dense_geometry(static_cast<const Conv&>(*node.layer));
    const ActivationLayout src(node.site.src, batch, true);
    const ActivationLayout dst(node.site.dst, batch, false);
    const Desc weights(dense_weight_dims(dst.padded_channels({1, 1}), channels, geometry, batch),
                       dnnl::memory::data_type::f32, dnnl::memory::format_tag::any);
    const auto gradient =
        convolution_backward_weights(src.map({1, 1}), weights, geometry.has_bias, dst.map({1, 1}),
                                     convolution_window(geometry, batch));
    if (!gradient || is_reference(*gradient)) return false;
  }
  return true;
}

// Emits into the plan; what is constant is taken from (or packed into) `packed`.
class Planner final : public ForwardEmitter {
 public:
  Planner(const Network& network, const WeightSet* weights, PackedWeights& packed, Plan& plan,
          const PlanOptions& options)
      : network_(network),
        weights_(weights),
        packed_(packed),
        plan_(plan),
        winograd_(options.batch == 1 ? options.winograd : Winograd::kNo),
        emit_instead_(options.emit_instead) {
    temporaries_.fill(-1);
    place_tensors(std::max(options.groups, options.allocated_groups), options.learning);
  }

  void emit(const FusedNode& fused, int group) {
    fused_ = &fused;
    node_ = fused.node;
    group_ = group;
    if (weights_ != nullptr && node().layer->kind() == LayerKind::kBatchNorm) {
      require_numbers(folded_norm(network_, *weights_, node_, group_));
    }
    if (emit_instead_ && emit_instead_(*node().layer, *this)) return;
    emit_forward(*node().layer, *this);
  }

  [[nodiscard]] const LayerSite& site() const override { return node().site; }
  [[nodiscard]] int group() const override { return group_; }
  [[nodiscard]] const TensorPlace& src() const override { return place(node().src); }
  [[nodiscard]] const TensorPlace& shortcut() const override { return place(node().shortcut); }
  [[nodiscard]] const TensorPlace& dst() const override { return place(fused_->dst); }

  [[nodiscard]] Fusion fusion() const override {
    Fusion fusion;
    fusion.normalised = fused_->norm >= 0;
    if (fused_->sum >= 0) {
      fusion.addend = &place(node_of(network_, fused_->sum).shortcut);
      fusion.addend_group = group_;
    }
    if (node().layer->kind() == LayerKind::kHead && group_ > 1 &&
        static_cast<const Head&>(*node().layer).mode() == HeadMode::kAdditive) {
      fusion.addend = &plan_.logits;
      fusion.addend_group = group_ - 1;
    }
    if (fused_->activation >= 0) {
      fusion.activation = node_of(network_, fused_->activation).layer->kind() == LayerKind::kRelu
                              ? Activation::kRelu
                              : Activation::kRelu6;
    }
    return fusion;
  }

  [[nodiscard]] Winograd winograd() const override { return winograd_; }

  [[nodiscard]] const TensorPlace& features() override {
    const TensorPlace& map = src();
    const bool input = site().src_is_input;
    TensorPlace& features = plan_.features[static_cast<std::size_t>(node().src)];
    if (!features.exists()) {
      features.layout = feature_layout(map.layout);
      if (plan_.batch == 1 || map.layout.shape().pixels() == 1) {
        // One sample, or one pixel: the map's order is the features' order.
        features.buffer = map.buffer;
      } else {
        features.buffer =
            plan_.table.add(tensor_of(network_, node().src).name + " as features",
                            features.layout.bytes({1, input ? 1 : allocated_groups_}));
      }
    }
    int& done = flattened_[static_cast<std::size_t>(node().src)];
    if (features.buffer != map.buffer && done < (input ? 1 : group_)) {
      const GroupRange here{input ? 1 : group_, input ? 1 : group_};
      add_kernel(flatten_kernel(map.layout, here.first, false),
                 {map.map(here), features.map(here)});
      done = here.first;
    }
    return features;
  }

  [[nodiscard]] Desc weights_desc(const Dims& dims) override {
    return packed_.layout(node_, group_, dims);
  }

  [[nodiscard]] View weights(const Desc& desc, const DensePiece& piece) override {
    void* address = packed_.get(node_, group_, ParameterRole::kWeight, desc, [&](float* plain) {
      const std::vector<float> scale = folded_scale(network_, weight_set(), *fused_, group_);
      pack_dense(piece, weight_set().values(group_, node_, ParameterRole::kWeight).data(),
                 scale.empty() ? nullptr : scale.data(), plain);
      require_numbers(desc, plain);
    });
    return external("weight", desc, address);
  }

  [[nodiscard]] bool has_weights(const Desc& desc) const override {
    return weights_ != nullptr || packed_.has(node_, group_, ParameterRole::kWeight, desc);
  }

  [[nodiscard]] View vector(ParameterRole role, const std::vector<int>& positions,
                            int padded) override {
    const Desc desc({padded}, dnnl::memory::data_type::f32, dnnl::memory::format_tag::a);
    void* address = packed_.get(node_, group_, role, desc, [&](float* plain) {
      const std::vector<float> unpadded = role == ParameterRole::kBias
                                              ? folded_bias(network_, weight_set(), *fused_, group_)
                                              : copy(role);
      for (std::size_t i = 0; i < unpadded.size(); ++i) {
        plain[static_cast<std::size_t>(positions[i])] = unpadded[i];
      }
      require_numbers(desc, plain);
    });
    return external(parameter_role_name(role), desc, address);
  }

  [[nodiscard]] View temporary(int slot, const Desc& desc) override {
    BufferId& buffer = temporaries_[static_cast<std::size_t>(slot)];
    if (buffer < 0) buffer = plan_.table.add("temporary", 0);
    plan_.table.grow(buffer, desc.get_size());
    return {desc, buffer, 0};
  }

  void add(const Primitive& primitive, std::vector<Argument> arguments) override {
    add_step(program(), plan_.table, label(), primitive, std::move(arguments));
  }

  void add_kernel(Kernel kernel, std::vector<View> arguments) override {
    Step step{label(), {}, std::move(kernel), {}};
    for (View& view : arguments) step.arguments.push_back({0, std::move(view)});
    program().push_back(std::move(step));
  }

 private:
  void place_tensors(int allocated_groups, bool learning) {
    allocated_groups_ = allocated_groups;
    const std::size_t count = network_.tensors().size();
    plan_.places.resize(count);
    plan_.features.resize(count);
    flattened_.assign(count, 0);
    plan_.input.layout = ActivationLayout(network_.input(), plan_.batch,
                                          input_is_plain(network_, plan_.batch, learning));
    plan_.input.buffer = plan_.table.add("input", plan_.input.layout.bytes({1, 1}));
    plan_.places[0] = plan_.input;
    for (const FusedNode& fused : plan_.nodes) {
      const Node& node = node_of(network_, fused.node);
      TensorPlace& place = plan_.places[static_cast<std::size_t>(fused.dst)];
      if (node.layer->kind() == LayerKind::kDropout &&
          tensor_of(network_, node.src).consumers.size() == 1) {
        place = plan_.places[static_cast<std::size_t>(node.src)];
        continue;
      }
      const Tensor& tensor = tensor_of(network_, fused.dst);
      place.layout = ActivationLayout(tensor.shape, plan_.batch, false);
      place.buffer = plan_.table.add(tensor.name, place.layout.bytes({1, allocated_groups}));
    }
    plan_.logits = plan_.places.back();
  }

  [[nodiscard]] const Node& node() const { return node_of(network_, node_); }
  [[nodiscard]] const TensorPlace& place(int tensor) const {
    return plan_.places[static_cast<std::size_t>(tensor)];
  }
  Program& program() { return plan_.programs[static_cast<std::size_t>(group_ - 1)]; }
  [[nodiscard]] std::string label() const {
    return node().layer->name() + " group " + std::to_string(group_);
  }

  View external(const std::string& what, const Desc& desc, void* address) {
    return {desc, plan_.table.add_external(label() + " " + what, desc.get_size(), address), 0};
  }

  [[nodiscard]] const WeightSet& weight_set() const {
    if (weights_ == nullptr) {
      throw Error(ErrorCode::kUnsupported, "'" + label() +
                                               "' has no weights in the order that this number of "
                                               "threads wants; load the model without "
                                               "single_images");
    }
    return *weights_;
  }
  // Weights of a file are numbers, but with normalisation folded in they may be none, which a ReLU
  // would hide.
  void require_numbers(const Desc& desc, const float* plain) const {
    std::size_t count = 1;
    for (const auto extent : dims_of(desc)) count *= static_cast<std::size_t>(extent);
    require_numbers({plain, count});
  }
  void require_numbers(std::span<const float> values) const {
    if (all_finite(values)) return;
    throw Error(ErrorCode::kCorruptData,
                "'" + label() +
                    "': weights and normalisation multiply to values that are infinite or no "
                    "numbers; train the group again, with a lower learning rate");
  }
  [[nodiscard]] std::vector<float> copy(ParameterRole role) const {
    const auto values = weight_set().values(group_, node_, role);
    return {values.begin(), values.end()};
  }

  const Network& network_;
  const WeightSet* weights_;
  PackedWeights& packed_;
  Plan& plan_;
  Winograd winograd_;
  const std::function<bool(const Layer&, ForwardEmitter&)>& emit_instead_;
  std::array<BufferId, 5> temporaries_{};
  int allocated_groups_ = 0;
  std::vector<int> flattened_;  // by tensor: groups already re-ordered into features
  const FusedNode* fused_ = nullptr;
  int node_ = 0;
  int group_ = 1;
};

// From which node to which each buffer is in use, all groups of a node before the next.
std::vector<Lifetime> lifetimes(const Plan& plan) {
  std::vector<Lifetime> all(plan.table.buffers().size());
  const auto use = [&](BufferId buffer, int node) {
    Lifetime& lifetime = all[static_cast<std::size_t>(buffer)];
    lifetime = {std::min(lifetime.first, node), std::max(lifetime.last, node)};
  };
  const int end = static_cast<int>(plan.nodes.size());
  for (std::size_t group = 0; group < plan.programs.size(); ++group) {
    std::size_t step = 0;
    for (int node = 0; node < end; ++node) {
      for (; step < plan.node_ends[group][static_cast<std::size_t>(node)]; ++step) {
        for (const Argument& argument : plan.programs[group][step].arguments) {
          use(argument.view.buffer, node);
        }
      }
    }
  }
  // The input is written before the first node, and its padding only once; the scratchpad is kept
  // apart so that it can be told apart; logits are read afterwards.
  for (const BufferId kept : {BufferTable::kScratchpad, plan.input.buffer, plan.logits.buffer}) {
    use(kept, -1);
    use(kept, end);
  }
  return all;
}

}  // namespace

std::vector<std::string> Plan::reference_steps() const {
  std::vector<std::string> labels;
  for (const Program& program : programs) {
    for (const Step& step : program) {
      if (!step.kernel && is_reference(step.primitive)) {
        labels.push_back(step.label + ": " + step.primitive.implementation);
      }
    }
  }
  return labels;
}

Plan build_plan(const Network& network, const WeightSet* weights, PackedWeights& packed,
                const PlanOptions& options) {
  Plan plan;
  plan.batch = options.batch;
  plan.groups = options.groups;
  plan.nodes = fuse(network);
  plan.programs.resize(static_cast<std::size_t>(options.groups));
  Planner planner(network, weights, packed, plan, options);
  plan.node_ends.resize(plan.programs.size());
  for (int group = 1; group <= options.groups; ++group) {
    const auto index = static_cast<std::size_t>(group - 1);
    for (const FusedNode& fused : plan.nodes) {
      planner.emit(fused, group);
      plan.node_ends[index].push_back(plan.programs[index].size());
    }
  }
  plan.one_shot = overlaid(plan.table, lifetimes(plan));
  return plan;
}

void load_images(const Plan& plan, const float* images, int count, const std::vector<float>& mean,
                 const std::vector<float>& stddev, float* memory) {
  const ActivationLayout& layout = plan.input.layout;
  const MapShape& shape = layout.shape();
  const std::int64_t pixels = shape.pixels();
  // Pixels of one channel of one sample are `stride` values apart, contiguous when plain.
  const auto stride = static_cast<std::size_t>(layout.block());
  const float* from = images;
  for (int sample = 0; sample < count; ++sample) {
    for (int channel = 0; channel < shape.channels_of(1); ++channel) {
      const float offset = mean[static_cast<std::size_t>(channel)];
      const float factor = 1.0F / stddev[static_cast<std::size_t>(channel)];
      float* to = memory + layout.index(sample, channel, 0);
      for (std::int64_t pixel = 0; pixel < pixels; ++pixel) {
        to[static_cast<std::size_t>(pixel) * stride] = (*from++ - offset) * factor;
      }
    }
  }
}

}  // namespace bellows
