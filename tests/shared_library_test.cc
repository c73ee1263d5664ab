// Libraries that are loaded when they are needed, and what is said when they are not there.

#include "shared_library.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace pagevault::test {
namespace {

using pgsupport::SharedLibrary;
using ::testing::AllOf;
using ::testing::HasSubstr;

extern "C" double cos(double);  // As a header of the library would declare it.

TEST(SharedLibrary, GivesFunctionsOfTheTypeThatIsAskedFor) {
  SharedLibrary library("libm.so.6", "libc6");
  decltype(&cos) cosine = library.find("cos");
  ASSERT_TRUE(library.status());
  EXPECT_EQ(cosine(0), 1);
}

TEST(SharedLibrary, ThatIsMissingIsNamedWithItsPackage) {
  SharedLibrary library("libnowhere.so.5", "libnowhere5");
  decltype(&cos) nothing = library.find("cos");
  EXPECT_EQ(nothing, nullptr);
  ASSERT_FALSE(library.status());
  EXPECT_EQ(library.status().error().code(), ErrorCode::Unsupported);
  EXPECT_THAT(library.status().error().message(),
              AllOf(HasSubstr("libnowhere.so.5"), HasSubstr("package libnowhere5")));
}

TEST(SharedLibrary, IsOfNoUseWhenOneFunctionIsMissing) {
  SharedLibrary library("libm.so.6", "libc6");
  decltype(&cos) nothing = library.find("cosine_of_old");
  decltype(&cos) cosine = library.find("cos");
  EXPECT_EQ(nothing, nullptr);
  EXPECT_NE(cosine, nullptr);
  ASSERT_FALSE(library.status());
  EXPECT_THAT(library.status().error().message(), HasSubstr("cosine_of_old"));
}

}  // namespace
}  // namespace pagevault::test
