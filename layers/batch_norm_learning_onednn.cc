#include "layers/batch_norm.h"

#include <cmath>
#include <utility>
#include <vector>

#include "layers/learning_onednn.h"

namespace bellows {
namespace {

// Slots of what backward needs of forward.
constexpr int kMean = 0;
constexpr int kVariance = 1;
constexpr int kRectified = 2;  // which values a merged relu let through

Desc channel_vector(int channels) {
  return {{channels}, dnnl::memory::data_type::f32, dnnl::memory::format_tag::a};
}

// A group's map in memory: blocks of channels, in each of which pixel follows pixel, sample after
// sample.
struct Blocks {
  explicit Blocks(const TensorPlace& place, int group)
      : block(static_cast<std::size_t>(place.layout.block())),
        blocks(static_cast<std::size_t>(place.layout.padded_channels({group, group})) / block),
        pixels(static_cast<std::size_t>(place.layout.batch()) *
               static_cast<std::size_t>(place.layout.shape().pixels())) {}

  // Calls act(channel, index of the value) for every value.
  template <class Act>
  void each(const Act& act) const {
#pragma omp parallel for
    for (std::size_t b = 0; b < blocks; ++b) {
      for (std::size_t p = 0; p < pixels; ++p) {
        for (std::size_t c = 0; c < block; ++c) act(b * block + c, (b * pixels + p) * block + c);
      }
    }
  }

