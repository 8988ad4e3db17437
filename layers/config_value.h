// A configuration as a tree of values that remember where they were written. Readers of TOML and
// JSON make it; the field lists (fields.h) consume it, so that every message can name file and
// line.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace bellows {

/// One value: a boolean, integer, real, string, array or table (keys in the order of writing).
class ConfigValue {
 public:
  using Array = std::vector<ConfigValue>;
  using Table = std::vector<std::pair<std::string, ConfigValue>>;
  using Data = std::variant<bool, std::int64_t, double, std::string, Array, Table>;

  ConfigValue() : data_(Table{}) {}
  explicit ConfigValue(Data data, const std::string& where = {})
      : data_(std::move(data)),
        where_(where.empty() ? nullptr : std::make_shared<const std::string>(where)) {}
  /// Many values of one source share its name.
  ConfigValue(Data data, std::shared_ptr<const std::string> where)
      : data_(std::move(data)), where_(std::move(where)) {}

  // g++ 12's library destroys rubbish where memory runs out while it copies a variant of these,
  // which therefore is made anew.
  ConfigValue(const ConfigValue& other);
  ConfigValue& operator=(const ConfigValue& other) { return *this = ConfigValue(other); }
  ConfigValue(ConfigValue&&) noexcept = default;
  ConfigValue& operator=(ConfigValue&&) noexcept = default;
  ~ConfigValue() = default;

  [[nodiscard]] const Data& data() const { return data_; }
  [[nodiscard]] Data& data() { return data_; }

  /// Where it was written, as "file:line", or the name of the source; may be empty.
  [[nodiscard]] const std::string& where() const;

  /// "a boolean", "an integer", ...: for messages.
  [[nodiscard]] const char* type_name() const;

  /// The member `key` of a table, or null when absent or when this is not a table.
  [[nodiscard]] const ConfigValue* find(const std::string& key) const;

  /// The value as JSON text on one line, keys in the order of writing; equal trees give equal text.
  [[nodiscard]] std::string to_json() const;

 private:
  Data data_;
  std::shared_ptr<const std::string> where_;  // or null: empty
};

}  // namespace bellows
