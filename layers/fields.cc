#include "layers/fields.h"

#include <bellows/error.h>

#include <cmath>
#include <cstdint>
#include <utility>

namespace bellows {
namespace {

std::string number(double value) {
  if (value == std::floor(value) && std::abs(value) < 1e15) {
    return std::to_string(static_cast<std::int64_t>(value));
  }
  return ConfigValue(value).to_json();
}

std::string accepted_range(const FieldInfo& info) {
  const bool low = std::isfinite(info.minimum);
  const bool high = std::isfinite(info.maximum);
  if (low && high) return " from " + number(info.minimum) + " to " + number(info.maximum);
  if (low) return " of at least " + number(info.minimum);
  if (high) return " of at most " + number(info.maximum);
  return "";
}

std::string list(const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& name : names) {
    if (!text.empty()) text += ", ";
    text += name;
  }
  return text;
}

std::string shown(const ConfigValue& value) {
  std::string text = value.to_json();
  if (text.size() > 60) text = text.substr(0, 57) + "...";
  return text;
}

template <class T>
ConfigValue array_of(const std::vector<T>& values) {
  ConfigValue::Array array;
  for (const T& value : values) {
    if constexpr (std::is_same_v<T, int>) {
      array.emplace_back(std::int64_t{value});
    } else {
      array.emplace_back(value);
    }
  }
  return ConfigValue(std::move(array));
}

ConfigValue size_value(const Size2& size) {
  if (size.height == size.width) return ConfigValue(std::int64_t{size.height});
  return array_of(std::vector<int>{size.height, size.width});
}

}  // namespace

FieldReader::FieldReader(const ConfigValue& table, std::string path)
    : table_(table), path_(std::move(path)) {
  if (!std::holds_alternative<ConfigValue::Table>(table.data())) {
    throw Error(ErrorCode::kInvalidArgument, table.where() + ": '" + path_ + "' is " +
                                                 table.type_name() + ", a table is needed");
  }
}

std::string FieldReader::named(const char* key) const {
  return path_.empty() ? std::string(key) : path_ + "." + key;
}

void FieldReader::fail(const ConfigValue& value, const char* key, const std::string& want) const {
  throw Error(ErrorCode::kInvalidArgument, value.where() + ": key '" + named(key) + "' is " +
                                               shown(value) + ", it needs " + want);
}

const ConfigValue* FieldReader::take(const char* key, const FieldInfo& info) {
  known_.emplace_back(key);
  const ConfigValue* value = table_.find(key);
  if (value == nullptr && info.required) {
    throw Error(ErrorCode::kInvalidArgument,
                table_.where() + ": key '" + named(key) + "' is missing (" + info.help + ")");
  }
  return value;
}

template <class Integer>
Integer FieldReader::integer(const ConfigValue& value, const char* key,
                             const FieldInfo& info) const {
  const auto* integer = std::get_if<std::int64_t>(&value.data());
  if (integer == nullptr || static_cast<double>(*integer) < info.minimum ||
      static_cast<double>(*integer) > info.maximum || !std::in_range<Integer>(*integer)) {
    fail(value, key, "an integer" + accepted_range(info));
  }
  return static_cast<Integer>(*integer);
}

double FieldReader::real(const ConfigValue& value, const char* key, const FieldInfo& info) const {
  double real = std::numeric_limits<double>::quiet_NaN();
  if (const auto* integer = std::get_if<std::int64_t>(&value.data())) {
    real = static_cast<double>(*integer);
  } else if (const auto* written = std::get_if<double>(&value.data())) {
    real = *written;
  }
  // Written so that a NaN is refused too.
  if (!(std::isfinite(real) && real >= info.minimum && real <= info.maximum)) {
    fail(value, key, "a number" + accepted_range(info));
  }
  return real;
}

const std::string& FieldReader::text(const ConfigValue& value, const char* key,
                                     const FieldInfo& info) const {
  const auto* text = std::get_if<std::string>(&value.data());
  if (text == nullptr) fail(value, key, "a string");
  bool known = info.choices.empty();
  for (const std::string& choice : info.choices) known = known || choice == *text;
  if (!known) fail(value, key, "one of " + list(info.choices));
  return *text;
}

