// Tables for people: columns aligned, numbers to the right.
#pragma once

#include <string>
#include <vector>

namespace bellows::cli {

struct Column {
  std::string title;
  enum class Align { kLeft, kRight } align = Align::kRight;
};

/// Rows under titles. Cells are UTF-8; what would disturb a terminal is replaced.
class Table {
 public:
  explicit Table(std::vector<Column> columns) : columns_(std::move(columns)) {}

  /// Missing cells stay empty. REQUIRES: no more cells than columns.
  void add(std::vector<std::string> cells);

  /// Line by line, two spaces between columns, no spaces at the ends of lines. The line of titles
  /// begins with `before_titles` and ends with `after_titles` (to set it off).
  [[nodiscard]] std::string text(const std::string& before_titles = {},
                                 const std::string& after_titles = {}) const;

 private:
  std::vector<Column> columns_;
  std::vector<std::vector<std::string>> rows_;
};

}  // namespace bellows::cli
