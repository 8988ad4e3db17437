#include "bench/networks.h"

#include <algorithm>
#include <filesystem>
#include <memory>
#include <random>
#include <utility>

#include "engine/model_state.h"
#include "training/initialise.h"
#include "training/run_config.h"

namespace bellows::bench {
namespace {

const std::filesystem::path kConfigs = std::filesystem::path(BELLOWS_SOURCE_DIR) / "configs";

}  // namespace

std::vector<std::string> shipped_networks() {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(kConfigs)) {
    const std::filesystem::path& file = entry.path();
    // What is in devices/ describes machines, what is in search/ many networks.
    const std::filesystem::path folder = file.parent_path().filename();
    if (file.extension() != ".toml" || folder == "devices" || folder == "search") continue;
    names.push_back(file.parent_path().filename() / file.stem());
  }
  std::ranges::sort(names);
  return names;
}

Network shipped_network(const std::string& name) {
  return std::move(read_run_config(kConfigs / (name + ".toml")).network);
}

Network triangular_network(const std::string& name) {
  ConfigValue network = shipped_network(name).write();
  for (auto& [key, value] : std::get<ConfigValue::Table>(network.data())) {
    if (key == "connectivity") value = ConfigValue(std::string("triangular"));
  }
  return Network::read(network);
}

WeightSet initial_weights(const Network& network) {
  WeightSet weights(network, network.groups());
  for (int group = 1; group <= network.groups(); ++group) {
    for (const ParameterKey& key : network.parameters(group)) {
      const Layer& layer = *network.nodes()[static_cast<std::size_t>(key.node)].layer;
      initialise(key.spec, layer.kind(), network.parameter_name(key), 1, weights.values(key));
    }
  }
  return weights;
}

Model random_model(const Network& network, const ModelOptions& options) {
  return internal::make_model(std::make_shared<internal::ModelState>(
      network.first_groups(network.groups()), ModelInfo{}, initial_weights(network), options));
}

std::vector<float> random_images(const Network& network, int count) {
  std::mt19937 random(1);
  std::uniform_real_distribution<float> uniform(0.0F, 1.0F);
  std::vector<float> images(static_cast<std::size_t>(count * network.input_elements()));
  for (float& value : images) value = uniform(random);
  return images;
}

}  // namespace bellows::bench
