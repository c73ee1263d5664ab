// Columns of text for people.

#pragma once

#include <string>
#include <vector>

namespace pagevault::cli {

class TableText {
 public:
  enum class Align { Left, Right };
  struct Column {
    std::string heading;
    Align align = Align::Left;
  };
  explicit TableText(std::vector<Column> columns) : columns_(std::move(columns)) {}
  /// One escaped cell for each column.
  void add(std::vector<std::string> cells) { rows_.push_back(std::move(cells)); }
  /// Heading, a rule and the rows, two spaces between columns, no trailing spaces.
  std::vector<std::string> lines() const;

 private:
  std::vector<Column> columns_;
  std::vector<std::vector<std::string>> rows_;
};

}  // namespace pagevault::cli
