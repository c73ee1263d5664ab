// main of tests that use the sqlite helper: they are their own helper program.

#include <gtest/gtest.h>

#include <string_view>

#include "pagevault/sqlitesupport/helper_program.h"

int main(int count, char** arguments) {
  if (count == 2 &&
      std::string_view(arguments[1]) == pagevault::sqlitesupport::kSqliteHelperArgument) {
    return pagevault::sqlitesupport::run_sqlite_helper(0, 1);
  }
  ::testing::InitGoogleTest(&count, arguments);
  return RUN_ALL_TESTS();
}
