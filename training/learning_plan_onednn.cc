#include "training/learning_plan_onednn.h"

#include <bellows/error.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <map>
#include <optional>
#include <set>
#include <tuple>
#include <utility>

#include "engine/threads.h"
#include "layers/bf16_conv_learning_onednn.h"
#include "layers/conv.h"
#include "layers/elementwise_onednn.h"
#include "layers/head.h"
#include "training/decorrelation.h"
#include "training/distillation.h"
#include "training/loss.h"

namespace bellows {
namespace {

constexpr auto kF32 = dnnl::memory::data_type::f32;

// The plain row-major layout with the dimensions of `desc`.
Desc plain_desc(const Desc& desc) {
  const Dims dims = dims_of(desc);
  Dims strides(dims.size(), 1);
  for (std::size_t i = dims.size() - 1; i > 0; --i) strides[i - 1] = strides[i] * dims[i];
  return {dims, kF32, strides};
}

// Emits forward and backward of the trainable groups into two programs over the plan's buffers.
class Learner final : public LearningEmitter {
 public:
  Learner(const Network& network, WeightSet& weights, WeightSet& gradients,
          const LearningOptions& options, Plan& plan)
      : network_(network),
        weights_(weights),
        gradients_(gradients),
        options_(options),
        plan_(plan),
        internal_(network.tensors().size()),
        contributions_(network.tensors().size()) {
    for (int& buffer : temporaries_) buffer = plan_.table.add("temporary", 0);
    merge_rectifiers();
    const TensorPlace& logits = plan_.logits;
    diff_logits_ = own_range("gradient of logits", logits.layout);
  }

  void emit_all() {
    backward_phase_ = false;
    for (std::size_t i = 0; i < network_.nodes().size(); ++i) {
      node_ = static_cast<int>(i);
      if (merged_[i]) continue;
      for (group_ = range().first; group_ <= range().last; ++group_) {
        emit_learning_forward(*node().layer, *this);
      }
    }
    backward_phase_ = true;
    group_ = range().last;
    contributions_.back().push_back(diff_logits_);
    for (std::size_t i = network_.nodes().size(); i > 0; --i) {
      node_ = static_cast<int>(i - 1);
      if (merged_[i - 1]) continue;
      emit_backward(*node().layer, *this);
      if (i == network_.nodes().size() && options_.decorrelation > 0) emit_decorrelation();
    }
  }

  Program forward;
  Program backward;
  /// Where the loss writes: logits' gradients, beginning with the first trainable group.
  [[nodiscard]] const TensorPlace& diff_logits() const { return diff_logits_; }
  /// Updates what dropout draws from.
  void set_step(std::uint64_t step) {
    for (auto& [key, seed] : step_seeds_) {
      const auto& [node, group] = key;
      *seed = (options_.seed << 40U) ^ (static_cast<std::uint64_t>(node) << 32U) ^
              (static_cast<std::uint64_t>(group) << 26U) ^ step;
    }
  }
  [[nodiscard]] const View* kept(int node, int group, int slot) const {
    const auto found = kept_.find({node, group, slot});
    return found == kept_.end() ? nullptr : &found->second;
  }
  [[nodiscard]] const TensorPlace& value(int tensor) {
    const TensorPlace& planned = plan_.places[static_cast<std::size_t>(tensor)];
    if (planned.exists()) return planned;
    TensorPlace& place = internal_[static_cast<std::size_t>(tensor)];
    if (!place.exists()) {
      const Tensor& about = network_.tensors()[static_cast<std::size_t>(tensor)];
      place = own_range(about.name + " before fusion",
                        ActivationLayout(about.shape, options_.batch, false));
    }
    return place;
  }

