// Golden files: annotated hex, so that the bytes and their reading stand side by side. What follows
// a '#' is for people.

#pragma once

#include <gtest/gtest.h>

#include <cctype>
#include <fstream>
#include <string>

#include "pagevault/base/bytes.h"

namespace pagevault {

/// The bytes of `name` below tests/golden; a failed test when it is not there or not hex.
inline Bytes golden_bytes(const std::string& name) {
  std::ifstream file(std::string(PAGEVAULT_GOLDEN_DIR) + "/" + name);
  EXPECT_TRUE(file.is_open()) << name;
  std::string digits;
  for (std::string line; std::getline(file, line);) {
    for (const char c : line.substr(0, line.find('#'))) {
      if (std::isspace(static_cast<unsigned char>(c)) == 0) digits.push_back(c);
    }
  }
  const auto bytes = from_hex(digits);
  EXPECT_TRUE(bytes.has_value()) << name << " is not hex";
  return bytes.value_or(Bytes());
}

}  // namespace pagevault
