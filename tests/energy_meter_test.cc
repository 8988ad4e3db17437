#include "engine/energy_meter.h"

#include <bellows/error.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/sysfs_trees.h"

namespace bellows {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

// What happens to a tree while a fake clock goes on.
class Meters : public ::testing::Test {
 protected:
  [[nodiscard]] std::shared_ptr<const Sysfs> sysfs() const {
    return std::make_shared<Sysfs>(tree_.root());
  }
  [[nodiscard]] MeterOptions options(std::vector<std::string> rails = {}) {
    return {.rails = std::move(rails), .clock = [this] { return time_s_; }};
  }
  [[nodiscard]] std::unique_ptr<EnergyMeter> choose(const std::string& name,
                                                    std::vector<std::string> rails = {}) {
    return choose_energy_meter(name, sysfs(), options(std::move(rails)));
  }
  std::string refusal(const std::string& name, std::vector<std::string> rails = {}) {
    try {
      static_cast<void>(choose(name, std::move(rails)));
    } catch (const Error& error) {
      return error.what();
    }
    ADD_FAILURE() << "nothing was thrown";
    return "";
  }
  // The message of a reading that must fail.
  static std::string failure(EnergyMeter& meter) {
    try {
      static_cast<void>(meter.joules());
    } catch (const Error& error) {
      return error.what();
    }
    ADD_FAILURE() << "nothing was thrown";
    return "";
  }

  void write_zone(const std::string& zone, const std::string& name, long long energy_uj) {
    const std::string folder = "class/powercap/" + zone + "/";
    tree_.write(folder + "name", name);
    tree_.write(folder + "energy_uj", energy_uj);
    tree_.write(folder + "max_energy_range_uj", 262143328850);
  }
  void set_energy(const std::string& zone, long long energy_uj) {
    tree_.write("class/powercap/" + zone + "/energy_uj", energy_uj);
  }
  // A desktop: cores and graphics are parts of the package, psys holds all, and some kernels show
  // the package once more.
  void intel_desktop() {
    tree_.write("class/powercap/intel-rapl/enabled", 1);
    write_zone("intel-rapl:0", "package-0", 1000000);
    write_zone("intel-rapl:0:0", "core", 500000);
    write_zone("intel-rapl:0:1", "uncore", 100000);
    write_zone("intel-rapl:0:2", "dram", 2000000);
    write_zone("intel-rapl:1", "psys", 9000000);
    write_zone("intel-rapl-mmio:0", "package-0", 1000000);
  }

  void write_chip(int number, const std::string& name) {
    tree_.write("class/hwmon/hwmon" + std::to_string(number) + "/name", name);
  }
  void write_sensor(int number, const std::string& file, const std::string& value) {
    tree_.write("class/hwmon/hwmon" + std::to_string(number) + "/" + file, value);
  }
  void write_channel(int number, int channel, const std::string& label, long long millivolts,
                     long long milliamperes) {
    const std::string in = "in" + std::to_string(channel);
    write_sensor(number, in + "_label", label);
    write_sensor(number, in + "_input", std::to_string(millivolts));
    write_sensor(number, "curr" + std::to_string(channel) + "_input", std::to_string(milliamperes));
  }
  // An Orin NX: one INA3221 whose first channel feeds the module.
  void jetson_orin_nx() {
    write_chip(0, "tmp451");
    write_sensor(0, "temp1_input", "43000");
    write_chip(1, "ina3221");
    write_channel(1, 1, "VDD_IN", 5000, 1200);
    write_channel(1, 2, "VDD_CPU_GPU_CV", 5000, 400);
    write_channel(1, 3, "VDD_SOC", 5000, 300);
    write_channel(1, 7, "sum of shunt voltages", 100, 0);
    write_channel(1, 4, "", 3, 1900);
  }
  // An AGX Orin: two of them, no rail that holds the others, and a channel that is not connected.
  void jetson_agx_orin() {
    write_chip(0, "ina3221");
    write_channel(0, 1, "VDD_GPU_SOC", 20000, 100);
    write_channel(0, 2, "VDD_CPU_CV", 20000, 50);
    write_channel(0, 3, "VIN_SYS_5V0", 5000, 600);
    write_chip(1, "ina3221");
    write_channel(1, 1, "NC", 5000, 1000);
    write_channel(1, 2, "VDDQ_VDD2_1V8AO", 5000, 100);
    write_channel(1, 3, "NC", 5000, 1000);
    write_sensor(1, "in3_enable", "0");
  }