  // ForwardEmitter
  [[nodiscard]] const LayerSite& site() const override { return node().site; }
  [[nodiscard]] int group() const override { return group_; }
  [[nodiscard]] const TensorPlace& src() const override {
    return const_cast<Learner*>(this)->value(node().src);
  }
  [[nodiscard]] const TensorPlace& shortcut() const override {
    return const_cast<Learner*>(this)->value(node().shortcut);
  }
  [[nodiscard]] const TensorPlace& dst() const override {
    return const_cast<Learner*>(this)->value(dst_tensor());
  }
  [[nodiscard]] Fusion fusion() const override {
    Fusion fusion;
    if (dst_tensor() != node().dst) fusion.activation = Activation::kRelu;
    if (node().layer->kind() == LayerKind::kHead && group_ > 1 &&
        static_cast<const Head&>(*node().layer).mode() == HeadMode::kAdditive) {
      fusion.addend = &plan_.logits;
      fusion.addend_group = group_ - 1;
    }
    return fusion;
  }

  [[nodiscard]] const TensorPlace& features() override {
    const auto tensor = static_cast<std::size_t>(node().src);
    const TensorPlace& map = src();
    const bool input = site().src_is_input;
    TensorPlace& features = plan_.features[tensor];
    if (!features.exists()) {
      features.layout = feature_layout(map.layout);
      features.first_group = map.first_group;
      features.buffer =
          same_order(map.layout)
              ? map.buffer
              : plan_.table.add(network_.tensors()[tensor].name + " as features",
                                features.layout.bytes({map.first_group, input ? 1 : range().last}));
    }
    if (!backward_phase_ && features.buffer != map.buffer && !(input && range().first > 1)) {
      const int first = input ? 1 : group_;
      if (flattened_.insert({node().src, first}).second) {
        add_kernel(flatten_kernel(map.layout, first, false),
                   {map.map({first, first}), features.map({first, first})});
      }
    }
    return features;
  }

  [[nodiscard]] Desc weights_desc(const Dims& dims) override {
    return {dims, kF32, dnnl::memory::format_tag::any};
  }

  [[nodiscard]] View weights(const Desc& desc, const DensePiece& piece) override {
    const View view =
        pack(group_, desc, {{group_, piece}}, ParameterRole::kWeight, "packed weight");
    packed_[{node_, group_, ParameterRole::kWeight}] = view;
    return view;
  }

  [[nodiscard]] View vector(ParameterRole role, const std::vector<int>& positions,
                            int padded) override {
    const Desc desc({padded}, kF32, dnnl::memory::format_tag::a);
    const View view = pack(group_, desc, {{group_, vector_piece(positions)}}, role, "padded");
    packed_[{node_, group_, role}] = view;
    return view;
  }

  void add(const Primitive& primitive, std::vector<Argument> arguments) override {
    add_step(program(), plan_.table, label(), primitive, std::move(arguments));
  }

  void add_kernel(Kernel kernel, std::vector<View> arguments) override {
    Step step{label(), {}, std::move(kernel), {}};
    for (View& view : arguments) step.arguments.push_back({0, std::move(view)});
    program().push_back(std::move(step));
  }

  // LearningEmitter
  [[nodiscard]] GroupRange range() const override { return options_.trainable; }
  [[nodiscard]] bool bf16() const override { return options_.bf16; }

  [[nodiscard]] View keep(int slot, int group, const Desc& desc) override {
    View& view = kept_[{node_, group, slot}];
    if (view.buffer == BufferTable::kScratchpad) {
      view = {desc, plan_.table.add(label() + " kept", desc.get_size()), 0};
    }
    return view;
  }

  [[nodiscard]] std::span<float> parameter(int group, ParameterRole role) override {
    return weights_.values(group, node_, role);
  }

  [[nodiscard]] const View& packed(int group, ParameterRole role) const override {
    return packed_.at({node_, group, role});
  }

  [[nodiscard]] const SumOverRanks* ranks() const override {
    return options_.ranks.alone() ? nullptr : &ranks_;
  }

  [[nodiscard]] const std::uint64_t* step_seed(int group) override {
    auto& seed = step_seeds_[{node_, group}];
    if (seed == nullptr) seed = std::make_unique<std::uint64_t>(0);
    return seed.get();
  }