void FieldReader::field(const char* key, bool& value, const FieldInfo& info) {
  if (const ConfigValue* found = take(key, info)) {
    const bool* boolean = std::get_if<bool>(&found->data());
    if (boolean == nullptr) fail(*found, key, "true or false");
    value = *boolean;
  }
}

void FieldReader::field(const char* key, int& value, const FieldInfo& info) {
  if (const ConfigValue* found = take(key, info)) value = integer<int>(*found, key, info);
}

void FieldReader::field(const char* key, std::int64_t& value, const FieldInfo& info) {
  if (const ConfigValue* found = take(key, info)) value = integer<std::int64_t>(*found, key, info);
}

void FieldReader::field(const char* key, double& value, const FieldInfo& info) {
  if (const ConfigValue* found = take(key, info)) value = real(*found, key, info);
}

void FieldReader::field(const char* key, std::optional<double>& value, const FieldInfo& info) {
  if (const ConfigValue* found = take(key, info)) value = real(*found, key, info);
}

void FieldReader::field(const char* key, std::string& value, const FieldInfo& info) {
  if (const ConfigValue* found = take(key, info)) value = text(*found, key, info);
}

void FieldReader::field(const char* key, Size2& value, const FieldInfo& info) {
  if (const ConfigValue* found = take(key, info)) {
    if (const auto* array = std::get_if<ConfigValue::Array>(&found->data())) {
      if (array->size() != 2) fail(*found, key, "an integer or [height, width]");
      value = {integer<int>((*array)[0], key, info), integer<int>((*array)[1], key, info)};
    } else {
      const int side = integer<int>(*found, key, info);
      value = {side, side};
    }
  }
}

void FieldReader::field(const char* key, std::vector<int>& value, const FieldInfo& info) {
  if (const ConfigValue* found = take(key, info)) {
    const auto* array = std::get_if<ConfigValue::Array>(&found->data());
    if (array == nullptr) fail(*found, key, "an array of integers" + accepted_range(info));
    value.clear();
    for (const ConfigValue& element : *array) value.push_back(integer<int>(element, key, info));
  }
}

void FieldReader::field(const char* key, std::vector<double>& value, const FieldInfo& info) {
  if (const ConfigValue* found = take(key, info)) {
    const auto* array = std::get_if<ConfigValue::Array>(&found->data());
    if (array == nullptr) fail(*found, key, "an array of numbers" + accepted_range(info));
    value.clear();
    for (const ConfigValue& element : *array) value.push_back(real(element, key, info));
  }
}

void FieldReader::field(const char* key, std::vector<std::string>& value, const FieldInfo& info) {
  if (const ConfigValue* found = take(key, info)) {
    const auto* array = std::get_if<ConfigValue::Array>(&found->data());
    if (array == nullptr) fail(*found, key, "an array of strings");
    value.clear();
    for (const ConfigValue& element : *array) value.push_back(text(element, key, info));
  }
}

void FieldReader::table(const char* key, const FieldInfo& info,
                        const std::function<void(FieldVisitor&)>& visit) {
  const ConfigValue* found = take(key, info);
  if (found == nullptr) return;
  FieldReader reader(*found, named(key));
  visit(reader);
  reader.finish();
}

void FieldReader::tables(const char* key, const FieldInfo& info,
                         const std::function<void(const ConfigValue&)>& read,
                         const std::function<ConfigValue::Array()>& /*write*/) {
  const ConfigValue* found = take(key, info);
  if (found == nullptr) return;
  const auto* array = std::get_if<ConfigValue::Array>(&found->data());
  if (array == nullptr) fail(*found, key, "an array of tables");
  for (const ConfigValue& element : *array) read(element);
}

void FieldReader::finish() const {
  for (const auto& [key, value] : std::get<ConfigValue::Table>(table_.data())) {
    bool known = false;
    for (const std::string& name : known_) known = known || name == key;
    if (!known) {
      throw Error(ErrorCode::kInvalidArgument, value.where() + ": unknown key '" +
                                                   named(key.c_str()) +
                                                   "'; known here: " + list(known_));
    }
  }
}

