#include "training/device_config.h"

#include <bellows/error.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

#include "tests/data_fixtures.h"
#include "tests/refusal.h"

namespace bellows {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

const std::filesystem::path kRoot = BELLOWS_SOURCE_DIR;

const std::string kToy = R"(name = "toy"
description = "made up"

[f32_mac_pj]
value = 2.5
source = "nobody"
checked = true

[static_power_w]
value = 1
source = "nobody"

[[memories]]
name = "near"
capacity_bytes = 1000
pj_per_byte = { value = 1, source = "nobody" }

[[memories]]
name = "out"
pj_per_byte = { value = 100, source = "somebody" }
)";

std::string with(std::string text, const std::string& old, const std::string& now) {
  const std::size_t at = text.find(old);
  EXPECT_NE(at, std::string::npos) << old;
  return text.replace(at, old.size(), now);
}

DeviceModel read(const std::string& text) {
  return read_device_model(write_file(fresh_folder() / "toy.toml", bytes_of(text)));
}

std::string refusal(const std::string& text) {
  return bellows::refusal([&] { static_cast<void>(read(text)); });
}

TEST(DeviceConfig, ReadsNumbersWithTheirSources) {
  const DeviceModel toy = read(kToy);
  EXPECT_EQ(toy.name, "toy");
  EXPECT_EQ(toy.f32_mac_pj.value, 2.5);
  EXPECT_EQ(toy.f32_mac_pj.source, "nobody");
  EXPECT_TRUE(toy.f32_mac_pj.checked);
  EXPECT_FALSE(toy.static_power_w.checked);
  EXPECT_FALSE(toy.int8_mac_pj || toy.macs_per_cycle || toy.clock_hz || toy.modelled_time);
  ASSERT_EQ(toy.memories.size(), 2U);
  EXPECT_EQ(toy.memories[0].capacity_bytes, 1000);
  EXPECT_EQ(toy.memories[1].capacity_bytes, 0);
  EXPECT_EQ(toy.memories[1].pj_per_byte.source, "somebody");
}

TEST(DeviceConfig, ReadsWhatMayBeMissing) {
  const DeviceModel toy = read(with(kToy, "[static_power_w]",
                                    "[int8_mac_pj]\nvalue = 0.5\nsource = \"a\"\n"
                                    "[macs_per_cycle]\nvalue = 4\nsource = \"b\"\n"
                                    "[clock_hz]\nvalue = 1e9\nsource = \"c\"\n[static_power_w]"));
  EXPECT_EQ(toy.int8_mac_pj->value, 0.5);
  EXPECT_EQ(toy.macs_per_cycle->value, 4);
  EXPECT_EQ(toy.clock_hz->value, 1e9);
}

TEST(DeviceConfig, RefusesANumberWithoutItsSource) {
  EXPECT_THAT(refusal(with(kToy, "source = \"nobody\"\nchecked", "checked")),
              AllOf(HasSubstr("toy.toml:4"), HasSubstr("'f32_mac_pj.source' is missing")));
  EXPECT_THAT(refusal(with(kToy, ", source = \"somebody\"", "")),
              AllOf(HasSubstr("toy.toml:20"), HasSubstr("pj_per_byte.source")));
}

TEST(DeviceConfig, RefusesWhatMakesNoSenseByFileAndLine) {
  EXPECT_THAT(refusal(with(kToy, "value = 2.5", "value = -1")),
              AllOf(HasSubstr("toy.toml:5"), HasSubstr("f32_mac_pj.value")));
  EXPECT_THAT(refusal(with(kToy, "checked", "check")),
              AllOf(HasSubstr("toy.toml:7"), HasSubstr("unknown key")));
  EXPECT_THAT(refusal(with(kToy, "capacity_bytes = 1000\n", "")), HasSubstr("'capacity_bytes'"));
  EXPECT_THAT(refusal(with(kToy, "name = \"out\"", "name = \"out\"\ncapacity_bytes = 2000")),
              AllOf(HasSubstr("'out'"), HasSubstr("last")));
  EXPECT_THAT(refusal(with(kToy, "[[memories]]\nname = \"out\"",
                           "[[memories]]\nname = \"small\"\ncapacity_bytes = 1000\n"
                           "pj_per_byte = { value = 1, source = \"a\" }\n[[memories]]\n"
                           "name = \"out\"")),
              AllOf(HasSubstr("'small'"), HasSubstr("smallest first")));
  EXPECT_THAT(refusal(with(kToy, "[static_power_w]",
                           "[clock_hz]\nvalue = 1\nsource = \"a\"\n[static_power_w]")),
              AllOf(HasSubstr("clock_hz"), HasSubstr("macs_per_cycle")));
  EXPECT_THAT(refusal(with(kToy, "[f32_mac_pj]", "modelled_time = true\n[f32_mac_pj]")),
              AllOf(HasSubstr("toy.toml:4"), HasSubstr("modelled_time")));
  EXPECT_THAT(refusal(kToy.substr(0, kToy.find("[[memories]]"))),
              HasSubstr("'memories' is missing"));
}

TEST(DeviceConfig, ShippedModelsAreTheFilesOfTheFolder) {
  EXPECT_THAT(shipped_device_models(),
              ElementsAre("embedded-cpu", "generic-45nm", "server-cpu", "small-accelerator"));
  for (const std::string& name : shipped_device_models()) {
    const DeviceModel shipped = find_device_model(name);
    const std::string file = kRoot / "configs/devices" / (name + ".toml");
    const DeviceModel read = find_device_model(file);
    EXPECT_EQ(shipped.name, name);
    EXPECT_EQ(read.f32_mac_pj.value, shipped.f32_mac_pj.value);
    EXPECT_EQ(read.memories.size(), shipped.memories.size());
  }
}

TEST(DeviceConfig, AnUnknownNameIsRefusedWithThoseKnown) {
  try {
    static_cast<void>(find_device_model("toaster"));
    ADD_FAILURE() << "nothing was thrown";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kNotFound);
    EXPECT_THAT(error.what(), AllOf(HasSubstr("toaster"), HasSubstr("generic-45nm")));
  }
}

// The page is what a user trusts: it must hold every key and the figures that are shipped.
TEST(DeviceConfig, EveryKeyAndEveryFigureIsOnThePage) {
  std::ostringstream stream;
  stream << std::ifstream(kRoot / "docs/energy.md").rdbuf();
  const std::string page = stream.str();
  for (const FieldDocumentation& entry : device_model_documentation()) {
    for (std::size_t begin = 0; begin < entry.key.size();) {
      const std::size_t end = std::min(entry.key.find('.', begin), entry.key.size());
      EXPECT_THAT(page, HasSubstr("`" + entry.key.substr(begin, end - begin) + "`"));
      begin = end + 1;
    }
  }
  const auto expect_figure = [&](const PublishedNumber& number) {
    std::ostringstream figure;
    figure << number.value;
    EXPECT_THAT(page, HasSubstr(figure.str()));
  };
  for (const std::string& name : shipped_device_models()) {
    SCOPED_TRACE(name);
    const DeviceModel device = find_device_model(name);
    EXPECT_THAT(page, HasSubstr("`" + name + "`"));
    expect_figure(device.f32_mac_pj);
    expect_figure(device.static_power_w);
    for (const DeviceMemory& memory : device.memories) expect_figure(memory.pj_per_byte);
  }
}

}  // namespace
}  // namespace bellows