  [[nodiscard]] const TensorPlace& diff_dst() override {
    std::vector<TensorPlace>& parts = contributions_[static_cast<std::size_t>(dst_tensor())];
    if (parts.empty()) {
      throw Error(ErrorCode::kInvalidArgument,
                  "layer '" + node().layer->name() + "' has no effect on the loss; remove it");
    }
    if (parts.size() > 1) {
      // Into memory of its own: a part may also be the gradient of another tensor.
      const TensorPlace sum = own_range("gradient sum", parts.front().layout);
      const View total = sum.flat(range());
      View left = parts.front().flat(range());
      for (std::size_t i = 1; i < parts.size(); ++i) {
        emit_sum(left, parts[i].flat(range()), total, *this);
        left = total;
      }
      parts.assign(1, sum);
    }
    return parts.front();
  }

  [[nodiscard]] bool wants_diff_src() const override { return !site().src_is_input; }

  [[nodiscard]] TensorPlace diff_src() override {
    TensorPlace place = own_range("gradient", src().layout);
    contributions_[static_cast<std::size_t>(node().src)].push_back(place);
    return place;
  }

  [[nodiscard]] TensorPlace diff_features() override {
    if (!same_order(src().layout)) return own_range("gradient of features", features().layout);
    TensorPlace place = diff_src();
    place.layout = features().layout;
    return place;
  }

  void finish_diff_features(const TensorPlace& place) override {
    if (same_order(src().layout)) return;
    const TensorPlace map = diff_src();
    for (int group = range().first; group <= range().last; ++group) {
      add_kernel(flatten_kernel(map.layout, group, true),
                 {place.map({group, group}), map.map({group, group})});
    }
  }

  void pass_diff_to_both() override {
    const TensorPlace place = diff_dst();
    contributions_[static_cast<std::size_t>(node().src)].push_back(place);
    contributions_[static_cast<std::size_t>(node().shortcut)].push_back(place);
  }

  [[nodiscard]] View stacked_weights(const Desc& desc, int source_group,
                                     const std::vector<StackedPiece>& pieces) override {
    return pack(source_group, desc, pieces, ParameterRole::kWeight, "stacked weights");
  }

  [[nodiscard]] View temporary(int slot, const Desc& desc) override {
    const BufferId buffer = temporaries_[static_cast<std::size_t>(slot)];
    plan_.table.grow(buffer, desc.get_size());
    return {desc, buffer, 0};
  }

  void store_gradient(int group, ParameterRole role, const View& gradient,
                      const DensePiece& piece) override {
    const std::span<float> target = gradients_.values(group, node_, role);
    const BufferId external =
        plan_.table.add_external(label() + " gradient", target.size_bytes(), target.data());
    const Desc plain = plain_desc(gradient.desc);
    if (piece.is_identity(static_cast<int>(dims_of(gradient.desc)[0]))) {
      add(reorder(gradient.desc, plain),
          {{DNNL_ARG_FROM, gradient}, {DNNL_ARG_TO, {plain, external, 0}}});
      return;
    }
    View padded = gradient;
    if (gradient.desc != plain) {
      padded = temporary(kPlainTemporary, plain);
      add(reorder(gradient.desc, plain), {{DNNL_ARG_FROM, gradient}, {DNNL_ARG_TO, padded}});
    }
    add_kernel(
        [piece](void* const* arguments) {
          unpack_dense(piece, static_cast<const float*>(arguments[0]),
                       static_cast<float*>(arguments[1]));
        },
        {padded, {plain, external, 0}});
  }

 private:
  static constexpr int kPlainTemporary = 2;

  [[nodiscard]] const Node& node() const {
    return network_.nodes()[static_cast<std::size_t>(node_)];
  }
  Program& program() { return backward_phase_ ? backward : forward; }
  [[nodiscard]] std::string label() const {
    return node().layer->name() + (backward_phase_ ? " backward" : " forward") + " group " +
           std::to_string(group_);
  }

