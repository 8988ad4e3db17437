#include "training/device_config.h"

#include <bellows/error.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "training/shipped_devices.h"
#include "training/toml_reader.h"

namespace bellows {
namespace {

constexpr int kLargestCapacity = std::numeric_limits<int>::max();

void visit_number(FieldVisitor& visitor, PublishedNumber& number, const char* help) {
  visitor.field("value", number.value,
                {.help = help, .required = true, .minimum = 0, .maximum = 1e15});
  visitor.field("source", number.source, {.help = "where that is published", .required = true});
  visitor.field("checked", number.checked,
                {.help = "the source, or a text that quotes it, was read for this"});
}

void visit_table(FieldVisitor& visitor, const char* key, PublishedNumber& number, const char* help,
                 bool required = true) {
  visitor.table(key, {.help = help, .required = required},
                [&](FieldVisitor& inner) { visit_number(inner, number, help); });
}

void visit_memory(FieldVisitor& visitor, DeviceMemory& memory) {
  auto capacity = static_cast<int>(memory.capacity_bytes);
  visitor.field("name", memory.name, {.help = "of the memory", .required = true});
  visitor.field("capacity_bytes", capacity,
                {.help = "what it holds; the last memory holds anything and has none",
                 .minimum = 1,
                 .maximum = kLargestCapacity});
  memory.capacity_bytes = capacity;
  visit_table(visitor, "pj_per_byte", memory.pj_per_byte, "picojoules of a byte from it");
}

// Numbers that may be missing are read only where they are written.
void visit_device(FieldVisitor& visitor, DeviceModel& device, const ConfigValue* table) {
  visitor.field("name", device.name, {.help = "of the device", .required = true});
  visitor.field("description", device.description, {.help = "in one line", .required = true});
  visitor.field("modelled_time", device.modelled_time,
                {.help = "the engine does not run on it: its time is always that of its clock"});
  visit_table(visitor, "f32_mac_pj", device.f32_mac_pj, "picojoules of an f32 multiply-accumulate");
  const auto optional = [&](const char* key, std::optional<PublishedNumber>& number,
                            const char* help) {
    if (table != nullptr && table->find(key) == nullptr) return;
    number.emplace();
    visit_table(visitor, key, *number, help, false);
  };
  optional("int8_mac_pj", device.int8_mac_pj, "picojoules of an int8 multiply-accumulate");
  visit_table(visitor, "static_power_w", device.static_power_w,
              "watts for as long as an image takes");
  optional("macs_per_cycle", device.macs_per_cycle, "multiply-accumulates in a cycle at the peak");
  optional("clock_hz", device.clock_hz, "cycles in a second");
  visitor.tables(
      "memories", {.help = "smallest first; the last holds anything", .required = true},
      [&](const ConfigValue& entry) {
        DeviceMemory memory;
        FieldReader reader(entry, "memories");
        visit_memory(reader, memory);
        reader.finish();
        device.memories.push_back(std::move(memory));
      },
      [] { return ConfigValue::Array{}; });
}

[[noreturn]] void fail(const ConfigValue& table, const char* key, const std::string& problem) {
  const ConfigValue* value = table.find(key);
  throw Error(ErrorCode::kInvalidArgument,
              (value == nullptr ? table : *value).where() + ": key '" + key + "' " + problem);
}

// What one field alone cannot tell.
void check(const ConfigValue& table, const DeviceModel& device) {
  if (device.memories.empty()) fail(table, "memories", "is empty, it needs at least one memory");
  const auto& entries = std::get<ConfigValue::Array>(table.find("memories")->data());
  std::int64_t before = 0;
  for (std::size_t i = 0; i < device.memories.size(); ++i) {
    const bool last = i + 1 == device.memories.size();
    const std::int64_t capacity = device.memories[i].capacity_bytes;
    if (last != (capacity == 0)) {
      throw Error(ErrorCode::kInvalidArgument,
                  entries[i].where() + ": memory '" + device.memories[i].name +
                      (last ? "' is the last and must hold anything: remove 'capacity_bytes'"
                            : "' needs key 'capacity_bytes'; only the last holds anything"));
    }
    if (!last && capacity <= before) {
      throw Error(ErrorCode::kInvalidArgument,
                  entries[i].where() + ": memory '" + device.memories[i].name +
                      "' is not larger than the one before; write the smallest first");
    }
    before = capacity;
  }
  if (device.macs_per_cycle.has_value() != device.clock_hz.has_value()) {
    fail(table, device.clock_hz ? "clock_hz" : "macs_per_cycle",
         "and '" + std::string(device.clock_hz ? "macs_per_cycle" : "clock_hz") +
             "' need each other");
  }
  for (const auto& [key, number] :
       {std::pair{"macs_per_cycle", &device.macs_per_cycle}, {"clock_hz", &device.clock_hz}}) {
    if (*number && (*number)->value == 0) fail(table, key, "has a value of 0, it needs more");
  }
  if (device.modelled_time && !device.clock_hz) {
    fail(table, "modelled_time", "is true, which needs 'macs_per_cycle' and 'clock_hz'");
  }
}

DeviceModel device_of(const ConfigValue& table) {
  DeviceModel device;
  FieldReader reader(table, "");
  visit_device(reader, device, &table);
  reader.finish();
  check(table, device);
  return device;
}

}  // namespace

DeviceModel read_device_model(const std::filesystem::path& file) {
  return device_of(read_toml(file));
}

std::vector<std::string> shipped_device_models() {
  std::vector<std::string> names;
  for (const ShippedDevice& device : kShippedDevices) names.emplace_back(device.name);
  return names;
}

DeviceModel find_device_model(const std::string& name_or_file) {
  if (name_or_file.ends_with(".toml")) return read_device_model(name_or_file);
  std::string names;
  for (const ShippedDevice& device : kShippedDevices) {
    if (name_or_file == device.name) return device_of(parse_toml(device.text, device.name));
    names += std::string(names.empty() ? "" : ", ") + device.name;
  }
  throw Error(ErrorCode::kNotFound, "there is no device model '" + name_or_file + "'; take " +
                                        names + ", or a file that ends in .toml");
}

std::vector<FieldDocumentation> device_model_documentation() {
  DeviceModel device;
  FieldDocumenter documenter("");
  visit_device(documenter, device, nullptr);
  std::vector<FieldDocumentation> entries = documenter.entries();
  FieldDocumenter of_memory("memories");
  DeviceMemory memory;
  visit_memory(of_memory, memory);
  entries.insert(entries.end(), of_memory.entries().begin(), of_memory.entries().end());
  return entries;
}

}  // namespace bellows
