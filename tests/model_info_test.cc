#include "engine/model_info.h"

#include <gmock/gmock.h>

#include "tests/data_fixtures.h"
#include "tests/grouped_networks.h"

namespace bellows {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

// Two channels, three classes, two groups.
Network network() {
  return Network::read(config::network({2, 2, 2}, 3, 2, "triangular", "additive",
                                       {config::conv("conv", {1, 1}, 1, 0)}));
}

ModelInfo fitting_info() {
  ModelInfo info;
  info.classes = {"a", "b", "c"};
  info.mean = {0.1, 0.2};
  info.stddev = {1, 2};
  info.validation_accuracy = {0.5, 0.75};
  info.test_accuracy = {0.25, 0.5};
  return info;
}

TEST(ModelInfo, FitsANetworkWithOneEntryEachOrNone) {
  EXPECT_NO_THROW(fitting_info().check(network()));
  EXPECT_NO_THROW(ModelInfo().check(network()));
}

TEST(ModelInfo, NamesTheKeyWhoseEntriesDoNotFit) {
  const auto expect = [](const char* key, void (*change)(ModelInfo&)) {
    ModelInfo info = fitting_info();
    change(info);
    expect_error(ErrorCode::kInvalidArgument, {key}, [&] { info.check(network()); });
  };
  expect("'classes' has 2 entries, it needs 3", [](ModelInfo& info) { info.classes.pop_back(); });
  expect("'normalisation.mean' has 1", [](ModelInfo& info) { info.mean.pop_back(); });
  expect("'normalisation.stddev' has 3", [](ModelInfo& info) { info.stddev.push_back(1); });
  expect("give both or none", [](ModelInfo& info) { info.mean.clear(); });
  expect("'accuracy.validation' has 1",
         [](ModelInfo& info) { info.validation_accuracy.pop_back(); });
  expect("'accuracy.test' has 3", [](ModelInfo& info) { info.test_accuracy.push_back(1); });
}

TEST(ModelInfo, RefusesANormalisationThatMakesValuesOfAnImageInfinite) {
  const auto refused = [](double mean, double stddev) {
    ModelInfo info = fitting_info();
    info.mean[1] = mean;
    info.stddev[1] = stddev;
    expect_error(ErrorCode::kInvalidArgument,
                 {"'normalisation' makes values of 0..1 infinite", "channel 2"},
                 [&] { info.check(network()); });
  };
  constexpr double kLeast = std::numeric_limits<float>::min();
  refused(-10, kLeast);  // at both ends of 0..1
  refused(10, kLeast);
  refused(4, kLeast);
  refused(-3, kLeast);  // at 1 alone: 4 / 1.2e-38
  ModelInfo info = fitting_info();
  info.mean[1] = 0;
  info.stddev[1] = kLeast;
  EXPECT_NO_THROW(info.check(network()));
}

TEST(ModelInfo, ForgetsWhatIsKnownOfWiderWidths) {
  ModelInfo info = fitting_info();
  info.test_accuracy.clear();
  info.cut_to(1);
  EXPECT_THAT(info.validation_accuracy, ElementsAre(0.5));
  EXPECT_THAT(info.test_accuracy, IsEmpty());
  EXPECT_EQ(info.classes, fitting_info().classes);
}

TEST(ModelInfo, FindsWhatElseWasRecordedByItsKey) {
  ModelInfo info;
  info.extra = {{"a", "1"}, {"b", "2"}};
  ASSERT_NE(info.find_extra("b"), nullptr);
  EXPECT_EQ(*info.find_extra("b"), "2");
  EXPECT_EQ(info.find_extra("c"), nullptr);
}

}  // namespace
}  // namespace bellows
