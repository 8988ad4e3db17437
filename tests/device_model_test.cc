#include "engine/device_model.h"

#include <bellows/error.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/grouped_networks.h"
#include "tests/refusal.h"

namespace bellows {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

PublishedNumber number(double value) { return {.value = value, .source = "made up"}; }

// 2 pJ a multiply-accumulate; bytes of 1, 10 and 100 pJ from memories of 1000, 5000 and any bytes.
DeviceModel device() {
  return {
      .name = "toy",
      .f32_mac_pj = number(2),
      .memories = {{"near", 1000, number(1)}, {"far", 5000, number(10)}, {"out", 0, number(100)}},
      .static_power_w = number(0)};
}

// Two steps of two groups, small enough to be added up by hand.
std::vector<StepCounts> steps() {
  return {{.layer = "first",
           .groups = {{.macs = 3000, .weight_bytes = 400, .read_bytes = 300, .written_bytes = 200},
                      {.macs = 7000, .weight_bytes = 500, .read_bytes = 600, .written_bytes = 250}},
           .held_bytes = {500, 1000}},
          {.layer = "second",
           .groups = {{.macs = 1000, .weight_bytes = 600, .read_bytes = 900, .written_bytes = 100},
                      {.macs = 2000, .weight_bytes = 700, .read_bytes = 800, .written_bytes = 50}},
           .held_bytes = {1001, 5001}}};
}

std::string refusal(const DeviceModel& refused, ValueType type = ValueType::kF32) {
  return bellows::refusal(
      [&] { static_cast<void>(modelled_energy(refused, steps(), 1, {}, type)); });
}

TEST(DeviceModel, MemoriesAreTakenBySizeAndTheLastHoldsAnything) {
  const DeviceModel toy = device();
  EXPECT_EQ(memory_for(toy, 0).name, "near");
  EXPECT_EQ(memory_for(toy, 1000).name, "near");
  EXPECT_EQ(memory_for(toy, 1001).name, "far");
  EXPECT_EQ(memory_for(toy, 5001).name, "out");
  EXPECT_EQ(memory_for(toy, std::int64_t{1} << 60).name, "out");
}

TEST(DeviceModel, EnergyIsOperationsAndBytesFromWhereTheyFit) {
  const ModelledEnergy narrow = modelled_energy(device(), steps(), 1);
  EXPECT_DOUBLE_EQ(narrow.mac_uj, 4000 * 2e-6);
  EXPECT_DOUBLE_EQ(narrow.weight_uj, 1000 * 1e-6);  // 400 + 600 bytes just fit into the nearest
  EXPECT_DOUBLE_EQ(narrow.activation_uj, 500 * 1e-6 + 1000 * 10e-6);
  EXPECT_EQ(narrow.static_uj, 0);
  EXPECT_EQ(narrow.time_us, 0);
  EXPECT_DOUBLE_EQ(narrow.total_uj(), 8e-3 + 1e-3 + 10.5e-3);

  const ModelledEnergy wide = modelled_energy(device(), steps(), 2);
  EXPECT_DOUBLE_EQ(wide.mac_uj, 13000 * 2e-6);
  EXPECT_DOUBLE_EQ(wide.weight_uj, 2200 * 10e-6);
  EXPECT_DOUBLE_EQ(wide.activation_uj, 1350 * 1e-6 + 1850 * 100e-6);
}

TEST(DeviceModel, BytesOfInt8AreAQuarter) {
  DeviceModel toy = device();
  EXPECT_THAT(refusal(toy, ValueType::kInt8), AllOf(HasSubstr("toy"), HasSubstr("int8_mac_pj")));
  toy.int8_mac_pj = number(0.5);
  const ModelledEnergy energy = modelled_energy(toy, steps(), 2, {}, ValueType::kInt8);
  EXPECT_DOUBLE_EQ(energy.mac_uj, 13000 * 0.5e-6);
  EXPECT_DOUBLE_EQ(energy.weight_uj, 550 * 1e-6);
  EXPECT_DOUBLE_EQ(energy.activation_uj, 337 * 1e-6 + 462 * 10e-6);
}

TEST(DeviceModel, StaticPowerTakesAMeasuredTimeOrThatOfItsPeak) {
  DeviceModel toy = device();
  toy.static_power_w = number(3);
  EXPECT_THAT(refusal(toy), AllOf(HasSubstr("toy"), HasSubstr("clock_hz")));
  EXPECT_DOUBLE_EQ(modelled_energy(toy, steps(), 1, 2e-6).static_uj, 6);
  toy.macs_per_cycle = number(4);
  toy.clock_hz = number(1e8);
  EXPECT_DOUBLE_EQ(*peak_seconds(toy, 4000), 1e-5);
  EXPECT_DOUBLE_EQ(modelled_energy(toy, steps(), 1).static_uj, 30);
  EXPECT_DOUBLE_EQ(modelled_energy(toy, steps(), 1, 2e-6).static_uj, 6);
  EXPECT_DOUBLE_EQ(modelled_energy(toy, steps(), 1, 2e-6).time_us, 2);
  toy.modelled_time = true;
  EXPECT_DOUBLE_EQ(modelled_energy(toy, steps(), 1, 2e-6).static_uj, 30);
}

Network small_network() {
  return Network::read(config::network({1, 8, 8}, 3, 2, "triangular", "additive",
                                       {config::conv("conv1", {4, 4}, 3, 1)}));
}

TEST(DeviceModel, ItsMeterAddsUpTheImagesItIsToldOf) {
  DeviceModel toy = device();
  toy.static_power_w = number(3);
  const auto counts = count_operations(small_network());
  const auto meter = make_modelled_meter(toy, small_network());
  EXPECT_EQ(meter->kind(), MeterKind::kModel);
  EXPECT_EQ(meter->source(), "modelled: operations (toy)");
  EXPECT_EQ(meter->joules(), 0);
  meter->image_done(1, 1e-3);
  meter->image_done(2, 5e-3);
  meter->image_done(2, 7e-3);
  EXPECT_DOUBLE_EQ(meter->joules(), 1e-6 * (modelled_energy(toy, counts, 1, 1e-3).total_uj() +
                                            modelled_energy(toy, counts, 2, 5e-3).total_uj() +
                                            modelled_energy(toy, counts, 2, 7e-3).total_uj()));
  EXPECT_EQ(meter->declared_idle_power_w(), 3);
  EXPECT_EQ(idle_power_w(
                *meter, 1, [] { return 0.0; }, [](double) {}),
            3);
}

TEST(DeviceModel, ItsMeterKeepsToAModelledTime) {
  DeviceModel toy = device();
  toy.static_power_w = number(3);
  toy.macs_per_cycle = number(1);
  toy.clock_hz = number(1e6);
  toy.modelled_time = true;
  const auto meter = make_modelled_meter(toy, small_network());
  meter->image_done(1, 1e3);
  const auto energy = modelled_energy(toy, count_operations(small_network()), 1);
  EXPECT_DOUBLE_EQ(meter->joules(), energy.total_uj() * 1e-6);
}

TEST(DeviceModel, StandsBehindEveryMeterThatMeasures) {
  const auto nothing = std::make_shared<Sysfs>("nowhere");
  for (const char* name : {"auto", "model"}) {
    const auto meter =
        choose_energy_meter(name, nothing, {}, make_modelled_meter(device(), small_network()));
    EXPECT_EQ(meter->source(), "modelled: operations (toy)");
  }
}

}  // namespace
}  // namespace bellows
