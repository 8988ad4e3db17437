#include "engine/model_info.h"

#include <bellows/error.h>

#include <algorithm>
#include <cmath>
#include <limits>

namespace bellows {
namespace {

ConfigValue text_value(const std::string& text) { return ConfigValue(ConfigValue::Data(text)); }

}  // namespace

void ModelInfo::check(const Network& network) const {
  const auto check = [](const char* what, std::size_t found, int wanted) {
    if (found != 0 && found != static_cast<std::size_t>(wanted)) {
      throw Error(ErrorCode::kInvalidArgument, std::string(what) + " has " + std::to_string(found) +
                                                   " entries, it needs " + std::to_string(wanted) +
                                                   " or none");
    }
  };
  check("key 'classes'", classes.size(), network.classes());
  check("key 'normalisation.mean'", mean.size(), network.input().channels_of(1));
  check("key 'normalisation.stddev'", stddev.size(), network.input().channels_of(1));
  if (mean.size() != stddev.size()) {
    throw Error(ErrorCode::kInvalidArgument,
                "one of the keys 'normalisation.mean' and 'normalisation.stddev' is empty; give "
                "both or none");
  }
  // As sessions do it, in f32, to the ends of what an image's values should be.
  for (std::size_t channel = 0; channel < mean.size(); ++channel) {
    const float factor = 1.0F / static_cast<float>(stddev[channel]);
    for (const float value : {0.0F, 1.0F}) {
      if (std::isfinite((value - static_cast<float>(mean[channel])) * factor)) continue;
      throw Error(ErrorCode::kInvalidArgument,
                  "key 'normalisation' makes values of 0..1 infinite, by mean " +
                      ConfigValue(mean[channel]).to_json() + " and stddev " +
                      ConfigValue(stddev[channel]).to_json() + " of channel " +
                      std::to_string(channel + 1));
    }
  }
  check("key 'accuracy.validation'", validation_accuracy.size(), network.groups());
  check("key 'accuracy.test'", test_accuracy.size(), network.groups());
  for (const Selector& selector : selectors) {
    try {
      selector.check(network.groups(), network.classes());
    } catch (const Error& error) {
      throw Error(error.code(), std::string("key 'selectors': ") + error.what());
    }
  }
}

void ModelInfo::cut_to(int width) {
  for (std::vector<double>* accuracy : {&validation_accuracy, &test_accuracy}) {
    accuracy->resize(std::min(accuracy->size(), static_cast<std::size_t>(width)));
  }
  if (width <= 1) selectors.clear();
  for (Selector& selector : selectors) {
    selector.widths.resize(std::min(selector.widths.size(), static_cast<std::size_t>(width - 1)));
  }
}

const std::string* ModelInfo::find_extra(std::string_view key) const {
  const auto found = std::ranges::find(extra, key, &std::pair<std::string, std::string>::first);
  return found == extra.end() ? nullptr : &found->second;
}

void ModelInfo::visit_fields(FieldVisitor& visitor) {
  // Sessions normalise in f32.
  constexpr double kLargest = std::numeric_limits<float>::max();
  visitor.field("classes", classes,
                {.help = "names of the classes, strings in the order of the logits; or none"});
  visitor.table("normalisation", {}, [this](FieldVisitor& fields) {
    fields.field(
        "mean", mean,
        {.help =
             "what is subtracted from the input's values, which are in 0..1, by channel; or none",
         .minimum = -kLargest,
         .maximum = kLargest});
    fields.field("stddev", stddev,
                 {.help = "what the input's values are divided by after subtracting the mean, by "
                          "channel; or none",
                  .minimum = double{std::numeric_limits<float>::min()},
                  .maximum = kLargest});
  });
  visitor.table("provenance", {}, [this](FieldVisitor& fields) {
    fields.field("data_set", data_set, {.help = "what the model was trained on"});
    fields.field("seed", seed, {.help = "of the training run"});
    fields.field("schedule", schedule, {.help = "how the groups were trained"});
    fields.field("epochs", epochs, {.help = "how long the groups were trained, in words"});
    fields.field("created_with", created_with, {.help = "program and version"});
  });
  visitor.table("accuracy", {}, [this](FieldVisitor& fields) {
    fields.field("validation", validation_accuracy,
                 {.help = "share of right answers on the validation split, by width; or none",
                  .minimum = 0,
                  .maximum = 1});
    fields.field("test", test_accuracy,
                 {.help = "share of right answers on the test images, by width; or none",
                  .minimum = 0,
                  .maximum = 1});
  });
  visitor.tables(
      "selectors",
      {.help = "learned policies, tables of `alpha` and `widths`, see below; absent: none",
       .absent_when_empty = true},
      [this](const ConfigValue& table) {
        FieldReader reader(table, "selectors." + std::to_string(selectors.size() + 1));
        Selector selector;
        selector.visit_fields(reader);
        reader.finish();
        selectors.push_back(std::move(selector));
      },
      [this] {
        ConfigValue::Array array;
        for (Selector& selector : selectors) {
          FieldWriter writer;
          selector.visit_fields(writer);
          array.push_back(writer.value());
        }
        return array;
      });
  visitor.tables(
      "extra", {.help = "anything else, as tables of two strings, `key` and `value`"},
      [this](const ConfigValue& table) {
        FieldReader reader(table, "extra");
        std::pair<std::string, std::string> entry;
        reader.field("key", entry.first, {.required = true});
        reader.field("value", entry.second, {.required = true});
        reader.finish();
        extra.push_back(std::move(entry));
      },
      [this] {
        ConfigValue::Array array;
        for (const auto& [key, value] : extra) {
          array.emplace_back(
              ConfigValue::Table{{"key", text_value(key)}, {"value", text_value(value)}});
        }
        return array;
      });
}

}  // namespace bellows
