#include "cli/layer_check_onednn.h"

#include <algorithm>
#include <cmath>
#include <dnnl.hpp>
#include <map>
#include <memory>

#include "engine/model_state.h"
#include "engine/threads.h"
#include "training/reference_network.h"

namespace bellows::cli {
namespace {

std::vector<float> pixels_of(const Dataset& images) {
  std::vector<float> pixels;
  pixels.reserve(images.size() * images.shape().elements());
  for (std::size_t i = 0; i < images.size(); ++i) {
    for (const std::uint8_t pixel : images.image(i)) {
      pixels.push_back(static_cast<float>(pixel) / 255.0F);
    }
  }
  return pixels;
}

// All groups of one batch, in memory of its own.
class Run {
 public:
  Run(internal::ModelState& state, int batch)
      : network_(state.network), plan_(state.plan(batch, 1)), memory_(plan_->table) {
    const auto channels = static_cast<std::size_t>(network_.input().channels_of(1));
    mean_.assign(channels, 0.0F);
    stddev_.assign(channels, 1.0F);
    std::copy(state.info.mean.begin(), state.info.mean.end(), mean_.begin());
    std::copy(state.info.stddev.begin(), state.info.stddev.end(), stddev_.begin());
  }

  void run(const float* images) {
    load_images(*plan_, images, plan_->batch, mean_, stddev_,
                reinterpret_cast<float*>(memory_.address(plan_->input.buffer)));
    dnnl::stream stream(cpu_engine());
    const ThreadCount one(1);
    for (const Program& program : plan_->programs) BoundProgram(program, memory_).run(stream);
  }

  // The largest difference of a tensor's group, for images `first` and following of the reference.
  [[nodiscard]] double difference(int tensor, int group, const std::vector<double>& expected,
                                  int first) const {
    const TensorPlace& place = plan_->places[static_cast<std::size_t>(tensor)];
    const auto* values =
        reinterpret_cast<const float*>(memory_.address(place.buffer) + place.offset_of(group));
    const MapShape& shape = network_.tensors()[static_cast<std::size_t>(tensor)].shape;
    const int channels = shape.channels_of(group);
    std::size_t at = static_cast<std::size_t>(first) * static_cast<std::size_t>(channels) *
                     static_cast<std::size_t>(shape.pixels());
    double worst = 0;
    for (int sample = 0; sample < plan_->batch; ++sample) {
      for (int channel = 0; channel < channels; ++channel) {
        for (std::int64_t pixel = 0; pixel < shape.pixels(); ++pixel) {
          const double value = values[place.layout.index(sample, channel, pixel)];
          const double apart = std::abs(value - expected[at++]);
          // A value that is not a number differs by more than any other.
          worst = std::isnan(apart) ? HUGE_VAL : std::max(worst, apart);
        }
      }
    }
    return worst;
  }

  [[nodiscard]] const Plan& plan() const { return *plan_; }
  [[nodiscard]] const std::vector<float>& mean() const { return mean_; }
  [[nodiscard]] const std::vector<float>& stddev() const { return stddev_; }

 private:
  const Network& network_;
  std::shared_ptr<const Plan> plan_;
  BufferMemory memory_;
  std::vector<float> mean_;
  std::vector<float> stddev_;
};

std::string fused_name(const Network& network, const FusedNode& fused) {
  std::string name;
  for (const int node : {fused.node, fused.norm, fused.sum, fused.activation}) {
    if (node < 0) continue;
    name += (name.empty() ? "" : " + ");
    name += network.nodes()[static_cast<std::size_t>(node)].layer->name();
  }
  return name;
}

void set_parameters(ReferenceNetwork& reference, const WeightSet& weights) {
  for (int group = 1; group <= reference.network().groups(); ++group) {
    std::vector<std::vector<float>> parameters;
    for (const ParameterKey& key : reference.network().parameters(group)) {
      const auto values = weights.values(key);
      parameters.emplace_back(values.begin(), values.end());
    }
    reference.set_group_parameters(group, parameters);
  }
}

}  // namespace

std::vector<LayerDifference> check_layers(const Model& model, const WeightSet& weights,
                                          const Dataset& images) {
  const ImageShape& shape = images.shape();
  if (images.empty() || shape.channels != model.image_channels() ||
      shape.height != model.image_height() || shape.width != model.image_width()) {
    throw Error(ErrorCode::kInvalidArgument,
                "the images of " + images.name() + " do not have the size that the model takes");
  }
  internal::ModelState& state = *internal::state_of(model);
  const Network& network = state.network;
  const int count = static_cast<int>(images.size());
  const std::vector<float> pixels = pixels_of(images);
  Run single(state, 1);
  Run batch(state, count);

  ReferenceNetwork reference(network);
  set_parameters(reference, weights);
  std::vector<double> normalised(pixels.begin(), pixels.end());
  const auto plane = static_cast<std::size_t>(network.input().pixels());
  for (std::size_t i = 0; i < normalised.size(); ++i) {
    const std::size_t channel = i / plane % single.mean().size();
    normalised[i] =
        (normalised[i] - double{single.mean()[channel]}) / double{single.stddev()[channel]};
  }
  reference.forward(normalised, network.groups());

  std::vector<LayerDifference> layers;
  const std::vector<FusedNode>& nodes = batch.plan().nodes;
  layers.reserve(nodes.size());
  for (const FusedNode& fused : nodes) {
    layers.push_back({fused_name(network, fused),
                      std::vector<double>(static_cast<std::size_t>(network.groups()))});
  }
  const auto compare = [&](const Run& run, int first) {
    for (std::size_t i = 0; i < nodes.size(); ++i) {
      const GroupedValues& expected = reference.values(nodes[i].dst);
      for (int group = 1; group <= network.groups(); ++group) {
        const auto g = static_cast<std::size_t>(group - 1);
        double& worst = layers[i].by_width[g];
        worst = std::max(worst, run.difference(nodes[i].dst, group, expected[g], first));
      }
    }
  };
  batch.run(pixels.data());
  compare(batch, 0);
  for (int image = 0; image < count; ++image) {
    single.run(pixels.data() + static_cast<std::size_t>(image) * model.image_elements());
    compare(single, image);
  }
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    double largest = 0;
    for (const auto& group : reference.values(nodes[i].dst)) {
      for (const double value : group) largest = std::max(largest, std::abs(value));
    }
    for (double& worst : layers[i].by_width) worst = worst == 0 ? 0 : worst / largest;
  }
  return layers;
}

}  // namespace bellows::cli
