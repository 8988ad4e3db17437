#include "cli/table.h"

#include <algorithm>
#include <cassert>
#include <utility>

#include "cli/console.h"

namespace bellows::cli {
namespace {

// Characters, not bytes: those that continue one in UTF-8 do not count.
std::size_t length_of(const std::string& text) {
  return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](char c) {
    return (static_cast<unsigned char>(c) & 0xc0U) != 0x80U;
  }));
}

}  // namespace

void Table::add(std::vector<std::string> cells) {
  assert(cells.size() <= columns_.size());
  cells.resize(columns_.size());
  for (std::string& cell : cells) cell = printable(cell);
  rows_.push_back(std::move(cells));
}

std::string Table::text(const std::string& before_titles, const std::string& after_titles) const {
  std::vector<std::size_t> widths;
  for (std::size_t i = 0; i < columns_.size(); ++i) {
    widths.push_back(length_of(columns_[i].title));
    for (const auto& row : rows_) widths[i] = std::max(widths[i], length_of(row[i]));
  }
  const auto line = [&](const auto& cell_of) {
    std::string made;
    for (std::size_t i = 0; i < columns_.size(); ++i) {
      const std::string& cell = cell_of(i);
      const std::string gap(widths[i] - length_of(cell), ' ');
      if (i > 0) made += "  ";
      made += columns_[i].align == Column::Align::kRight ? gap + cell : cell + gap;
    }
    made.erase(made.find_last_not_of(' ') + 1);
    return made;
  };
  std::string text = before_titles +
                     line([&](std::size_t i) -> const std::string& { return columns_[i].title; }) +
                     after_titles + "\n";
  for (const auto& row : rows_) {
    text += line([&](std::size_t i) -> const std::string& { return row[i]; }) + "\n";
  }
  return text;
}

}  // namespace bellows::cli
