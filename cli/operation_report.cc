#include "cli/operation_report.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "cli/numbers.h"
#include "cli/table.h"

namespace bellows::cli {
namespace {

using Json = nlohmann::ordered_json;

int widths_of(const std::vector<StepCounts>& steps) {
  return static_cast<int>(steps.front().groups.size());
}

std::int64_t most_held(const std::vector<StepCounts>& steps, int width) {
  std::int64_t most = 0;
  for (const StepCounts& step : steps) {
    most = std::max(most, step.held_bytes[static_cast<std::size_t>(width - 1)]);
  }
  return most;
}

// Few microjoules need more digits than many.
std::string energy_text(double uj) {
  return uj == 0 ? "0 uJ" : fixed_text(uj, uj < 10 ? 3 : 1) + " uJ";
}

const std::string& weights_from(const DeviceModel& device, const std::vector<StepCounts>& steps,
                                int width) {
  return memory_for(device, up_to_width(steps, width).weight_bytes).name;
}

Json json_of(const OperationCounts& counts) {
  return {{"macs", counts.macs},
          {"weight_bytes", counts.weight_bytes},
          {"read_bytes", counts.read_bytes},
          {"written_bytes", counts.written_bytes}};
}

Json json_of(const PublishedNumber& number) {
  return {{"value", number.value}, {"source", number.source}, {"checked", number.checked}};
}

}  // namespace

std::string operation_table(const std::vector<StepCounts>& steps, const std::vector<Cache>& caches,
                            const Console& console) {
  Table table({{"width"},
               {"MACs"},
               {"weights"},
               {"read"},
               {"written"},
               {"MACs a byte"},
               {"weights fit in"},
               {"activations fit in"}});
  for (int width = 1; width <= widths_of(steps); ++width) {
    const OperationCounts counts = up_to_width(steps, width);
    const std::int64_t bytes = counts.weight_bytes + counts.read_bytes + counts.written_bytes;
    table.add({std::to_string(width), scaled_text(counts.macs), bytes_text(counts.weight_bytes),
               bytes_text(counts.read_bytes), bytes_text(counts.written_bytes),
               fixed_text(static_cast<double>(counts.macs) / static_cast<double>(bytes), 1),
               smallest_with_room(caches, counts.weight_bytes),
               smallest_with_room(caches, most_held(steps, width))});
  }
  return table.text(console.heading_begin(), console.heading_end());
}

std::string step_table(const std::vector<StepCounts>& steps, const Console& console) {
  std::vector<Column> columns = {{"layer", Column::Align::kLeft}};
  for (int width = 1; width <= widths_of(steps); ++width) {
    columns.push_back({"width " + std::to_string(width)});
  }
  Table table(std::move(columns));
  for (const StepCounts& step : steps) {
    std::vector<std::string> cells = {step.layer};
    for (const std::string& merged : step.merged) cells.front() += "+" + merged;
    for (int width = 1; width <= widths_of(steps); ++width) {
      const OperationCounts counts = up_to_width(step, width);
      cells.push_back(bytes_text(counts.read_bytes + counts.written_bytes));
    }
    table.add(std::move(cells));
  }
  return table.text(console.heading_begin(), console.heading_end());
}

std::string energy_table(const DeviceModel& device, const std::vector<StepCounts>& steps,
                         const Console& console) {
  Table table({{"width"},
               {"energy"},
               {"arithmetic"},
               {"weights"},
               {"weights from", Column::Align::kLeft},
               {"activations"},
               {"static"},
               {"modelled time"}});
  for (int width = 1; width <= widths_of(steps); ++width) {
    const ModelledEnergy energy = modelled_energy(device, steps, width);
    table.add({std::to_string(width), energy_text(energy.total_uj()), energy_text(energy.mac_uj),
               energy_text(energy.weight_uj), weights_from(device, steps, width),
               energy_text(energy.activation_uj), energy_text(energy.static_uj),
               energy.time_us > 0 ? fixed_text(energy.time_us, 1) + " us" : "-"});
  }
  return table.text(console.heading_begin(), console.heading_end());
}

Json operation_json(const std::vector<StepCounts>& steps, int width,
                    const std::vector<Cache>& caches) {
  const OperationCounts counts = up_to_width(steps, width);
  const std::int64_t held = most_held(steps, width);
  Json json = json_of(counts);
  json["held_bytes"] = held;
  json["weights_fit_in"] = smallest_with_room(caches, counts.weight_bytes);
  json["activations_fit_in"] = smallest_with_room(caches, held);
  return json;
}

Json steps_json(const std::vector<StepCounts>& steps) {
  Json list = Json::array();
  for (const StepCounts& step : steps) {
    Json groups = Json::array();
    for (const OperationCounts& counts : step.groups) groups.push_back(json_of(counts));
    list.push_back({{"layer", step.layer},
                    {"merged", step.merged},
                    {"by_group", std::move(groups)},
                    {"held_bytes_by_width", step.held_bytes}});
  }
  return list;
}

Json energy_json(const DeviceModel& device, const std::vector<StepCounts>& steps) {
  Json json = {{"name", device.name},
               {"description", device.description},
               {"f32_mac_pj", json_of(device.f32_mac_pj)},
               {"static_power_w", json_of(device.static_power_w)},
               {"memories", Json::array()},
               {"energy_by_width", Json::array()}};
  for (const DeviceMemory& memory : device.memories) {
    Json entry = {{"name", memory.name}};
    if (memory.capacity_bytes > 0) entry["capacity_bytes"] = memory.capacity_bytes;
    entry["pj_per_byte"] = json_of(memory.pj_per_byte);
    json["memories"].push_back(std::move(entry));
  }
  for (int width = 1; width <= widths_of(steps); ++width) {
    const ModelledEnergy energy = modelled_energy(device, steps, width);
    Json entry = {{"width", width},
                  {"energy_uj", energy.total_uj()},
                  {"mac_uj", energy.mac_uj},
                  {"weight_uj", energy.weight_uj},
                  {"weights_from", weights_from(device, steps, width)},
                  {"activation_uj", energy.activation_uj},
                  {"static_uj", energy.static_uj}};
    if (energy.time_us > 0) entry["modelled_time_us"] = energy.time_us;
    json["energy_by_width"].push_back(std::move(entry));
  }
  return json;
}

}  // namespace bellows::cli
