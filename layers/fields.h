// Field lists: each configurable structure names its fields once, in `visit_fields`; reading,
// writing, documenting and comparing all derive from that one list.
//
//   struct Options {
//     int rate = 3;
//     void visit_fields(FieldVisitor& visitor) {
//       visitor.field("rate", rate, {.help = "samples per second", .minimum = 1});
//     }
//   };
#pragma once

#include <cstdint>
#include <functional>
#include <limits>
#include <optional>
#include <string>
#include <vector>

#include "layers/config_value.h"

namespace bellows {

/// What a field means and accepts.
struct FieldInfo {
  const char* help = "";  ///< one phrase for the documentation
  bool required = false;  ///< reading fails when the key is absent
  double minimum = -std::numeric_limits<double>::infinity();  ///< of a number, inclusive
  double maximum = std::numeric_limits<double>::infinity();   ///< of a number, inclusive
  std::vector<std::string> choices = {};                      ///< of each string; empty: any
  /// Of an array of integers in a layer: it has one entry for each group, and is cut with them.
  bool per_group = false;
  /// Of an array of tables: it is not written where it has none.
  bool absent_when_empty = false;
};

/// A height and a width; written as one number (both equal) or as [height, width].
struct Size2 {
  int height = 1;
  int width = 1;
  bool operator==(const Size2&) const = default;
};

/// Visits the fields of a structure, one call a field.
class FieldVisitor {
 public:
  FieldVisitor() = default;
  FieldVisitor(const FieldVisitor&) = delete;
  FieldVisitor& operator=(const FieldVisitor&) = delete;
  virtual ~FieldVisitor() = default;

  virtual void field(const char* key, bool& value, const FieldInfo& info) = 0;
  virtual void field(const char* key, int& value, const FieldInfo& info) = 0;
  virtual void field(const char* key, std::int64_t& value, const FieldInfo& info) = 0;
  virtual void field(const char* key, double& value, const FieldInfo& info) = 0;
  /// Absent where there is no value.
  virtual void field(const char* key, std::optional<double>& value, const FieldInfo& info) = 0;
  virtual void field(const char* key, std::string& value, const FieldInfo& info) = 0;
  virtual void field(const char* key, Size2& value, const FieldInfo& info) = 0;
  virtual void field(const char* key, std::vector<int>& value, const FieldInfo& info) = 0;
  virtual void field(const char* key, std::vector<double>& value, const FieldInfo& info) = 0;
  virtual void field(const char* key, std::vector<std::string>& value, const FieldInfo& info) = 0;

  /// A table of its own: `visit` visits its fields.
  virtual void table(const char* key, const FieldInfo& info,
                     const std::function<void(FieldVisitor&)>& visit) = 0;

  /// An array of tables that only the owner can interpret. Reading calls `read` with each table;
  /// writing takes what `write` returns.
  virtual void tables(const char* key, const FieldInfo& info,
                      const std::function<void(const ConfigValue&)>& read,
                      const std::function<ConfigValue::Array()>& write) = 0;
};

/// Reads fields out of `table`. `finish()` refuses keys that no field has asked for.
/// Throws Error(kInvalidArgument) naming place, key, what was found and what is accepted.
class FieldReader final : public FieldVisitor {
 public:
  /// `table` must outlive the reader; `path` is the dotted name of the table ("" at the top).
  FieldReader(const ConfigValue& table, std::string path);

  void field(const char* key, bool& value, const FieldInfo& info) override;
  void field(const char* key, int& value, const FieldInfo& info) override;
  void field(const char* key, std::int64_t& value, const FieldInfo& info) override;
  void field(const char* key, double& value, const FieldInfo& info) override;
  void field(const char* key, std::optional<double>& value, const FieldInfo& info) override;
  void field(const char* key, std::string& value, const FieldInfo& info) override;
  void field(const char* key, Size2& value, const FieldInfo& info) override;
  void field(const char* key, std::vector<int>& value, const FieldInfo& info) override;
  void field(const char* key, std::vector<double>& value, const FieldInfo& info) override;
  void field(const char* key, std::vector<std::string>& value, const FieldInfo& info) override;
  void table(const char* key, const FieldInfo& info,
             const std::function<void(FieldVisitor&)>& visit) override;
  void tables(const char* key, const FieldInfo& info,
              const std::function<void(const ConfigValue&)>& read,
              const std::function<ConfigValue::Array()>& write) override;

