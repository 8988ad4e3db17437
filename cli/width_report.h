// The table that everything comes down to: what each width reaches and costs.
#pragma once

#include <bellows/bellows.h>

#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "cli/console.h"

namespace bellows::cli {

/// One width; what was not measured has no column.
struct WidthRow {
  int width = 1;
  Width cost;
  std::optional<double> validation_accuracy = {};  ///< 0..1
  std::optional<double> test_accuracy = {};        ///< 0..1
  std::optional<double> accuracy = {};             ///< 0..1, on the images that the text names
  std::optional<double> loss = {};
  std::optional<double> latency_us = {};
};

/// REQUIRES: all rows have the same measurements.
std::string width_table(const std::vector<WidthRow>& rows, const Console& console);

nlohmann::ordered_json width_json(const std::vector<WidthRow>& rows);

}  // namespace bellows::cli
