#include "layers/config_value.h"

#include <charconv>
#include <cmath>
#include <cstdio>

namespace bellows {
namespace {

void append_quoted(std::string& text, const std::string& value) {
  text += '"';
  for (const char c : value) {
    if (c == '"' || c == '\\') {
      text += '\\';
      text += c;
    } else if (static_cast<unsigned char>(c) < 0x20) {
      char escaped[8];
      std::snprintf(escaped, sizeof escaped, "\\u%04x", static_cast<unsigned>(c));
      text += escaped;
    } else {
      text += c;
    }
  }
  text += '"';
}

void append_real(std::string& text, double value) {
  // The shortest text that reads back as the same number. JSON has no infinities; a field list
  // never accepts one, so none can arrive here.
  char digits[32];
  const auto end = std::to_chars(digits, digits + sizeof digits, value).ptr;
  const std::string written(digits, end);
  text += written;
  if (written.find_first_of(".en") == std::string::npos) text += ".0";
}

void append_json(std::string& text, const ConfigValue& value) {
  std::visit(
      [&text](const auto& data) {
        using T = std::decay_t<decltype(data)>;
        if constexpr (std::is_same_v<T, bool>) {
          text += data ? "true" : "false";
        } else if constexpr (std::is_same_v<T, std::int64_t>) {
          text += std::to_string(data);
        } else if constexpr (std::is_same_v<T, double>) {
          append_real(text, data);
        } else if constexpr (std::is_same_v<T, std::string>) {
          append_quoted(text, data);
        } else if constexpr (std::is_same_v<T, ConfigValue::Array>) {
          text += '[';
          const char* separator = "";
          for (const ConfigValue& element : data) {
            text += separator;
            append_json(text, element);
            separator = ",";
          }
          text += ']';
        } else {
          text += '{';
          const char* separator = "";
          for (const auto& [key, member] : data) {
            text += separator;
            append_quoted(text, key);
            text += ':';
            append_json(text, member);
            separator = ",";
          }
          text += '}';
        }
      },
      value.data());
}

}  // namespace

ConfigValue::ConfigValue(const ConfigValue& other)
    : data_(std::visit([](const auto& value) { return Data(value); }, other.data_)),
      where_(other.where_) {}

const std::string& ConfigValue::where() const {
  static const std::string kNowhere;
  return where_ == nullptr ? kNowhere : *where_;
}

const char* ConfigValue::type_name() const {
  static constexpr const char* kNames[] = {"a boolean", "an integer", "a real number",
                                           "a string",  "an array",   "a table"};
  return kNames[data_.index()];
}

const ConfigValue* ConfigValue::find(const std::string& key) const {
  const Table* table = std::get_if<Table>(&data_);
  if (table == nullptr) return nullptr;
  for (const auto& [name, value] : *table) {
    if (name == key) return &value;
  }
  return nullptr;
}

std::string ConfigValue::to_json() const {
  std::string text;
  append_json(text, *this);
  return text;
}

}  // namespace bellows
