// A small search for the tests: drawn digits, a space of a few small networks, and costs that are
// counted and not measured, so that everything is the same every time.
#pragma once

#include <string>

#include "engine/model_file.h"
#include "training/search/search.h"
#include "training/toml_reader.h"

namespace bellows {

inline const char* const kSmallSearch = R"(name = "small"
[network]
input = [1, 28, 28]
classes = 10
[space]
groups = [1, 2]
connectivity = ["triangular", "grouped"]
shares = [1.0, 2.0]
multiple = 4
[space.stem]
kernels = [3, 5]
channels = [4, 8]
strides = [2]
[[space.stages]]
blocks = [0, 1, 2]
operations = ["conv3", "sep3", "identity"]
channels = [4, 8]
shortcuts = ["none", "residual"]
pools = ["max2", "stride2"]
[reference]
error = 0.95
latency_us = 100000
energy_uj = 100000
[search]
evaluations = 8
random_first = 4
[data]
format = "digits"
validation = 0.25
[data.digits]
train_images = 160
test_images = 10
[training]
epochs = [2]
batch_size = 32
threads = 1
[training.optimiser]
learning_rate = 0.05
)";

inline SearchConfig small_search(const std::string& changes = "") {
  return read_search_config(parse_toml(kSmallSearch + changes, "small.toml"));
}

/// A microsecond for a thousand multiply-accumulates, a microjoule for a hundred parameters.
inline std::vector<WidthCost> counted_costs(const std::filesystem::path& path) {
  const ModelFile file = load_model(path);
  std::vector<WidthCost> costs;
  double macs = 0;
  double parameters = 0;
  for (int group = 1; group <= file.network.groups(); ++group) {
    macs += static_cast<double>(file.network.macs(group));
    parameters += static_cast<double>(file.network.parameter_count(group));
    costs.push_back({.latency_us = macs / 1000,
                     .energy_uj = parameters / 100,
                     .memory_bytes = static_cast<std::int64_t>(4 * parameters)});
  }
  return costs;
}

/// The head of a log that a test writes itself.
inline SearchHeader search_header() {
  return {.name = "test",
          .method = "random",
          .config = "{}",
          .data_set = "digits",
          .training_images = 90,
          .validation_images = 10,
          .measured_on = "nothing",
          .energy_source = "nothing",
          .reference_error = 1,
          .reference_latency_us = 1000,
          .reference_energy_uj = 1000,
          .date = "today",
          .command = "bellows",
          .bellows = "0"};
}

inline TrainingData images_of(const SearchConfig& config) {
  TrainingData data = load_training_data(config.data, "");
  data.test.reset();
  return data;
}

inline SearchRunOptions options_in(const std::filesystem::path& folder, int evaluations) {
  SearchRunOptions options;
  options.folder = folder;
  options.evaluations = evaluations;
  options.measure = counted_costs;
  options.header.measured_on = "counted";
  options.header.energy_source = "counted";
  return options;
}

}  // namespace bellows