  /// Throws for the first key of the table that no field has read, listing those known.
  void finish() const;

 private:
  const ConfigValue* take(const char* key, const FieldInfo& info);
  [[noreturn]] void fail(const ConfigValue& value, const char* key, const std::string& want) const;
  [[nodiscard]] std::string named(const char* key) const;
  template <class Integer>
  Integer integer(const ConfigValue& value, const char* key, const FieldInfo& info) const;
  double real(const ConfigValue& value, const char* key, const FieldInfo& info) const;
  const std::string& text(const ConfigValue& value, const char* key, const FieldInfo& info) const;

  const ConfigValue& table_;
  std::string path_;
  std::vector<std::string> known_;
};

/// Writes fields into a table, all of them that have a value, also those at their defaults.
class FieldWriter final : public FieldVisitor {
 public:
  void field(const char* key, bool& value, const FieldInfo& info) override;
  void field(const char* key, int& value, const FieldInfo& info) override;
  void field(const char* key, std::int64_t& value, const FieldInfo& info) override;
  void field(const char* key, double& value, const FieldInfo& info) override;
  void field(const char* key, std::optional<double>& value, const FieldInfo& info) override;
  void field(const char* key, std::string& value, const FieldInfo& info) override;
  void field(const char* key, Size2& value, const FieldInfo& info) override;
  void field(const char* key, std::vector<int>& value, const FieldInfo& info) override;
  void field(const char* key, std::vector<double>& value, const FieldInfo& info) override;
  void field(const char* key, std::vector<std::string>& value, const FieldInfo& info) override;
  void table(const char* key, const FieldInfo& info,
             const std::function<void(FieldVisitor&)>& visit) override;
  void tables(const char* key, const FieldInfo& info,
              const std::function<void(const ConfigValue&)>& read,
              const std::function<ConfigValue::Array()>& write) override;

  /// What has been written so far, as a table.
  [[nodiscard]] ConfigValue value() const { return ConfigValue(table_); }
  void add(const char* key, ConfigValue value) { table_.emplace_back(key, std::move(value)); }

 private:
  ConfigValue::Table table_;
};

/// One documented key.
struct FieldDocumentation {
  std::string key;      ///< dotted, "training.epochs"
  std::string type;     ///< "integer", "array of integers", ...
  std::string initial;  ///< the default as it would be written, or "required"
  std::string help;
  bool per_group = false;  ///< an array of integers whose field says so, see FieldInfo
};

/// Collects the documentation of every field, tables included.
class FieldDocumenter final : public FieldVisitor {
 public:
  explicit FieldDocumenter(std::string path) : path_(std::move(path)) {}

  void field(const char* key, bool& value, const FieldInfo& info) override;
  void field(const char* key, int& value, const FieldInfo& info) override;
  void field(const char* key, std::int64_t& value, const FieldInfo& info) override;
  void field(const char* key, double& value, const FieldInfo& info) override;
  void field(const char* key, std::optional<double>& value, const FieldInfo& info) override;
  void field(const char* key, std::string& value, const FieldInfo& info) override;
  void field(const char* key, Size2& value, const FieldInfo& info) override;
  void field(const char* key, std::vector<int>& value, const FieldInfo& info) override;
  void field(const char* key, std::vector<double>& value, const FieldInfo& info) override;
  void field(const char* key, std::vector<std::string>& value, const FieldInfo& info) override;
  void table(const char* key, const FieldInfo& info,
             const std::function<void(FieldVisitor&)>& visit) override;
  void tables(const char* key, const FieldInfo& info,
              const std::function<void(const ConfigValue&)>& read,
              const std::function<ConfigValue::Array()>& write) override;

  [[nodiscard]] const std::vector<FieldDocumentation>& entries() const { return entries_; }

 private:
  void add(const char* key, const char* type, const ConfigValue& initial, const FieldInfo& info);

  std::string path_;
  std::vector<FieldDocumentation> entries_;
};

}  // namespace bellows