  // Adds the gradient of that loss, between each trainable group's features and those of all groups
  // before it, to what the head's backward pass has left. Features are means over a map's pixels.
  void emit_decorrelation() {
    const TensorPlace& values = src();
    const TensorPlace& gradient = contributions_[static_cast<std::size_t>(node().src)].back();
    const ActivationLayout& layout = values.layout;
    const auto gather = [layout, batch = options_.batch](const void* from, int group,
                                                         Eigen::Ref<Eigen::MatrixXf> into) {
      const auto* map = static_cast<const float*>(from);
      const std::int64_t pixels = layout.shape().pixels();
      for (int sample = 0; sample < batch; ++sample) {
        for (int channel = 0; channel < layout.shape().channels_of(group); ++channel) {
          float sum = 0;
          for (std::int64_t p = 0; p < pixels; ++p) sum += map[layout.index(sample, channel, p)];
          into(sample, channel) = sum / static_cast<float>(pixels);
        }
      }
    };
    const int group_before = group_;
    for (group_ = std::max(2, range().first); group_ <= range().last; ++group_) {
      std::vector<View> arguments = {gradient.map({group_, group_})};
      for (int group = 1; group <= group_; ++group) arguments.push_back(values.map({group, group}));
      const int fresh_group = group_;
      add_kernel(
          [gather, layout, fresh_group, batch = options_.batch,
           weight = static_cast<float>(options_.decorrelation)](void* const* given) {
            const MapShape& shape = layout.shape();
            Eigen::MatrixXf old(batch, shape.channels_in({1, fresh_group - 1}));
            Eigen::Index column = 0;
            for (int group = 1; group < fresh_group; ++group) {
              const int channels = shape.channels_of(group);
              gather(given[group], group, old.middleCols(column, channels));
              column += channels;
            }
            Eigen::MatrixXf fresh(batch, shape.channels_of(fresh_group));
            gather(given[fresh_group], fresh_group, fresh);
            Eigen::MatrixXf by_features;
            decorrelation(fresh, old, by_features);
            by_features *= weight / static_cast<float>(shape.pixels());
            auto* map = static_cast<float*>(given[0]);
            for (int sample = 0; sample < batch; ++sample) {
              for (int channel = 0; channel < shape.channels_of(fresh_group); ++channel) {
                for (std::int64_t p = 0; p < shape.pixels(); ++p) {
                  map[layout.index(sample, channel, p)] += by_features(sample, channel);
                }
              }
            }
          },
          std::move(arguments));
    }
    group_ = group_before;
  }

  // A relu that alone reads a batch_norm runs in the same pass over memory.
  void merge_rectifiers() {
    merged_.assign(network_.nodes().size(), false);
    for (const Node& node : network_.nodes()) {
      const std::vector<int>& consumers =
          network_.tensors()[static_cast<std::size_t>(node.dst)].consumers;
      if (node.layer->kind() != LayerKind::kBatchNorm || consumers.size() != 1) continue;
      const auto next = static_cast<std::size_t>(consumers.front());
      merged_[next] = network_.nodes()[next].layer->kind() == LayerKind::kRelu;
    }
  }

  // The tensor that the current node writes: its own, or that of the relu merged into it.
  [[nodiscard]] int dst_tensor() const {
    const Tensor& tensor = network_.tensors()[static_cast<std::size_t>(node().dst)];
    if (node().layer->kind() == LayerKind::kBatchNorm && tensor.consumers.size() == 1 &&
        merged_[static_cast<std::size_t>(tensor.consumers.front())]) {
      return network_.nodes()[static_cast<std::size_t>(tensor.consumers.front())].dst;
    }
    return node().dst;
  }

  // True where a map's order in memory is that of its features.
  [[nodiscard]] bool same_order(const ActivationLayout& layout) const {
    return options_.batch == 1 || layout.shape().pixels() == 1;
  }

