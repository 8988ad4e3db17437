#include "tests/fuzz/samples.h"

#include "engine/model_file.h"
#include "engine/model_state.h"

namespace bellows::fuzz {
namespace {

std::vector<std::string> hashes() {
  return internal::state_of(Model::load(kSampleModel))->group_sha256;
}

// Two units, which look at two probabilities, three confidences; stops now and then.
Selector sample_selector() {
  return {.alpha = 0.1,
          .widths = {{.hidden_weight = {1, -1, 0.5, 0.25, 2, -1, 1, 0.5, 0.25, 2},
                      .hidden_bias = {0.1F, 0},
                      .weight = {1, -2},
                      .bias = 0.05F}}};
}

}  // namespace

void write_sample_with_selector(const std::filesystem::path& path) {
  ModelFile file = load_model(kSampleModel);
  file.info.selectors = {sample_selector()};
  save_model(path, file.network, file.weights, file.info);
}

internal::ProfileData sample_profile() {
  internal::ProfileData data{.model_file = "tiny.safetensors",
                             .model_name = "tiny",
                             .group_sha256 = hashes(),
                             .device = this_device(),
                             .energy_source = "modelled: operations",
                             .idle_power_w = 0.5,
                             .data_name = "dots",
                             .validation_images = 100,
                             .date = "2026-01-01T00:00:00Z",
                             .command = "bellows profile",
                             .bellows = version(),
                             .warm_up_runs = 16,
                             .outlier_rule = "none"};
  for (int width = 1; width <= 2; ++width) {
    data.points.push_back({.width = width,
                           .validation_accuracy = 0.5 + 0.1 * width,
                           .latency_us = {.p50 = 10.0 * width,
                                          .p95 = 11.0 * width,
                                          .p99 = 12.5 * width,
                                          .mean = 10.5 * width,
                                          .runs = 100},
                           .energy_uj = 3.0 * width,
                           .macs = 1000});
  }
  return data;
}

internal::PolicyData sample_policies() {
  internal::PolicyData data{.model_file = "tiny.safetensors",
                            .model_name = "tiny",
                            .group_sha256 = hashes(),
                            .data_name = "dots",
                            .tuning_images = 100,
                            .cost_source = "multiply-accumulates",
                            .width_costs = {10, 30},
                            .date = "2026-01-01T00:00:00Z",
                            .command = "bellows tune",
                            .bellows = version()};
  data.points = {
      {.kind = "width", .found_by = "width", .width = 1, .tuning = {0.7, 10, {1.0}}},
      {.kind = "width", .found_by = "width", .width = 2, .tuning = {0.9, 30, {0.0, 1.0}}},
      {.kind = "thresholds",
       .found_by = "sweep",
       .confidence = "margin",
       .thresholds = {0.4},
       .temperatures = {1.5},
       .tuning = {0.88, 18, {0.6, 0.4}}},
      {.kind = "selector", .found_by = "selector", .selector = 1, .tuning = {0.87, 20, {0.5, 0.5}}},
      {.kind = "mixture",
       .found_by = "mixture of policies",
       .parts = {1, 4},
       .shares = {0.5, 0.5},
       .tuning = {0.79, 14, {0.8, 0.2}}}};
  data.selectors = {
      {.number = 1, .sha256 = internal::selector_sha256(sample_selector()), .alpha = 0.1}};
  data.calibration = {{.width = 1, .temperature = 1.5, .counts = {1, 2}}};
  return data;
}

}  // namespace bellows::fuzz
