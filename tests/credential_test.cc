// The text of key files and paper keys: docs/format.md, section 2.
// covers F7.1, S11

#include "pagevault/repo/credential.h"

#include <gtest/gtest.h>

#include <cctype>
#include <string>

#include "key_samples.h"

namespace pagevault::repo {

namespace {

std::string key_file_text() {
  return std::string(as_text(format_key_file(std::get<KeyFileSecret>(golden_key_file())).expose()));
}

std::string paper_key_text() {
  return std::string(as_text(format_paper_key(golden_master().expose()).expose()));
}

TEST(KeyFile, IsOneLineOfPrefixDigitsAndCheckDigits) {
  const std::string text = key_file_text();
  EXPECT_EQ(text.size(), std::string("pagevault-key-1:").size() + 64 + 1 + 8 + 1);
  EXPECT_TRUE(text.starts_with("pagevault-key-1:c3c3c3c3")) << text;
  EXPECT_EQ(text[16 + 64], ':');
  EXPECT_EQ(text.back(), '\n');
}

TEST(KeyFile, ComesBackWithAndWithoutItsLineFeed) {
  std::string text = key_file_text();
  for (int i = 0; i < 2; ++i) {
    const auto secret = parse_key_file(as_bytes(text));
    ASSERT_TRUE(secret) << secret.error().message();
    EXPECT_EQ(to_hex(secret->bytes.expose()), to_hex(filled_secret(0xc3).expose()));
    text.pop_back();
  }
}

TEST(KeyFile, EveryChangedCharacterIsRefused) {
  const std::string text = key_file_text();
  for (std::size_t at = 0; at < text.size(); ++at) {
    for (int value = 0; value < 256; ++value) {
      std::string changed = text;
      changed[at] = static_cast<char>(value);
      if (changed == text) continue;
      EXPECT_FALSE(parse_key_file(as_bytes(changed))) << "character " << at << " is " << value;
    }
  }
}

TEST(KeyFile, EveryOtherLengthIsRefused) {
  const std::string text = key_file_text();
  for (std::size_t length = 0; length + 1 < text.size(); ++length) {
    EXPECT_FALSE(parse_key_file(as_bytes(text.substr(0, length)))) << length;
  }
  EXPECT_FALSE(parse_key_file(as_bytes(text + "\n")));
  EXPECT_FALSE(parse_key_file(as_bytes(text + text)));
}

TEST(KeyFile, ErrorNeverShowsTheContent) {
  std::string text = key_file_text();
  text[20] = 'f';
  const auto refused = parse_key_file(as_bytes(text));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code(), ErrorCode::InvalidArgument);
  EXPECT_EQ(refused.error().message().find("c3c3"), std::string::npos);
}

TEST(KeyFile, PaperKeyIsNoKeyFileAndTheOtherWayRound) {
  EXPECT_FALSE(parse_key_file(as_bytes(paper_key_text())));
  EXPECT_FALSE(parse_paper_key(as_bytes(key_file_text())));
}

TEST(PaperKey, ComesBackHoweverItIsSpacedAndCapitalised) {
  const std::string text = paper_key_text();
  std::string typed = " \t";
  for (const char c : text) {
    typed.push_back(static_cast<char>(std::toupper(static_cast<unsigned char>(c))));
    if (typed.size() % 5 == 0) typed += "\r\n ";
  }
  for (const std::string& each : {text, text.substr(0, text.size() - 1), typed}) {
    const auto master = parse_paper_key(as_bytes(each));
    ASSERT_TRUE(master) << master.error().message();
    EXPECT_EQ(to_hex(master->expose()), to_hex(golden_master().expose()));
  }
}

TEST(PaperKey, EveryChangedCharacterIsRefused) {
  const std::string text = paper_key_text();
  for (std::size_t at = 0; at + 1 < text.size(); ++at) {
    for (int value = 0; value < 256; ++value) {
      if (std::tolower(value) == text[at]) continue;
      std::string changed = text;
      changed[at] = static_cast<char>(value);
      EXPECT_FALSE(parse_paper_key(as_bytes(changed))) << "character " << at << " is " << value;
    }
  }
}

TEST(PaperKey, MissingOrDoubledCharactersAreRefused) {
  const std::string text = paper_key_text();
  for (std::size_t at = 0; at + 1 < text.size(); ++at) {
    std::string missing = text;
    missing.erase(at, 1);
    EXPECT_FALSE(parse_paper_key(as_bytes(missing))) << at;
    std::string doubled = text;
    doubled.insert(at, 1, text[at]);
    EXPECT_FALSE(parse_paper_key(as_bytes(doubled))) << at;
  }
  EXPECT_FALSE(parse_paper_key({}));
}

}  // namespace

}  // namespace pagevault::repo