  // A tensor's memory for the trainable groups alone.
  TensorPlace own_range(const std::string& name, const ActivationLayout& layout) {
    TensorPlace place;
    place.layout = layout;
    place.first_group = range().first;
    place.buffer = plan_.table.add(name, layout.bytes(range()));
    return place;
  }

  // Emits what brings plain parameters of this node into `desc`: straight where nothing is padded,
  // else through a padded copy.
  View pack(int group, const Desc& desc, const std::vector<StackedPiece>& pieces,
            ParameterRole role, const char* what) {
    const Desc plain = plain_desc(desc);
    const auto master = [&](int of) {
      const std::span<float> values = weights_.values(of, node_, role);
      return plan_.table.add_external(label() + " values", values.size_bytes(), values.data());
    };
    View padded{plain, BufferTable::kScratchpad, 0};
    if (pieces.size() == 1 &&
        pieces.front().piece.is_identity(static_cast<int>(dims_of(desc)[0]))) {
      padded.buffer = master(pieces.front().group);
    } else {
      padded.buffer = plan_.table.add(label() + " padded", plain.get_size());
      for (const StackedPiece& stacked : pieces) {
        add_kernel(
            [piece = stacked.piece](void* const* arguments) {
              pack_dense(piece, static_cast<const float*>(arguments[0]), nullptr,
                         static_cast<float*>(arguments[1]));
            },
            {{plain, master(stacked.group), 0}, padded});
      }
    }
    if (desc == plain) return padded;
    const View packed{desc,
                      plan_.table.add(label() + " " + what + " of group " + std::to_string(group),
                                      desc.get_size()),
                      0};
    add(reorder(plain, desc), {{DNNL_ARG_FROM, padded}, {DNNL_ARG_TO, packed}});
    return packed;
  }

  const Network& network_;
  WeightSet& weights_;
  WeightSet& gradients_;
  LearningOptions options_;
  Plan& plan_;
  std::vector<TensorPlace> internal_;                    // by tensor: what inference fuses away
  std::vector<std::vector<TensorPlace>> contributions_;  // by tensor: parts of its gradient
  std::vector<bool> merged_;                             // by node: done by the node before
  TensorPlace diff_logits_;
  std::array<BufferId, 5> temporaries_{};
  std::map<std::tuple<int, int, int>, View> kept_;  // by node, group, slot
  std::map<std::tuple<int, int, ParameterRole>, View> packed_;
  std::map<std::pair<int, int>, std::unique_ptr<std::uint64_t>> step_seeds_;  // by node, group
  std::set<std::pair<int, int>> flattened_;                                   // tensor, group
  SumOverRanks ranks_{options_.ranks.size(),
                      [this](std::span<float> values) { options_.ranks.sum(values); }};
  int node_ = 0;
  int group_ = 1;
  bool backward_phase_ = false;
};

bool emit_frozen_in_bf16(const Layer& layer, ForwardEmitter& emitter) {
  if (layer.kind() != LayerKind::kConv) return false;
  const auto& conv = static_cast<const Conv&>(layer);
  return !conv.depthwise() &&
         emit_bf16_frozen(dense_geometry(conv), emitter.site().groups_read(emitter.group()),
                          emitter);
}

}  // namespace

struct LearningPlan::State {
  State(const Network& of, WeightSet& weights, WeightSet& gradients, const LearningOptions& wanted)
      : network(of),
        options(wanted),
        plan(build_plan(network, &weights, packed,
                        {.batch = options.batch,
                         .groups = options.trainable.first - 1,
                         .allocated_groups = options.trainable.last,
                         .learning = true,
                         .emit_instead = options.bf16 ? emit_frozen_in_bf16 : nullptr})),
        learner(network, weights, gradients, options, plan),
        stream(cpu_engine()) {
    learner.emit_all();
    memory.emplace(plan.table);
    if (options.alone) plan.programs.clear();
    for (const Program& program : plan.programs) frozen.emplace_back(program, *memory);
    forward.emplace(learner.forward, *memory);
    backward.emplace(learner.backward, *memory);
    const auto channels = static_cast<std::size_t>(network.input().channels_of(1));
    no_mean.assign(channels, 0.0F);
    no_stddev.assign(channels, 1.0F);
    losses.resize(static_cast<std::size_t>(options.trainable.size()));
  }

