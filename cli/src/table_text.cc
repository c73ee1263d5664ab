#include "table_text.h"

#include <algorithm>

#include "escape.h"

namespace pagevault::cli {

std::vector<std::string> TableText::lines() const {
  std::vector<std::string> headings;
  std::vector<std::size_t> widths;
  for (std::size_t i = 0; i < columns_.size(); ++i) {
    headings.push_back(columns_[i].heading);
    widths.push_back(columns_of(columns_[i].heading));
    for (const auto& row : rows_) widths[i] = std::max(widths[i], columns_of(row[i]));
  }
  const auto line_of = [&](const std::vector<std::string>& cells) {
    std::string line;
    for (std::size_t i = 0; i < cells.size(); ++i) {
      const std::string gap(widths[i] - columns_of(cells[i]), ' ');
      if (i > 0) line += "  ";
      line += columns_[i].align == Align::Right ? gap + cells[i] : cells[i] + gap;
    }
    return line.erase(line.find_last_not_of(' ') + 1);
  };
  std::vector<std::string> out = {line_of(headings)};
  std::size_t total = 2 * (widths.size() - 1);
  for (const std::size_t width : widths) total += width;
  out.emplace_back(total, '-');
  for (const auto& row : rows_) out.push_back(line_of(row));
  return out;
}

}  // namespace pagevault::cli
