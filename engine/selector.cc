#include "engine/selector.h"

#include <bellows/error.h>

#include <algorithm>
#include <limits>
#include <string>
#include <utility>

#include "engine/confidence.h"

namespace bellows {
namespace {

// Margins of logits come to about 10.
constexpr float kLogitScale = 0.1F;
constexpr float kLargestLogitMargin = 3;

void visit_floats(FieldVisitor& visitor, const char* key, std::vector<float>& values,
                  const char* help) {
  constexpr double kLargest = std::numeric_limits<float>::max();
  std::vector<double> wide(values.begin(), values.end());
  visitor.field(key, wide,
                {.help = help, .required = true, .minimum = -kLargest, .maximum = kLargest});
  values.resize(wide.size());
  std::ranges::transform(wide, values.begin(), [](double x) { return static_cast<float>(x); });
}

}  // namespace

void write_selector_inputs(const float* logits, const float* probabilities, std::size_t classes,
                           float* inputs) {
  std::copy(probabilities, probabilities + classes, inputs);
  inputs[classes] = confidence_of(Confidence::kMargin, probabilities, classes);
  inputs[classes + 1] = confidence_of(Confidence::kEntropy, probabilities, classes);
  const LargestTwo two = largest_two(logits, classes);
  inputs[classes + 2] = std::min(kLogitScale * (two.first - two.second), kLargestLogitMargin);
}

float StopNetwork::output(const float* inputs, std::size_t count) const {
  float sum = bias;
  for (std::size_t unit = 0; unit < weight.size(); ++unit) {
    float value = hidden_bias[unit];
    const float* row = hidden_weight.data() + unit * count;
    for (std::size_t i = 0; i < count; ++i) value += row[i] * inputs[i];
    sum += weight[unit] * std::max(value, 0.0F);
  }
  return sum;
}

void StopNetwork::visit_fields(FieldVisitor& visitor) {
  visit_floats(visitor, "hidden_weight", hidden_weight, "[units, inputs], row after row");
  visit_floats(visitor, "hidden_bias", hidden_bias, "[units]");
  visit_floats(visitor, "weight", weight, "[units]");
  double wide = bias;
  constexpr double kLargest = std::numeric_limits<float>::max();
  visitor.field("bias", wide, {.required = true, .minimum = -kLargest, .maximum = kLargest});
  bias = static_cast<float>(wide);
}

void Selector::check(int groups, int classes) const {
  const auto refuse = [](const std::string& problem) {
    throw Error(ErrorCode::kInvalidArgument, "a selector " + problem);
  };
  if (widths.size() + 1 != static_cast<std::size_t>(groups)) {
    refuse("has networks for " + std::to_string(widths.size()) + " widths, it needs " +
           std::to_string(groups - 1));
  }
  const std::size_t inputs = selector_inputs(static_cast<std::size_t>(classes));
  for (const StopNetwork& network : widths) {
    const std::size_t units = network.weight.size();
    if (units < 1 || units > kMostSelectorUnits || network.hidden_bias.size() != units ||
        network.hidden_weight.size() != units * inputs) {
      refuse("has a network of " + std::to_string(units) + " units with " +
             std::to_string(network.hidden_weight.size()) + " weights and " +
             std::to_string(network.hidden_bias.size()) + " biases; it needs 1 to " +
             std::to_string(kMostSelectorUnits) + " units, " + std::to_string(inputs) +
             " weights and one bias for each");
    }
  }
}

void Selector::visit_fields(FieldVisitor& visitor) {
  visitor.field("alpha", alpha,
                {.help = "price of the widest width's cost that it was learned with, in losses",
                 .required = true,
                 .minimum = 0});
  visitor.tables(
      "widths", {.help = "the network of each width but the widest", .required = true},
      [this](const ConfigValue& table) {
        FieldReader reader(table, "widths." + std::to_string(widths.size() + 1));
        StopNetwork network;
        network.visit_fields(reader);
        reader.finish();
        widths.push_back(std::move(network));
      },
      [this] {
        ConfigValue::Array array;
        for (StopNetwork& network : widths) {
          FieldWriter writer;
          network.visit_fields(writer);
          array.push_back(writer.value());
        }
        return array;
      });
}

}  // namespace bellows