void FieldWriter::field(const char* key, bool& value, const FieldInfo& /*info*/) {
  add(key, ConfigValue(value));
}
void FieldWriter::field(const char* key, int& value, const FieldInfo& /*info*/) {
  add(key, ConfigValue(std::int64_t{value}));
}
void FieldWriter::field(const char* key, std::int64_t& value, const FieldInfo& /*info*/) {
  add(key, ConfigValue(value));
}
void FieldWriter::field(const char* key, double& value, const FieldInfo& /*info*/) {
  add(key, ConfigValue(value));
}
void FieldWriter::field(const char* key, std::optional<double>& value, const FieldInfo& /*info*/) {
  if (value) add(key, ConfigValue(*value));
}
void FieldWriter::field(const char* key, std::string& value, const FieldInfo& /*info*/) {
  add(key, ConfigValue(value));
}
void FieldWriter::field(const char* key, Size2& value, const FieldInfo& /*info*/) {
  add(key, size_value(value));
}
void FieldWriter::field(const char* key, std::vector<int>& value, const FieldInfo& /*info*/) {
  add(key, array_of(value));
}
void FieldWriter::field(const char* key, std::vector<double>& value, const FieldInfo& /*info*/) {
  add(key, array_of(value));
}
void FieldWriter::field(const char* key, std::vector<std::string>& value,
                        const FieldInfo& /*info*/) {
  add(key, array_of(value));
}
void FieldWriter::table(const char* key, const FieldInfo& /*info*/,
                        const std::function<void(FieldVisitor&)>& visit) {
  FieldWriter inner;
  visit(inner);
  add(key, inner.value());
}
void FieldWriter::tables(const char* key, const FieldInfo& info,
                         const std::function<void(const ConfigValue&)>& /*read*/,
                         const std::function<ConfigValue::Array()>& write) {
  ConfigValue::Array array = write();
  if (array.empty() && info.absent_when_empty) return;
  add(key, ConfigValue(std::move(array)));
}

void FieldDocumenter::add(const char* key, const char* type, const ConfigValue& initial,
                          const FieldInfo& info) {
  std::string help = info.help;
  if (!info.choices.empty()) help += " (" + list(info.choices) + ")";
  entries_.push_back({path_.empty() ? std::string(key) : path_ + "." + key, type,
                      info.required ? "required" : initial.to_json(), help});
}

void FieldDocumenter::field(const char* key, bool& value, const FieldInfo& info) {
  add(key, "boolean", ConfigValue(value), info);
}
void FieldDocumenter::field(const char* key, int& value, const FieldInfo& info) {
  add(key, "integer", ConfigValue(std::int64_t{value}), info);
}
void FieldDocumenter::field(const char* key, std::int64_t& value, const FieldInfo& info) {
  add(key, "integer", ConfigValue(value), info);
}
void FieldDocumenter::field(const char* key, double& value, const FieldInfo& info) {
  add(key, "number", ConfigValue(value), info);
}
void FieldDocumenter::field(const char* key, std::optional<double>& value, const FieldInfo& info) {
  add(key, "number", value ? ConfigValue(*value) : ConfigValue(ConfigValue::Data("none")), info);
}
void FieldDocumenter::field(const char* key, std::string& value, const FieldInfo& info) {
  add(key, "string", ConfigValue(value), info);
}
void FieldDocumenter::field(const char* key, Size2& value, const FieldInfo& info) {
  add(key, "integer or [height, width]", size_value(value), info);
}
void FieldDocumenter::field(const char* key, std::vector<int>& value, const FieldInfo& info) {
  add(key, "array of integers", array_of(value), info);
  entries_.back().per_group = info.per_group;
}
void FieldDocumenter::field(const char* key, std::vector<double>& value, const FieldInfo& info) {
  add(key, "array of numbers", array_of(value), info);
}
void FieldDocumenter::field(const char* key, std::vector<std::string>& value,
                            const FieldInfo& info) {
  add(key, "array of strings", array_of(value), info);
}
void FieldDocumenter::table(const char* key, const FieldInfo& /*info*/,
                            const std::function<void(FieldVisitor&)>& visit) {
  FieldDocumenter inner(path_.empty() ? std::string(key) : path_ + "." + key);
  visit(inner);
  entries_.insert(entries_.end(), inner.entries_.begin(), inner.entries_.end());
}
void FieldDocumenter::tables(const char* key, const FieldInfo& info,
                             const std::function<void(const ConfigValue&)>& /*read*/,
                             const std::function<ConfigValue::Array()>& /*write*/) {
  add(key, "array of tables", ConfigValue(ConfigValue::Array{}), info);
}

}  // namespace bellows
