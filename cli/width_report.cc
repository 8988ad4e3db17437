#include "cli/width_report.h"

#include <functional>
#include <nlohmann/json.hpp>
#include <utility>

#include "cli/numbers.h"
#include "cli/table.h"

namespace bellows::cli {

std::string width_table(const std::vector<WidthRow>& rows, const Console& console) {
  std::vector<Column> titles;
  std::vector<std::function<std::string(const WidthRow&)>> cells;
  const auto column = [&](const char* title, std::function<std::string(const WidthRow&)> cell) {
    titles.push_back({title});
    cells.push_back(std::move(cell));
  };
  const auto measured = [&](const char* title, std::optional<double> WidthRow::*value,
                            std::string (*text)(double)) {
    if (rows.empty() || !(rows.front().*value)) return;
    column(title, [value, text](const WidthRow& row) { return text((row.*value).value_or(0)); });
  };
  column("width", [](const WidthRow& row) { return std::to_string(row.width); });
  measured("validation", &WidthRow::validation_accuracy, percent_text);
  measured("test", &WidthRow::test_accuracy, percent_text);
  measured("accuracy", &WidthRow::accuracy, percent_text);
  measured("loss", &WidthRow::loss, [](double loss) { return fixed_text(loss, 4); });
  column("parameters", [](const WidthRow& row) { return count_text(row.cost.parameters); });
  column("MACs", [](const WidthRow& row) { return scaled_text(row.cost.macs); });
  column("weights", [](const WidthRow& row) { return bytes_text(row.cost.weight_bytes); });
  measured("latency", &WidthRow::latency_us, [](double us) { return fixed_text(us, 1) + " us"; });

  Table table(std::move(titles));
  for (const WidthRow& row : rows) {
    std::vector<std::string> line;
    line.reserve(cells.size());
    for (const auto& cell : cells) line.push_back(cell(row));
    table.add(std::move(line));
  }
  return table.text(console.heading_begin(), console.heading_end());
}

nlohmann::ordered_json width_json(const std::vector<WidthRow>& rows) {
  auto list = nlohmann::ordered_json::array();
  for (const WidthRow& row : rows) {
    nlohmann::ordered_json object = {{"width", row.width}};
    const auto add = [&](const char* key, const std::optional<double>& value) {
      if (value) object[key] = *value;
    };
    add("validation_accuracy", row.validation_accuracy);
    add("test_accuracy", row.test_accuracy);
    add("accuracy", row.accuracy);
    add("loss", row.loss);
    object["parameters"] = row.cost.parameters;
    object["macs"] = row.cost.macs;
    object["weight_bytes"] = row.cost.weight_bytes;
    add("latency_us", row.latency_us);
    list.push_back(std::move(object));
  }
  return list;
}

}  // namespace bellows::cli
