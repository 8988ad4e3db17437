// Runs the C99 program beside this file (c_interface.c), which links the shared library, on models
// of several kinds.
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <string>

#include "engine/model_file.h"
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
};

TEST_P(CInterface, DoesWhatItsHeaderSays) {
  const std::filesystem::path folder =
      std::filesystem::path(::testing::TempDir()) / (std::string("c_interface_") + GetParam());
  std::filesystem::create_directories(folder);
  const std::string command =
      std::string("'") + BELLOWS_C_INTERFACE + "' '" + saved(folder, GetParam()) + "' '" +
      saved(folder, "linear_first_grouped_additive") + "' '" + folder.string() + "'";
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