  std::size_t block;
  std::size_t blocks;
  std::size_t pixels;  // of all samples
};

// Emits the mean and variance over the batch of all ranks.
void emit_moments(LearningEmitter& emitter, const View& mean, const View& variance) {
  const SumOverRanks& ranks = *emitter.ranks();
  const int group = emitter.group();
  const Blocks map(emitter.src(), group);
  emitter.add_kernel(
      [map, &ranks](void* const* arguments) {
        const auto* values = static_cast<const float*>(arguments[0]);
        auto* means = static_cast<float*>(arguments[1]);
        auto* variances = static_cast<float*>(arguments[2]);
        const std::size_t channels = map.blocks * map.block;
        const double count = static_cast<double>(map.pixels) * ranks.size;
        std::vector<double> sums(channels, 0.0);
        const auto share = [&](float* result) {
          for (std::size_t c = 0; c < channels; ++c)
            result[c] = static_cast<float>(sums[c] / count);
          ranks.sum({result, channels});
          sums.assign(channels, 0.0);
        };
        map.each([&](std::size_t c, std::size_t i) { sums[c] += static_cast<double>(values[i]); });
        share(means);
        map.each([&](std::size_t c, std::size_t i) {
          const double away = static_cast<double>(values[i]) - static_cast<double>(means[c]);
          sums[c] += away * away;
        });
        share(variances);
      },
      {emitter.src().map({group, group}), mean, variance});
}

// Emits what the gradient lacks that takes the statistics as given: that by way of mean and
// variance, which all samples of all ranks have a part in. `diff_scale` and `diff_shift`, of this
// rank, stay as they are.
void emit_gradient_of_moments(LearningEmitter& emitter, const BatchNorm& layer, int group,
                              const View& diff_src, const View& diff_scale,
                              const View& diff_shift) {
  const SumOverRanks& ranks = *emitter.ranks();
  const Blocks map(emitter.src(), group);
  const int padded = emitter.src().layout.padded_channels({group, group});
  emitter.add_kernel(
      [map, &ranks, epsilon = layer.epsilon()](void* const* arguments) {
        const auto* values = static_cast<const float*>(arguments[0]);
        const auto* means = static_cast<const float*>(arguments[1]);
        const auto* variances = static_cast<const float*>(arguments[2]);
        const auto* scales = static_cast<const float*>(arguments[3]);
        const auto* by_scale = static_cast<const float*>(arguments[4]);
        const auto* by_shift = static_cast<const float*>(arguments[5]);
        auto* gradient = static_cast<float*>(arguments[6]);
        const std::size_t channels = map.blocks * map.block;
        std::vector<float> sums(by_scale, by_scale + channels);
        sums.insert(sums.end(), by_shift, by_shift + channels);
        ranks.sum(sums);
        const double count = static_cast<double>(map.pixels) * ranks.size;
        // gradient -= scale / deviation * (mean of dst's + normalised value * mean of their
        // product)
        std::vector<float> constants(channels);
        std::vector<float> slopes(channels);
        for (std::size_t c = 0; c < channels; ++c) {
          const double deviation = std::sqrt(static_cast<double>(variances[c]) + epsilon);
          const double factor = static_cast<double>(scales[c]) / deviation / count;
          const double slope = factor * static_cast<double>(sums[c]) / deviation;
          slopes[c] = static_cast<float>(slope);
          constants[c] = static_cast<float>(factor * static_cast<double>(sums[channels + c]) -
                                            slope * static_cast<double>(means[c]));
        }
        map.each([&](std::size_t c, std::size_t i) {
          gradient[i] -= constants[c] + slopes[c] * values[i];
        });
      },
      {emitter.src().map({group, group}), emitter.keep(kMean, group, channel_vector(padded)),
       emitter.keep(kVariance, group, channel_vector(padded)),
       emitter.packed(group, ParameterRole::kScale), diff_scale, diff_shift, diff_src});
}

}  // namespace

void emit_learning_forward(const BatchNorm& layer, LearningEmitter& emitter) {
  const int group = emitter.group();
  const GroupRange here{group, group};
  const View src = emitter.src().map(here);
  const std::vector<int> positions = emitter.src().layout.channel_positions(here);
  const int padded = emitter.src().layout.padded_channels(here);
  const View mean = emitter.keep(kMean, group, channel_vector(padded));
  const View variance = emitter.keep(kVariance, group, channel_vector(padded));
  const bool with_relu = emitter.fusion().activation == Activation::kRelu;
  const Statistics statistics =
      emitter.ranks() == nullptr ? Statistics::kComputed : Statistics::kGiven;
  if (statistics == Statistics::kGiven) emit_moments(emitter, mean, variance);
  const Primitive primitive = batch_norm_forward(statistics, src.desc, layer.epsilon(), with_relu);
  std::vector<Argument> arguments{
      {DNNL_ARG_SRC, src},
      {DNNL_ARG_DST, emitter.dst().map(here)},
      {DNNL_ARG_SCALE, emitter.vector(ParameterRole::kScale, positions, padded)},
      {DNNL_ARG_SHIFT, emitter.vector(ParameterRole::kShift, positions, padded)},
      {DNNL_ARG_MEAN, mean},
      {DNNL_ARG_VARIANCE, variance}};
  if (with_relu) {
    arguments.push_back({DNNL_ARG_WORKSPACE, emitter.keep(kRectified, group, primitive.workspace)});
  }
  emitter.add(primitive, std::move(arguments));

  const int ranks = emitter.ranks() == nullptr ? 1 : emitter.ranks()->size;
  const auto values =
      static_cast<float>(emitter.src().layout.batch() * emitter.site().src.pixels() * ranks);
  const float unbiased = values > 1 ? values / (values - 1) : 1.0F;
  const auto momentum = static_cast<float>(layer.momentum());
  const std::span<float> running_mean = emitter.parameter(group, ParameterRole::kMean);
  const std::span<float> running_variance = emitter.parameter(group, ParameterRole::kVariance);
  emitter.add_kernel(
      [=](void* const* moments) {
        const auto* batch_mean = static_cast<const float*>(moments[0]);
        const auto* batch_variance = static_cast<const float*>(moments[1]);
        // Groups start on a block: logical channel i is padded channel i.
        for (std::size_t i = 0; i < running_mean.size(); ++i) {
          running_mean[i] += momentum * (batch_mean[i] - running_mean[i]);
          running_variance[i] += momentum * (batch_variance[i] * unbiased - running_variance[i]);
        }
      },
      {mean, variance});
}

void emit_backward(const BatchNorm& layer, LearningEmitter& emitter) {
  TensorPlace place = emitter.diff_src();
  for (int group = emitter.range().first; group <= emitter.range().last; ++group) {
    const GroupRange here{group, group};
    const View src = emitter.src().map(here);
    const std::vector<int> positions = emitter.src().layout.channel_positions(here);
    const int padded = emitter.src().layout.padded_channels(here);
    const View diff_scale = emitter.temporary(0, channel_vector(padded));
    const View diff_shift = emitter.temporary(1, channel_vector(padded));
    const bool with_relu = emitter.fusion().activation == Activation::kRelu;
    const Statistics statistics =
        emitter.ranks() == nullptr ? Statistics::kComputed : Statistics::kGiven;
    const Primitive primitive =
        batch_norm_backward(statistics, src.desc, layer.epsilon(), with_relu);
    std::vector<Argument> arguments{
        {DNNL_ARG_SRC, src},
        {DNNL_ARG_MEAN, emitter.keep(kMean, group, channel_vector(padded))},
        {DNNL_ARG_VARIANCE, emitter.keep(kVariance, group, channel_vector(padded))},
        {DNNL_ARG_SCALE, emitter.packed(group, ParameterRole::kScale)},
        {DNNL_ARG_DIFF_DST, emitter.diff_dst().map(here)},
        {DNNL_ARG_DIFF_SRC, place.map(here)},
        {DNNL_ARG_DIFF_SCALE, diff_scale},
        {DNNL_ARG_DIFF_SHIFT, diff_shift}};
    if (batch_norm_backward_takes_shift()) {
      arguments.push_back({DNNL_ARG_SHIFT, emitter.packed(group, ParameterRole::kShift)});
    }
    if (with_relu) {
      arguments.push_back(
          {DNNL_ARG_WORKSPACE, emitter.keep(kRectified, group, primitive.workspace)});
    }
    emitter.add(primitive, std::move(arguments));
    if (statistics == Statistics::kGiven) {
      emit_gradient_of_moments(emitter, layer, group, place.map(here), diff_scale, diff_shift);
    }
    const DensePiece vector = vector_piece(positions);
    emitter.store_gradient(group, ParameterRole::kScale, diff_scale, vector);
    emitter.store_gradient(group, ParameterRole::kShift, diff_shift, vector);
  }
}

}  // namespace bellows