  [[nodiscard]] float* values(const TensorPlace& place, int group) const {
    return reinterpret_cast<float*>(memory->address(place.buffer) + place.offset_of(group));
  }

  const Network& network;
  LearningOptions options;
  PackedWeights packed;
  Plan plan;
  Learner learner;
  dnnl::stream stream;
  std::optional<BufferMemory> memory;
  std::vector<BoundProgram> frozen;
  std::optional<BoundProgram> forward;
  std::optional<BoundProgram> backward;
  std::vector<float> no_mean;
  std::vector<float> no_stddev;
  std::vector<WidthLoss> losses;
};

namespace {

// Plans are made for a number of threads: it must be set before the first primitive.
const LearningOptions& checked(const Network& network, const LearningOptions& options) {
  if (options.trainable.first < 1 || options.trainable.last < options.trainable.first ||
      options.trainable.last > network.groups()) {
    throw Error(ErrorCode::kInvalidArgument, "groups " + std::to_string(options.trainable.first) +
                                                 " to " + std::to_string(options.trainable.last) +
                                                 " were to be trained; the network has " +
                                                 std::to_string(network.groups()));
  }
  if (options.batch < 1 || options.threads < 1) {
    throw Error(ErrorCode::kInvalidArgument, "batch and threads must be at least 1");
  }
  return options;
}

}  // namespace

LearningPlan::LearningPlan(const Network& network, WeightSet& weights, WeightSet& gradients,
                           const LearningOptions& options) {
  const ThreadCount threads(checked(network, options).threads);
  state_ = std::make_unique<State>(network, weights, gradients, options);
}

LearningPlan::~LearningPlan() = default;

const std::vector<WidthLoss>& LearningPlan::forward(const float* images, const std::int32_t* labels,
                                                    std::uint64_t step) {
  State& state = *state_;
  const ThreadCount threads(state.options.threads);
  load_images(state.plan, images, state.options.batch, state.no_mean, state.no_stddev,
              state.values(state.plan.input, 1));
  state.learner.set_step(step);
  for (const BoundProgram& program : state.frozen) program.run(state.stream);
  state.forward->run(state.stream);
  const GroupRange range = state.options.trainable;
  for (int width = range.first; width <= range.last; ++width) {
    const LossResult result = softmax_cross_entropy(
        state.values(state.plan.logits, width), labels, state.options.batch,
        state.network.classes(), state.plan.logits.layout.block(), state.options.label_smoothing,
        state.values(state.learner.diff_logits(), width));
    state.losses[static_cast<std::size_t>(width - range.first)] = {width, result.mean,
                                                                   result.correct};
  }
  return state.losses;
}

double LearningPlan::distil(int width, std::span<const float> targets, double weight,
                            double temperature) {
  State& state = *state_;
  const GroupRange range = state.options.trainable;
  const int classes = state.network.classes();
  if (width < range.first || width > range.last ||
      targets.size() !=
          static_cast<std::size_t>(state.options.batch) * static_cast<std::size_t>(classes)) {
    throw Error(ErrorCode::kInvalidArgument,
                std::to_string(targets.size()) + " targets for width " + std::to_string(width) +
                    "; widths " + std::to_string(range.first) + " to " +
                    std::to_string(range.last) + " are trained on batches of " +
                    std::to_string(state.options.batch) + " images, " + std::to_string(classes) +
                    " classes");
  }
  return bellows::distil(state.values(state.plan.logits, width), targets, state.options.batch,
                         classes, state.plan.logits.layout.block(), weight, temperature,
                         state.values(state.learner.diff_logits(), width));
}

void LearningPlan::weigh(int width, std::span<const float> weights) {
  State& state = *state_;
  const GroupRange range = state.options.trainable;
  if (width < range.first || width > range.last ||
      weights.size() != static_cast<std::size_t>(state.options.batch)) {
    throw Error(ErrorCode::kInvalidArgument,
                std::to_string(weights.size()) + " weights for width " + std::to_string(width) +
                    "; widths " + std::to_string(range.first) + " to " +
                    std::to_string(range.last) + " are trained on batches of " +
                    std::to_string(state.options.batch));
  }
  const ActivationLayout& layout = state.plan.logits.layout;
  float* gradient = state.values(state.learner.diff_logits(), width);
  for (int sample = 0; sample < state.options.batch; ++sample) {
    for (int label = 0; label < state.network.classes(); ++label) {
      gradient[layout.index(sample, label, 0)] *= weights[static_cast<std::size_t>(sample)];
    }
  }
}

void LearningPlan::backward() {
  const ThreadCount threads(state_->options.threads);
  state_->backward->run(state_->stream);
}

std::vector<float> LearningPlan::dropout_factors(int node, int group) const {
  const View* view = state_->learner.kept(node, group, 0);
  const Node& at = state_->network.nodes()[static_cast<std::size_t>(node)];
  if (view == nullptr || at.layer->kind() != LayerKind::kDropout) {
    throw Error(ErrorCode::kInvalidArgument, "node " + std::to_string(node) + ", group " +
                                                 std::to_string(group) +
                                                 " is not a trainable dropout layer");
  }
  const auto* values =
      reinterpret_cast<const float*>(state_->memory->address(view->buffer) + view->offset);
  const ActivationLayout& layout = state_->learner.value(at.dst).layout;
  std::vector<float> factors;
  for (int sample = 0; sample < state_->options.batch; ++sample) {
    for (int channel = 0; channel < layout.shape().channels_of(group); ++channel) {
      for (std::int64_t pixel = 0; pixel < layout.shape().pixels(); ++pixel) {
        factors.push_back(values[layout.index(sample, channel, pixel)]);
      }
    }
  }
  return factors;
}

std::vector<float> LearningPlan::logits(int width) const {
  const ActivationLayout& layout = state_->plan.logits.layout;
  const float* values = state_->values(state_->plan.logits, width);
  std::vector<float> logits;
  for (int sample = 0; sample < state_->options.batch; ++sample) {
    for (int label = 0; label < state_->network.classes(); ++label) {
      logits.push_back(values[layout.index(sample, label, 0)]);
    }
  }
  return logits;
}

std::size_t LearningPlan::memory_bytes() const { return state_->memory->bytes(); }

std::vector<std::string> LearningPlan::reference_steps() const {
  std::vector<std::string> labels = state_->plan.reference_steps();
  for (const Program* program : {&state_->learner.forward, &state_->learner.backward}) {
    for (const Step& step : *program) {
      if (!step.kernel && is_reference(step.primitive)) {
        labels.push_back(step.label + ": " + step.primitive.implementation);
      }
    }
  }
  return labels;
}

std::vector<LearningPlan::StepTime> LearningPlan::time_steps() {
  State& state = *state_;
  const ThreadCount threads(state.options.threads);
  std::vector<StepTime> times;
  const auto run = [&](const Program& program, const BoundProgram& bound) {
    for (std::size_t i = 0; i < bound.size(); ++i) {
      const auto start = std::chrono::steady_clock::now();
      bound.run_step(state.stream, i);
      const std::chrono::duration<double> taken = std::chrono::steady_clock::now() - start;
      times.push_back({program[i].label,
                       program[i].kernel ? "kernel" : program[i].primitive.implementation,
                       taken.count()});
    }
  };
  for (std::size_t g = 0; g < state.frozen.size(); ++g) {
    run(state.plan.programs[g], state.frozen[g]);
  }
  run(state.learner.forward, *state.forward);
  run(state.learner.backward, *state.backward);
  return times;
}

}  // namespace bellows
