// JSON as this program prints it: ASCII only, so that no name can play tricks (S17), and names of
// any bytes kept whole.

#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "console.h"

namespace pagevault::cli {

/// One line. Bytes that are not UTF-8 become U+FFFD.
std::string json_text(const Json& document);

/// `object[key] = name`, and its bytes as `key_hex` when JSON cannot say them.
void put_name(Json& object, std::string_view key, std::string_view name);

/// Prints one document, an array, element by element: lists need no memory.
class JsonArray {
 public:
  explicit JsonArray(Console& console) : console_(console) {}
  void add(const Json& element);
  void end();

 private:
  Console& console_;
  std::string held_;  // The last element waits to know whether a comma follows.
  bool begun_ = false;
};

}  // namespace pagevault::cli
