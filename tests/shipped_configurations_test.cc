// oneDNN falls back to reference code, about a thousand times slower, for shapes it does not like.
// No network that is shipped may contain such a primitive, running or learning.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <string>
#include <vector>

#include "engine/plan.h"
#include "engine/threads.h"
#include "tests/shipped_runs.h"
#include "training/learning_plan_onednn.h"
#include "training/run_config.h"
#include "training/search/search_config.h"

namespace bellows {
namespace {

using ::testing::IsEmpty;

std::string name_of(const ::testing::TestParamInfo<std::filesystem::path>& info) {
  std::string name =
      info.param.parent_path().filename().string() + "_" + info.param.stem().string();
  std::replace(name.begin(), name.end(), '-', '_');
  return name;
}

class ShippedConfiguration : public ::testing::TestWithParam<std::filesystem::path> {
 protected:
  [[nodiscard]] const Network& network() const { return run_.network; }

 private:
  RunConfig run_ = read_run_config(GetParam());
};

TEST_P(ShippedConfiguration, RunsWithoutReferenceCode) {
  const WeightSet weights(network(), network().groups());
  for (const int threads : {1, 2}) {
    const ThreadCount thread_count(threads);
    // As a model packs them: once for a single image, shared by the other batch sizes.
    PackedWeights packed;
    for (const int batch : {1, 64}) {
      const Plan plan =
          build_plan(network(), &weights, packed, {.batch = batch, .groups = network().groups()});
      EXPECT_THAT(plan.reference_steps(), IsEmpty())
          << "batch " << batch << ", threads " << threads;
    }
  }
}

TEST_P(ShippedConfiguration, LearnsWithoutReferenceCode) {
  WeightSet weights(network(), network().groups());
  WeightSet gradients(network(), network().groups());
  for (int group = 1; group <= network().groups(); ++group) {
    const LearningPlan plan(network(), weights, gradients,
                            {.trainable = {group, group}, .batch = 32, .threads = 2});
    EXPECT_THAT(plan.reference_steps(), IsEmpty()) << "group " << group;
  }
}

// Some networks of every space that is shipped.
TEST(ShippedSearches, HaveNetworksWithoutReferenceCode) {
  for (const auto& file : shipped_searches()) {
    const SearchConfig config = read_search_config(file);
    const ArchitectureSpace space(config.task, config.space);
    const SearchDomain domain = search_domain(config, space);
    data::KeyedRandom random(1);
    for (int i = 0; i < 6; ++i) {
      const SearchPoint point = domain.random(random);
      SCOPED_TRACE(file.string() + ": " + space.text(point));
      const Network network = Network::read(space.describe(point));
      WeightSet weights(network, network.groups());
      WeightSet gradients(network, network.groups());
      PackedWeights packed;
      EXPECT_THAT(build_plan(network, &weights, packed, {.batch = 1, .groups = network.groups()})
                      .reference_steps(),
                  IsEmpty());
      for (int group = 1; group <= network.groups(); ++group) {
        const LearningPlan plan(network, weights, gradients,
                                {.trainable = {group, group}, .batch = 16, .threads = 1});
        EXPECT_THAT(plan.reference_steps(), IsEmpty()) << "group " << group;
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(All, ShippedConfiguration, ::testing::ValuesIn(shipped_runs()), name_of);

}  // namespace
}  // namespace bellows