  void laptop(const std::string& status) {
    tree_.write("class/power_supply/AC/type", "Mains");
    tree_.write("class/power_supply/AC/online", 0);
    tree_.write("class/power_supply/hidpp_battery_0/type", "Battery");
    tree_.write("class/power_supply/hidpp_battery_0/scope", "Device");
    tree_.write("class/power_supply/hidpp_battery_0/status", "Discharging");
    tree_.write("class/power_supply/BAT0/type", "Battery");
    tree_.write("class/power_supply/BAT0/status", status);
    tree_.write("class/power_supply/BAT0/energy_now", 41230000);
    tree_.write("class/power_supply/BAT0/voltage_now", 12000000);
    tree_.write("class/power_supply/BAT0/power_now", 8000000);
  }

  SysfsTree tree_;
  double time_s_ = 100;
};

// ---- RAPL ----

TEST_F(Meters, RaplCountsPackagesAndMemoryAndNothingTwice) {
  intel_desktop();
  const auto meter = choose("rapl");
  EXPECT_EQ(meter->kind(), MeterKind::kRapl);
  EXPECT_EQ(meter->source(), "measured: rapl (package-0, dram-0)");
  EXPECT_EQ(meter->joules(), 0);
  for (const char* zone : {"intel-rapl:0:0", "intel-rapl:0:1", "intel-rapl:1"}) {
    set_energy(zone, 50000000);
  }
  set_energy("intel-rapl:0", 4000000);
  set_energy("intel-rapl:0:2", 2500000);
  EXPECT_DOUBLE_EQ(meter->joules(), 3.5);
}

TEST_F(Meters, RaplTellsCoresApartFromTheirPackage) {
  intel_desktop();
  const auto meter = choose("rapl");
  set_energy("intel-rapl:0", 4000000);
  set_energy("intel-rapl:0:0", 2500000);
  const std::vector<EnergyPart> parts = meter->parts();
  ASSERT_EQ(parts.size(), 4U);
  EXPECT_EQ(parts[0].name, "package-0");
  EXPECT_DOUBLE_EQ(parts[0].joules, 3);
  EXPECT_TRUE(parts[0].counted);
  EXPECT_EQ(parts[1].name, "core-0");
  EXPECT_DOUBLE_EQ(parts[1].joules, 2);
  EXPECT_FALSE(parts[1].counted);
  EXPECT_EQ(parts[2].name, "uncore-0");
  EXPECT_EQ(parts[3].name, "dram-0");
  EXPECT_TRUE(parts[3].counted);
  EXPECT_DOUBLE_EQ(meter->joules(), 3);
}

TEST_F(Meters, RaplAddsTheSocketsOfAServer) {
  write_zone("intel-rapl:0", "package-0", 0);
  write_zone("intel-rapl:1", "package-1", 0);
  write_zone("intel-rapl:1:0", "dram", 0);
  const auto meter = choose("rapl");
  EXPECT_EQ(meter->source(), "measured: rapl (package-0, package-1, dram-1)");
  set_energy("intel-rapl:0", 1000000);
  set_energy("intel-rapl:1", 2000000);
  set_energy("intel-rapl:1:0", 4000000);
  EXPECT_DOUBLE_EQ(meter->joules(), 7);
}

// AMD's driver shows the same tree, with one package and its cores.
TEST_F(Meters, RaplReadsTheTreeOfAnAmdProcessor) {
  write_zone("intel-rapl:0", "package-0", 65532000000);
  write_zone("intel-rapl:0:0", "core", 1000);
  tree_.write("class/powercap/intel-rapl:0/max_energy_range_uj", 65532610987);
  const auto meter = choose("auto");
  EXPECT_EQ(meter->source(), "measured: rapl (package-0)");
  set_energy("intel-rapl:0", 65532500000);
  EXPECT_DOUBLE_EQ(meter->joules(), 0.5);
  EXPECT_NEAR(meter->longest_pause_s(), 65.5, 0.1);
}

TEST_F(Meters, RaplFollowsEveryWrapAround) {
  write_zone("intel-rapl:0", "package-0", 262143000000);
  const auto meter = choose("rapl");
  set_energy("intel-rapl:0", 671150);
  EXPECT_NEAR(meter->joules(), 1.0, 1e-9);  // 0.32885 to the end of the range, 0.67115 behind it
  set_energy("intel-rapl:0", 262143328850);
  set_energy("intel-rapl:0", 262143000000);
  const double before = meter->joules();
  EXPECT_NEAR(before, 1.0 + (262143000000 - 671150) * 1e-6, 1e-6);
  set_energy("intel-rapl:0", 0);
  EXPECT_NEAR(meter->joules() - before, 0.32885, 1e-6);
}

TEST_F(Meters, RaplThatIsClosedSaysHowToOpenIt) {
  intel_desktop();
  const auto closed = std::make_shared<ClosedSysfs>(tree_.root(), "energy_uj");
  const auto meters = find_energy_meters(closed, options());
  ASSERT_EQ(meters[0].kind, MeterKind::kRapl);
  EXPECT_EQ(meters[0].meter, nullptr);
  EXPECT_THAT(meters[0].problem, AllOf(HasSubstr("Permission denied"), HasSubstr("CVE-2020-8694"),
                                       HasSubstr("chmod a+r"), Not(HasSubstr("\n"))));
}

TEST_F(Meters, RaplNeverTellsAFigureOfANonsensicalCounter) {
  write_zone("intel-rapl:0", "package-0", 1000000);
  const auto meter = choose("rapl");
  for (const char* nonsense : {"", "lots", "-5", "262143328851", "1e6"}) {
    tree_.write("class/powercap/intel-rapl:0/energy_uj", nonsense);
    EXPECT_THAT(failure(*meter), HasSubstr("intel-rapl:0/energy_uj")) << nonsense;
  }
  // Counters go on while nobody can read them.
  set_energy("intel-rapl:0", 3000000);
  EXPECT_DOUBLE_EQ(meter->joules(), 2);
  tree_.remove("class/powercap/intel-rapl:0");
  EXPECT_THAT(failure(*meter), HasSubstr("No such file"));
}

TEST_F(Meters, RaplWithoutARangeIsRefused) {
  write_zone("intel-rapl:0", "package-0", 0);
  tree_.write("class/powercap/intel-rapl:0/max_energy_range_uj", 0);
  EXPECT_THAT(refusal("rapl"), HasSubstr("max_energy_range_uj"));
  tree_.remove("class/powercap/intel-rapl:0/max_energy_range_uj");
  EXPECT_THAT(refusal("rapl"), HasSubstr("max_energy_range_uj"));
}

// ---- sensors ----

TEST_F(Meters, SensorsOfABoardAreReadAtTheRailThatFeedsIt) {
  jetson_orin_nx();
  const auto meter = choose("auto");
  EXPECT_EQ(meter->kind(), MeterKind::kHwmon);
  EXPECT_EQ(meter->source(), "measured: hwmon (VDD_IN)");
  time_s_ += 2;
  EXPECT_DOUBLE_EQ(meter->joules(), 12);  // 5 V x 1.2 A for two seconds
}

TEST_F(Meters, SensorsOfABoardWithoutSuchARailAreSummed) {
  jetson_agx_orin();
  const auto meter = choose("hwmon");
  EXPECT_EQ(meter->source(),
            "measured: hwmon (VDD_GPU_SOC, VDD_CPU_CV, VIN_SYS_5V0, VDDQ_VDD2_1V8AO)");
  time_s_ += 1;
  EXPECT_DOUBLE_EQ(meter->joules(), 2 + 1 + 3 + 0.5);
}

TEST_F(Meters, SensorsThatTheCallerNamesAreTakenAndNoOthers) {
  jetson_agx_orin();
  write_chip(2, "amdgpu");
  write_sensor(2, "power1_average", "7000000");
  EXPECT_EQ(choose("hwmon", {"VDD_CPU_CV"})->source(), "measured: hwmon (VDD_CPU_CV)");
  const auto meter = choose("hwmon", {"VDD_CPU_CV", "hwmon2/power1_average"});
  EXPECT_EQ(meter->source(), "measured: hwmon (VDD_CPU_CV, hwmon2/power1)");
  time_s_ += 1;
  EXPECT_DOUBLE_EQ(meter->joules(), 8);
  EXPECT_THAT(refusal("hwmon", {"VDD_NONE"}),
              AllOf(HasSubstr("VDD_NONE"), HasSubstr("VIN_SYS_5V0")));
  write_channel(1, 1, "VDD_CPU_CV", 5000, 100);
  EXPECT_THAT(refusal("hwmon", {"VDD_CPU_CV"}),
              AllOf(HasSubstr("several"), HasSubstr("hwmon0/in2_input")));
  EXPECT_EQ(choose("hwmon", {"hwmon0/in2_input"})->source(), "measured: hwmon (VDD_CPU_CV)");
}

TEST_F(Meters, SensorsOfOtherThingsAreNoMeterOfTheBoard) {
  write_chip(0, "amdgpu");
  write_sensor(0, "power1_average", "7000000");
  write_chip(1, "BAT0");
  write_sensor(1, "power1_input", "7000000");
  EXPECT_THAT(refusal("hwmon"), HasSubstr("class/hwmon"));
}

TEST_F(Meters, PowerIsSummedByTrapezoids) {
  write_chip(0, "ina226");
  write_sensor(0, "power1_input", "2000000");
  write_sensor(0, "power1_average", "5000000");  // of the same sensor: not counted once more
  const auto meter = choose("hwmon");
  time_s_ += 0.5;
  write_sensor(0, "power1_input", "4000000");
  EXPECT_DOUBLE_EQ(meter->joules(), 1.5);
  time_s_ += 2;
  write_sensor(0, "power1_input", "1000000");
  EXPECT_DOUBLE_EQ(meter->joules(), 1.5 + 5);
  EXPECT_DOUBLE_EQ(meter->joules(), 6.5);  // no time, no energy
}

TEST_F(Meters, CountersOfAChipAreBelievedBeforeItsSensorsOfPower) {
  write_chip(0, "amd_energy");
  write_sensor(0, "energy1_label", "Ecore000");
  write_sensor(0, "energy1_input", "1000000");
  write_sensor(0, "energy2_label", "Esocket0");
  write_sensor(0, "energy2_input", "5000000");
  write_chip(1, "power_meter");
  write_sensor(1, "power1_average", "90000000");
  const auto meter = choose("hwmon");
  EXPECT_EQ(meter->source(), "measured: hwmon (Esocket0)");
  write_sensor(0, "energy2_input", "6500000");
  EXPECT_DOUBLE_EQ(meter->joules(), 1.5);
  write_sensor(0, "energy2_input", "6400000");
  EXPECT_THAT(failure(*meter), HasSubstr("counts backwards"));
}

TEST_F(Meters, TheMeterOfTheMachineIsNotSummedWithItsParts) {
  write_chip(0, "power_meter");
  write_sensor(0, "power1_average", "200000000");
  write_chip(1, "zenpower");
  write_sensor(1, "power1_input", "80000000");
  const auto meter = choose("hwmon");
  EXPECT_EQ(meter->source(), "measured: hwmon (hwmon0/power1)");
  time_s_ += 1;
  EXPECT_DOUBLE_EQ(meter->joules(), 200);
}

TEST_F(Meters, WhatFlowsBackThroughARailIsNoConsumption) {
  jetson_agx_orin();
  write_channel(0, 3, "VIN_SYS_5V0", 5000, -2500);
  const auto meter = choose("hwmon");
  time_s_ += 1;
  EXPECT_NEAR(meter->joules(), 20 * 0.1 + 20 * 0.05 + 5 * 0.1, 1e-9);
}

TEST_F(Meters, ASensorThatVanishedIsAnErrorForGood) {
  jetson_orin_nx();
  const auto meter = choose("hwmon");
  time_s_ += 1;
  tree_.remove("class/hwmon/hwmon1/curr1_input");
  EXPECT_THAT(failure(*meter), HasSubstr("curr1_input"));
  time_s_ += 1;
  write_sensor(1, "curr1_input", "1200");
  EXPECT_THAT(failure(*meter), HasSubstr("curr1_input"));
}

TEST_F(Meters, ASensorBeyondReasonIsAnError) {
  write_chip(0, "ina226");
  write_sensor(0, "power1_input", "2000000");
  for (const char* nonsense : {"-1", "999999999999999", "N/A"}) {
    write_sensor(0, "power1_input", "2000000");
    const auto meter = choose("hwmon");
    time_s_ += 1;
    write_sensor(0, "power1_input", nonsense);
    EXPECT_THAT(failure(*meter), HasSubstr("power1_input")) << nonsense;
  }
}

// ---- batteries ----

TEST_F(Meters, ABatteryThatDischargesTellsItsPower) {
  laptop("Discharging");
  const auto meter = choose("auto");
  EXPECT_EQ(meter->kind(), MeterKind::kBattery);
  EXPECT_EQ(meter->source(), "measured: battery (BAT0)");
  time_s_ += 10;
  EXPECT_DOUBLE_EQ(meter->joules(), 80);
}

TEST_F(Meters, ABatteryWithoutPowerTellsCurrentAndVoltage) {
  laptop("Discharging");
  tree_.remove("class/power_supply/BAT0/power_now");
  tree_.write("class/power_supply/BAT0/current_now", -500000);
  const auto meter = choose("battery");
  time_s_ += 10;
  EXPECT_NEAR(meter->joules(), 60, 1e-9);  // 12 V x 0.5 A
}

TEST_F(Meters, ABatteryThatChargesIsRefusedAtOnceAndLater) {
  laptop("Charging");
  EXPECT_THAT(refusal("battery"), AllOf(HasSubstr("BAT0"), HasSubstr("unplug")));
  laptop("Discharging");
  const auto meter = choose("battery");
  time_s_ += 10;
  laptop("Full");
  EXPECT_THAT(failure(*meter), HasSubstr("unplug"));
}

TEST_F(Meters, OfTwoBatteriesTheOneThatGivesIsRead) {
  laptop("Discharging");
  tree_.write("class/power_supply/BAT1/type", "Battery");
  tree_.write("class/power_supply/BAT1/status", "Not charging");
  tree_.write("class/power_supply/BAT1/power_now", 6000000);
  const auto meter = choose("battery");
  EXPECT_EQ(meter->source(), "measured: battery (BAT0, BAT1)");
  time_s_ += 10;
  EXPECT_DOUBLE_EQ(meter->joules(), 80);
  // And when it is empty, the other one.
  tree_.write("class/power_supply/BAT0/status", "Not charging");
  tree_.write("class/power_supply/BAT1/status", "Discharging");
  EXPECT_DOUBLE_EQ(meter->joules(), 80);
  time_s_ += 10;
  EXPECT_DOUBLE_EQ(meter->joules(), 80 + 60);
}

// ---- choosing ----

TEST_F(Meters, TheMostTrustedThatWorksIsTaken) {
  laptop("Discharging");
  EXPECT_EQ(choose("auto")->kind(), MeterKind::kBattery);
  jetson_orin_nx();
  EXPECT_EQ(choose("auto")->kind(), MeterKind::kHwmon);
  intel_desktop();
  EXPECT_EQ(choose("auto")->kind(), MeterKind::kRapl);
  EXPECT_EQ(choose("battery")->kind(), MeterKind::kBattery);
  const auto closed = std::make_shared<ClosedSysfs>(tree_.root(), "/energy_uj");
  EXPECT_EQ(choose_energy_meter("auto", closed, options())->kind(), MeterKind::kHwmon);
}

TEST_F(Meters, WhereNothingMeasuresEveryReasonIsTold) {
  EXPECT_THAT(refusal("auto"), AllOf(HasSubstr("rapl: "), HasSubstr("hwmon: "),
                                     HasSubstr("battery: "), HasSubstr("model: ")));
  EXPECT_THAT(refusal("rapl"), AllOf(HasSubstr("rapl: "), Not(HasSubstr("battery"))));
  EXPECT_THAT(refusal("solar"), AllOf(HasSubstr("solar"), HasSubstr("rapl")));
  for (const FoundMeter& found : find_energy_meters(sysfs(), options())) {
    EXPECT_EQ(found.meter, nullptr);
    EXPECT_THAT(found.problem, AllOf(Not(""), Not(HasSubstr("\n"))));
  }
}

// ---- doing nothing ----

TEST_F(Meters, IdlePowerIsMeasuredWithAsManyReadingsAsASensorNeeds) {
  jetson_orin_nx();
  const auto meter = choose("hwmon");
  int pauses = 0;
  const auto sleep = [&](double seconds) {
    time_s_ += seconds;
    ++pauses;
    // Five volts times 1, 0, 1, 0, ... amperes: two readings at the ends would see one value.
    write_sensor(1, "curr1_input", pauses % 2 == 1 ? "0" : "1000");
  };
  write_sensor(1, "curr1_input", "1000");
  EXPECT_NEAR(idle_power_w(
                  *meter, 2.0, [this] { return time_s_; }, sleep),
              2.5, 0.2);
  EXPECT_GE(pauses, 20);
}

TEST_F(Meters, IdlePowerLeavesOutWhatWasUsedBefore) {
  write_zone("intel-rapl:0", "package-0", 0);
  const auto meter = choose("rapl");
  set_energy("intel-rapl:0", 70000000);
  const auto sleep = [&](double seconds) {
    time_s_ += seconds;
    set_energy("intel-rapl:0", 70000000 + 30000000);
  };
  EXPECT_DOUBLE_EQ(idle_power_w(
                       *meter, 3.0, [this] { return time_s_; }, sleep),
                   10);
}

}  // namespace
}  // namespace bellows
