// Runs the C99 program beside this file (c_interface.c), which links the shared library, on models
// of several kinds.
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <string>

#include "engine/model_file.h"
#include "engine/model_state.h"
#include "engine/policy_data.h"
#include "engine/profile_data.h"
#include "tests/fuzz/samples.h"
#include "tests/grouped_networks.h"

namespace bellows {
namespace {

class CInterface : public ::testing::TestWithParam<const char*> {
 protected:
  static std::string saved(const std::filesystem::path& folder, const std::string& network) {
    for (const NamedNetwork& named : property_networks()) {
      if (named.name != network) continue;
      const auto path = folder / (network + ".safetensors");
      save_model(path, named.network, random_weights(named.network, 3, 1), ModelInfo{});
      return path.string();
    }
    throw std::logic_error("no such network: " + network);
  }

  // Of a model, as if measured on another device.
  static std::string profiled(const std::filesystem::path& folder, const std::string& path) {
    const Model model = Model::load(path);
    internal::ProfileData profile{
        .model_file = "model.safetensors",
        .group_sha256 = internal::state_of(model)->group_sha256,
        .device = {.processor = "abacus", .isa = "none", .cores = 1, .onednn = "0"},
        .energy_source = "modelled: operations (some)"};
    for (int width = 1; width <= model.groups(); ++width) {
      profile.points.push_back({.width = width,
                                .threads = 1,
                                .validation_accuracy = 0.5 + 0.1 * width,
                                .latency_us = {.p50 = 1e6 * width,
                                               .p95 = 1e6 * width,
                                               .p99 = 1e6 * width,
                                               .mean = 1e6 * width,
                                               .runs = 100},
                                .energy_uj = 3.0 * width});
    }
    const auto file = folder / "profile.json";
    internal::write_profile(file, profile);
    return file.string();
  }

  // Every width, a policy that always stops at once, and that and the widest in turns.
  static std::string tuned(const std::filesystem::path& folder, const std::string& path) {
    const Model model = Model::load(path);
    const auto groups = static_cast<std::size_t>(model.groups());
    internal::PolicyData data{.group_sha256 = internal::state_of(model)->group_sha256,
                              .width_costs = std::vector<double>(groups, 1)};
    for (int width = 1; width <= model.groups(); ++width) {
      std::vector<double> stopped(groups);
      stopped[static_cast<std::size_t>(width - 1)] = 1;
      data.points.push_back({.kind = "width", .width = width, .tuning = {0.9, 3, stopped}});
    }
    data.points.push_back({.kind = "thresholds",
                           .thresholds = std::vector<double>(groups - 1),
                           .tuning = {0.95, 1, {1.0}}});
    data.points.push_back({.kind = "mixture",
                           .parts = {model.groups(), model.groups() + 1},
                           .shares = {0.5, 0.5},
                           .tuning = {0.92, 2, {1.0}}});
    const auto file = folder / "policies.json";
    internal::write_policies(file, data);
    return file.string();
  }
};

TEST_P(CInterface, DoesWhatItsHeaderSays) {
  const std::filesystem::path folder =
      std::filesystem::path(::testing::TempDir()) / (std::string("c_interface_") + GetParam());
  std::filesystem::create_directories(folder);
  const std::string model = saved(folder, GetParam());
  // The same model in generation 7, and its first group.
  const std::string wide = folder / "signed.safetensors";
  const std::string narrow = folder / "signed_narrow.safetensors";
  trim_model(model, 1, narrow);
  sign_model(narrow, fuzz::kSampleSecretKey, 7);
  sign_model(model, fuzz::kSampleSecretKey, 7, wide);
  std::string command = std::string("'") + BELLOWS_C_INTERFACE + "'";
  for (const std::string& argument :
       {model, saved(folder, "linear_first_grouped_additive"), profiled(folder, model),
        folder.string(), tuned(folder, model), wide, narrow, fuzz::kSamplePublicKey}) {
    command += " '" + argument + "'";
  }
  EXPECT_EQ(std::system(command.c_str()), 0);
  std::filesystem::remove_all(folder);
}

INSTANTIATE_TEST_SUITE_P(Models, CInterface,
                         ::testing::Values("conv_triangular_per_width",
                                           "conv_depthwise_grouped_additive",
                                           "residual_projected_triangular_additive"),
                         [](const auto& param_info) { return std::string(param_info.param); });

}  // namespace
}  // namespace bellows
