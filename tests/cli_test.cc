// The parts of the command line that touch nothing: texts, numbers, tables of commands, options.

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "cluster_text.h"
#include "command_line.h"
#include "database_diff_text.h"
#include "entry_text.h"
#include "escape.h"
#include "help.h"
#include "human_numbers.h"
#include "json_text.h"
#include "nearest_word.h"
#include "progress_line.h"
#include "table_text.h"
#include "tablespace_options.h"
#include "timestamps.h"
#include "user_file.h"
#include "user_paths.h"

namespace pagevault::cli {
namespace {

constexpr std::int64_t kSecond = 1'000'000'000;

// ---- PostgreSQL clusters

Result<engine::ClusterOptions> cluster_options(const std::vector<std::string>& words) {
  PV_TRY_ASSIGN(const Options options, parse_options(cluster_option_specs(), words));
  return parse_cluster_options(options);
}

TEST(ClusterOptions, SayWhereTablespacesGoAndHowToRecover) {
  const auto none = cluster_options({});
  ASSERT_TRUE(none);
  EXPECT_TRUE(none->recovery_signal);
  const auto options = cluster_options(
      {"--tablespace-map", "16385=/srv/a=b c", "--tablespace-map=all=/spaces", "--tablespace-map",
       "16386=in-place", "--recovery-option", "restore_command=cp /wal/%f %p", "--recovery-option",
       "primary_conninfo=", "--no-recovery-signal"});
  ASSERT_TRUE(options) << options.error().message();
  EXPECT_EQ(options->tablespaces,
            (std::vector<engine::TablespaceTarget>{{.oid = 16'385, .directory = "/srv/a=b c"},
                                                   {.oid = 16'386, .directory = ""}}));
  EXPECT_EQ(options->tablespaces_below, "/spaces");
  ASSERT_EQ(options->recovery_options.size(), 2U);
  EXPECT_EQ(options->recovery_options[0].name, "restore_command");
  EXPECT_EQ(options->recovery_options[0].value, "cp /wal/%f %p");
  EXPECT_EQ(options->recovery_options[1].value, "");
  EXPECT_FALSE(options->recovery_signal);
}

TEST(ClusterOptions, RefuseWhatIsNoMapOrSetting) {
  for (const char* bad : {"16385", "16385=", "=/srv/a", "0=/srv/a", "-1=/srv/a", "4294967296=/a",
                          "16385x=/a", "name=/a", "16385=relative", "all=in-place", "all=x", ""}) {
    EXPECT_FALSE(cluster_options({"--tablespace-map", bad})) << bad;
  }
  EXPECT_FALSE(cluster_options({"--tablespace-map", "all=/a", "--tablespace-map", "all=/b"}));
  for (const char* bad : {"restore_command", "=x", ""}) {
    EXPECT_FALSE(cluster_options({"--recovery-option", bad})) << bad;
  }
}

TEST(ClusterText, NamesWhatIsDoubtful) {
  using Kind = repo::PostgresDoubt::Kind;
  repo::PostgresRecord record;
  EXPECT_TRUE(doubt_texts(record).empty());
  record.doubts = {{.kind = Kind::DamagedPages, .path = "base/5/1", .count = 2},
                   {.kind = Kind::TruncatedInParentInterval, .path = "base/5/2", .count = 0},
                   {.kind = Kind::DamagedFile, .path = "base/5/3", .count = 0}};
  auto texts = doubt_texts(record);
  ASSERT_EQ(texts.size(), 3U);
  EXPECT_EQ(texts[0], "base/5/1: 2 pages did not have their checksum when they were backed up");
  EXPECT_NE(texts[1].find("base/5/2: truncated"), std::string::npos);
  EXPECT_NE(texts[2].find("base/5/3: did not have"), std::string::npos);
  record.doubts.resize(110, record.doubts[0]);
  record.doubts_more = 7;
  texts = doubt_texts(record);
  ASSERT_EQ(texts.size(), 101U);
  EXPECT_EQ(texts.back(), "and 17 more doubts of this kind");
}

TEST(ClusterText, NamesTheWalThatASnapshotLacks) {
  repo::PostgresRecord record;
  record.wal_included = true;
  EXPECT_EQ(missing_wal_text(record), "");
  record.wal_included = false;
  record.timeline = 3;
  record.start_lsn = 0x1'0200'0028;
  EXPECT_NE(missing_wal_text(record).find("timeline 3 from 1/2000028 on"), std::string::npos);
  record.wal_ranges = {{.timeline = 3, .start = 0x1'0200'0100, .end = 0x1'0200'0200},
                       {.timeline = 2, .start = 0x1'0200'0028, .end = 0x1'0200'0100}};
  EXPECT_NE(missing_wal_text(record).find("timeline 3 from 1/2000100 to 1/2000200, timeline 2 from "
                                          "1/2000028 to 1/2000100"),
            std::string::npos)
      << missing_wal_text(record);
}

// ---- Escaping. covers F6.7, S17

TEST(Escape, LeavesPlainTextAndOtherAlphabetsAlone) {
  EXPECT_EQ(escape_for_terminal("/srv/données/Ω.db"), "/srv/données/Ω.db");
  EXPECT_EQ(escape_for_terminal(""), "");
}

TEST(Escape, WritesControlCharactersOut) {
  EXPECT_EQ(escape_for_terminal("a\nb\tc\rd"), "a\\nb\\tc\\rd");
  EXPECT_EQ(escape_for_terminal("\x1b[2Jx\x07\x7f"), "\\x1b[2Jx\\x07\\x7f");
  EXPECT_EQ(escape_for_terminal(std::string_view("\0", 1)), "\\x00");
  EXPECT_EQ(escape_for_terminal("\xc2\x9b"), "\\u{9b}") << "C1: a one-character ESC [";
}

TEST(Escape, WritesTextThatHidesOrReordersOut) {
  EXPECT_EQ(escape_for_terminal("a\u202Eb"), "a\\u{202e}b");
  EXPECT_EQ(escape_for_terminal("a\u200Bb"), "a\\u{200b}b");
}

TEST(Escape, DoublesTheBackslashSoThatNothingIsAmbiguous) {
  EXPECT_EQ(escape_for_terminal("\\n"), "\\\\n");
  EXPECT_NE(escape_for_terminal("\\x1b"), escape_for_terminal("\x1b"));
}

TEST(Escape, WritesBytesThatAreNotUtf8AsHex) {
  EXPECT_EQ(escape_for_terminal("a\xff\x80z"), "a\\xff\\x80z");
  EXPECT_EQ(escape_for_terminal("\xc0\xaf"), "\\xc0\\xaf") << "over-long '/'";
  EXPECT_EQ(escape_for_terminal("\xed\xa0\x80"), "\\xed\\xa0\\x80") << "surrogate";
  EXPECT_EQ(escape_for_terminal("\xe2\x82"), "\\xe2\\x82") << "cut off";
  EXPECT_EQ(escape_for_terminal("\xf4\x90\x80\x80"), "\\xf4\\x90\\x80\\x80") << "beyond Unicode";
}

TEST(Escape, LeavesNoByteATerminalObeysWhateverComesIn) {
  std::string all;
  for (int high = 0; high < 256; ++high) {
    for (int low = 0; low < 256; ++low) all += {static_cast<char>(high), static_cast<char>(low)};
  }
  const std::string safe = escape_for_terminal(all);
  EXPECT_TRUE(is_valid_utf8(safe));
  EXPECT_TRUE(std::ranges::none_of(safe, [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return byte < 0x20 || byte == 0x7F;
  }));
}

TEST(Escape, KeepsTheEndOfALongPathWithinItsColumns) {
  EXPECT_EQ(keep_end("/a/bc", 5), "/a/bc");
  EXPECT_EQ(keep_end("/srv/app/orders.db", 12), "...orders.db");
  EXPECT_EQ(keep_end("ééééé", 4), "...é");
  EXPECT_EQ(keep_end("abcdef", 2), "");
}

TEST(Json, IsAsciiAndKeepsNamesThatAreNotUtf8AsHex) {
  Json document;
  put_name(document, "path", "/a\xff\x1b");
  put_name(document, "other", "\u202E");
  const std::string text = json_text(document);
  EXPECT_TRUE(std::ranges::all_of(text, [](char c) { return c >= 0x20 && c < 0x7F; })) << text;
  EXPECT_EQ(Json::parse(text)["path_hex"], "2f61ff1b");
  EXPECT_FALSE(Json::parse(text).contains("other_hex"));
}

// ---- What changed in a database.

engine::OwnerDifference table_difference(std::string name, std::uint32_t before,
                                         std::uint32_t after, std::uint32_t changed) {
  return {{sqlitesupport::PageOwnerType::Table, name, name}, before, after, changed};
}

TEST(DatabaseDiffText, IsALineForEachTableAndIndex) {
  engine::DatabaseDiff diff;
  diff.owners = {table_difference("users", 1204, 1310, 240),
                 {{sqlitesupport::PageOwnerType::Index, "by\x1b", "users"}, 310, 310, 13},
                 {{sqlitesupport::PageOwnerType::Schema, "", ""}, 1, 1, 1},
                 {{sqlitesupport::PageOwnerType::Freelist, "", ""}, 7, 0, 0}};
  const std::vector<std::string> lines = {"       table users: 1,204 -> 1,310 pages, 240 changed",
                                          "       index by\\x1b of users: 310 pages, 13 changed",
                                          "       schema: 1 page, 1 changed",
                                          "       free pages: 7 -> 0 pages, 0 changed"};
  EXPECT_EQ(database_diff_lines(diff), lines);
}

TEST(DatabaseDiffText, ShowsTwentyAndCountsTheRest) {
  engine::DatabaseDiff diff;
  for (int i = 0; i < 20; ++i) diff.owners.push_back(table_difference("t", 1, 2, 3));
  EXPECT_EQ(database_diff_lines(diff).size(), 20U);
  diff.owners.resize(1021, diff.owners.front());
  const auto lines = database_diff_lines(diff);
  ASSERT_EQ(lines.size(), 21U);
  EXPECT_EQ(lines.back(), "       and 1,001 more");
  EXPECT_EQ(database_diff_json(diff)["owners"].size(), 1021U);
}

TEST(DatabaseDiffText, AsJsonHasEveryNumber) {
  engine::DatabaseDiff diff;
  diff.page_size = 4096;
  diff.pages_before = 12;
  diff.pages_after = 15;
  diff.pages_changed = 4;
  diff.complete = false;
  diff.owners = {{{sqlitesupport::PageOwnerType::Index, "i", "t"}, 2, 5, 4},
                 {{sqlitesupport::PageOwnerType::PointerMap, "", ""}, 1, 2, 0}};
  EXPECT_EQ(json_text(database_diff_json(diff)),
            R"({"page_size":4096,"pages_before":12,"pages_after":15,"pages_changed":4,)"
            R"("complete":false,"owners":[{"type":"index","name":"i","table":"t",)"
            R"("pages_before":2,"pages_after":5,"pages_changed":4},)"
            R"({"type":"pointer_map","pages_before":1,"pages_after":2,"pages_changed":0}]})");
}

// ---- Numbers and times

TEST(HumanNumbers, ShowBytesWithOneDecimalInPowersOf1024) {
  EXPECT_EQ(human_bytes(0), "0 B");
  EXPECT_EQ(human_bytes(1023), "1023 B");
  EXPECT_EQ(human_bytes(1024), "1.0 KiB");
  EXPECT_EQ(human_bytes(1536), "1.5 KiB");
  EXPECT_EQ(human_bytes(1024 * 1024 - 1), "1.0 MiB");
  EXPECT_EQ(human_bytes(20 * kGiB), "20.0 GiB");
  EXPECT_EQ(human_bytes(UINT64_MAX), "16.0 EiB");
}

TEST(HumanNumbers, ShowCountsAndDurations) {
  EXPECT_EQ(human_count(999), "999");
  EXPECT_EQ(human_count(1000), "1,000");
  EXPECT_EQ(human_count(1234567), "1,234,567");
  EXPECT_EQ(human_plural(1, "file"), "1 file");
  EXPECT_EQ(human_plural(0, "file"), "0 files");
  EXPECT_EQ(human_duration(420'000'000), "0.42 s");
  EXPECT_EQ(human_duration(12 * kSecond), "12.0 s");
  EXPECT_EQ(human_duration(187 * kSecond), "3:07");
  EXPECT_EQ(human_duration(7387 * kSecond), "2:03:07");
  EXPECT_EQ(human_share(1, 8), "12.5 %");
  EXPECT_EQ(human_share(0, 0), "-");
}

TEST(HumanNumbers, TakeWholeSharesFromOneToAHundredOnly) {
  EXPECT_EQ(parse_percent("5%").value(), 5U);
  EXPECT_EQ(parse_percent("100").value(), 100U);
  for (const char* bad : {"", "%", "0", "0%", "101%", "-5%", "5.5%", "5 %", "x", "5%%"}) {
    EXPECT_FALSE(parse_percent(bad)) << bad;
  }
}

TEST(HumanNumbers, TakeIntervalsOfSecondsMinutesAndHours) {
  EXPECT_EQ(parse_interval("1s").value(), kSecond);
  EXPECT_EQ(parse_interval("5m").value(), 300 * kSecond);
  EXPECT_EQ(parse_interval("1000h").value(), 3'600'000 * kSecond);
  for (const char* bad : {"", "s", "0s", "10", "-1s", "1.5s", "1 s", "1d", "1001h", "5ms",
                          "99999999999999999999s", "1200000000000000h"}) {
    EXPECT_FALSE(parse_interval(bad)) << bad;
  }
}

TEST(Timestamps, AreRfc3339InUtcAlsoBefore1970) {
  EXPECT_EQ(rfc3339_time(0), "1970-01-01T00:00:00Z");
  EXPECT_EQ(rfc3339_time(-1), "1969-12-31T23:59:59Z");
  EXPECT_EQ(rfc3339_time(1'700'000'000'999'999'999), "2023-11-14T22:13:20Z");
}

TEST(Timestamps, FollowTheTimeZoneForPeople) {
  setenv("TZ", "Europe/Paris", 1);
  tzset();
  const std::string text = local_time(1'700'000'000'000'000'000);
  unsetenv("TZ");
  tzset();
  EXPECT_TRUE(text == "2023-11-14 23:13:20" || text == "2023-11-14 22:13:20")
      << text << " (the latter where no time zones are installed)";
}

// ---- Progress and tables

TEST(ProgressText, ShowsShareRateAndRemainingTimeAndFitsTheTerminal) {
  const Progress half{.items = 12,
                      .bytes = 200 * kMiB,
                      .done = 200 * kMiB,
                      .total = 400 * kMiB,
                      .current = "/srv/app/a\nb.db"};
  EXPECT_EQ(progress_text(half, 10 * kSecond, 100),
            "[0:10] 50.0 %  12 files, 200.0 MiB, 20.0 MiB/s, 0:10 left  /srv/app/a\\nb.db");
  for (std::size_t columns = 5; columns < 120; ++columns) {
    EXPECT_LT(columns_of(progress_text(half, 10 * kSecond, columns)), columns);
  }
}

TEST(ProgressText, NeverDividesByNothing) {
  EXPECT_EQ(progress_text({.unit = "packs"}, 0, 80), "[0:00] 0 packs  ");
  EXPECT_EQ(progress_text({.unit = "packs", .total = 4}, 0, 80), "[0:00] 0.0 %  0 packs  ");
}

TEST(TableText, AlignsColumnsByWhatIsSeen) {
  TableText table({{"ID"}, {"Size", TableText::Align::Right}, {"Path"}});
  table.add({"é", "1 B", "/a"});
  table.add({"abc", "10 B", ""});
  EXPECT_EQ(table.lines(), (std::vector<std::string>{"ID   Size  Path", "---------------",
                                                     "é     1 B  /a", "abc  10 B"}));
}

// ---- Paths

TEST(UserPaths, BecomeAbsoluteAndNormal) {
  EXPECT_EQ(absolute_path("/home/me", "a"), "/home/me/a");
  EXPECT_EQ(absolute_path("/home/me", "../you/./x//y/"), "/home/you/x/y");
  EXPECT_EQ(absolute_path("/home", "/../.."), "/");
  EXPECT_EQ(absolute_path("/", "."), "/");
}

TEST(UserPaths, LeaveOutRepeatsAndWhatLiesBelowAnother) {
  using Paths = std::vector<std::string>;
  EXPECT_EQ(distinct_paths({"/b", "/a/x", "/a", "/b", "/ab"}), (Paths{"/b", "/a", "/ab"}));
  EXPECT_EQ(distinct_paths({"/", "/etc"}), (Paths{"/"}));
}

TEST(UserPaths, SplitSnapshotAndPathWithoutBreakingTimes) {
  const auto parts = [](std::string_view text) {
    const SnapshotPlace place = parse_snapshot_place(text);
    return place.snapshot + "|" + place.path;
  };
  EXPECT_EQ(parts("latest"), "latest|");
  EXPECT_EQ(parts("latest:/srv/a:b"), "latest|/srv/a:b");
  EXPECT_EQ(parts("3f2a91c0:srv"), "3f2a91c0|srv");
  EXPECT_EQ(parts("2026-11-20T12:00:00Z"), "2026-11-20T12:00:00Z|");
  EXPECT_EQ(parts("2026-11-20T12:00:00Z:/srv"), "2026-11-20T12:00:00Z|/srv");
}

TEST(UserPaths, MatchPatternsByNameOrByWholePath) {
  EXPECT_TRUE(path_matches("*.db", "/srv/app/a.db"));
  EXPECT_FALSE(path_matches("*.db", "/srv/a.db/readme"));
  EXPECT_TRUE(path_matches("/srv/*.db", "/srv/app/a.db"));
  EXPECT_FALSE(path_matches("srv/*.db", "/srv/app/a.db"));
  EXPECT_TRUE(path_matches("README", "/a/readme", {.ignore_case = true}));
}

TEST(UserPaths, ReadPatternFilesWithoutCommentsAndBlankLines) {
  EXPECT_EQ(pattern_lines("*.tmp\r\n\n# x\n  \n/srv/cache"),
            (std::vector<std::string>{"*.tmp", "/srv/cache"}));
}

TEST(SecretFile, GivesItsFirstLineWithoutTheEnd) {
  const auto line = [](std::string_view text) {
    return std::string(as_text(first_line(SecretBytes::copy_of(as_bytes(text))).expose()));
  };
  EXPECT_EQ(line("secret\nmore\n"), "secret");
  EXPECT_EQ(line("secret\r\n"), "secret");
  EXPECT_EQ(line(" spaces stay "), " spaces stay ");
  EXPECT_EQ(line(""), "");
}

TEST(EntryText, ShowsModesAsLsDoes) {
  EXPECT_EQ(mode_text({.type = FileType::Regular, .mode = 0640}), "-rw-r-----");
  EXPECT_EQ(mode_text({.type = FileType::Regular, .mode = 06755}), "-rwsr-sr-x");
  EXPECT_EQ(mode_text({.type = FileType::Directory, .mode = 01777}), "drwxrwxrwt");
  EXPECT_EQ(mode_text({.type = FileType::Directory, .mode = 01000}), "d--------T");
}

// ---- The table of commands

TEST(Commands, AllHaveHelpANewcomerCanWorkFrom) {
  for (const Command* command : all_commands()) {
    SCOPED_TRACE(std::string(command->name));
    EXPECT_FALSE(command->summary.empty());
    EXPECT_GE(command->description.size(), 60U);
    EXPECT_GE(command->examples.size(), 2U);
    EXPECT_NE(command->run, nullptr);
    const std::string page = help_text(*command);
    for (const std::string part : {"Usage: pagevault ", "Examples:", "Exit codes:"}) {
      EXPECT_NE(page.find(part), std::string::npos) << part;
    }
    for (const Example& example : command->examples) EXPECT_FALSE(example.what.empty());
  }
}

TEST(Commands, HaveDistinctNamesAndTheirGroupsStandTogether) {
  std::set<std::string_view> names;
  std::vector<std::string_view> groups;
  for (const Command* command : all_commands()) {
    EXPECT_TRUE(names.insert(command->name).second) << command->name;
    if (groups.empty() || groups.back() != command->group) groups.push_back(command->group);
  }
  EXPECT_EQ(std::set(groups.begin(), groups.end()).size(), groups.size());
}

TEST(Commands, DefineNoOptionTwice) {
  for (const Command* command : all_commands()) {
    std::set<std::string> seen;
    for (const OptionSpec& spec : options_of(*command)) {
      EXPECT_TRUE(seen.insert(std::string(spec.name)).second) << command->name << " " << spec.name;
      if (spec.letter == 0) continue;
      EXPECT_TRUE(seen.insert(std::string(1, spec.letter)).second)
          << command->name << " -" << spec.letter;
    }
  }
}

TEST(Commands, SayWhatEveryOptionDoes) {
  for (const Command* command : all_commands()) {
    for (const OptionSpec& spec : options_of(*command)) {
      EXPECT_FALSE(spec.help.empty()) << spec.name;
      EXPECT_EQ(spec.kind == OptionKind::Flag, spec.value_name.empty()) << spec.name;
    }
  }
}

TEST(Commands, HelpLinesFitAnOrdinaryTerminal) {
  std::string pages = overview_text();
  for (const Command* command : all_commands()) pages += help_text(*command);
  for (std::size_t at = 0; at < pages.size();) {
    const std::size_t end = pages.find('\n', at);
    EXPECT_LE(end - at, 100U) << pages.substr(at, end - at);
    at = end + 1;
  }
}

// ---- The command line

Result<CommandLine> parse(std::vector<std::string> words) { return parse_command_line(words); }

std::string problem_of(std::vector<std::string> words) {
  const auto parsed = parse(std::move(words));
  if (parsed) return "parsed";
  EXPECT_EQ(parsed.error().code(), ErrorCode::InvalidArgument);
  return parsed.error().message();
}

TEST(CommandLine, TakesGlobalOptionsBeforeBetweenAndAfterTheCommand) {
  for (const auto& words :
       std::vector<std::vector<std::string>>{{"-r", "/repo", "backup", "files", "/a"},
                                             {"backup", "-r", "/repo", "files", "/a"},
                                             {"backup", "files", "/a", "-r", "/repo"},
                                             {"backup", "files", "--repo=/repo", "/a"}}) {
    const auto line = parse(words);
    ASSERT_TRUE(line) << line.error().message();
    EXPECT_EQ(line->command->name, "backup files");
    EXPECT_EQ(line->options.text("repo"), "/repo");
    EXPECT_EQ(line->options.words(), (std::vector<std::string>{"/a"}));
  }
}

TEST(CommandLine, KeepsWordsAfterTwoDashes) {
  const auto line = parse({"backup", "files", "--", "-r", "--tag"});
  ASSERT_TRUE(line) << line.error().message();
  EXPECT_EQ(line->options.words(), (std::vector<std::string>{"-r", "--tag"}));
}

TEST(CommandLine, CountsFlagsAndCollectsLists) {
  const auto line = parse({"backup", "files", "/a", "--tag", "x", "-vv", "--tag=y", "-v"});
  ASSERT_TRUE(line) << line.error().message();
  EXPECT_EQ(line->options.list("tag"), (std::vector<std::string>{"x", "y"}));
  EXPECT_EQ(line->options.count("verbose"), 3U);
}

TEST(CommandLine, SuggestsTheNearestCommandAndOption) {
  EXPECT_NE(problem_of({"snapshot"}).find("did you mean 'snapshots'"), std::string::npos);
  EXPECT_NE(problem_of({"bakcup", "files"}).find("unknown command"), std::string::npos);
  EXPECT_NE(problem_of({"key", "lst"}).find("did you mean 'key list'"), std::string::npos);
  EXPECT_NE(problem_of({"backup", "files", "/a", "--exlude", "x"}).find("did you mean --exclude"),
            std::string::npos);
  EXPECT_NE(problem_of({"--jsn", "snapshots"}).find("did you mean --json"), std::string::npos);
}

TEST(CommandLine, RefusesWhatItDoesNotUnderstand) {
  EXPECT_NE(problem_of({"restore", "latest", "--target", "/t", "--overwrite", "maybe"})
                .find("is none of always, if-changed, never"),
            std::string::npos);
  EXPECT_NE(problem_of({"backup", "files"}).find("too few"), std::string::npos);
  EXPECT_NE(problem_of({"stats", "x"}).find("takes no arguments"), std::string::npos);
  EXPECT_NE(problem_of({"diff", "a", "b", "c"}).find("too many"), std::string::npos);
  EXPECT_NE(problem_of({"backup"}).find("backup stdin"), std::string::npos);
  EXPECT_NE(problem_of({}).find("which command"), std::string::npos);
  EXPECT_NE(problem_of({"stats", "-r", "a", "-r", "b"}).find("more than once"), std::string::npos);
  EXPECT_NE(problem_of({"stats", "-r"}), "parsed");
  EXPECT_NE(problem_of({"stats", "--js"}), "parsed") << "prefixes would break with new options";
  EXPECT_NE(problem_of({"stats", "--json=yes"}), "parsed");
}

// ---- Settings

Result<Settings> settings_of(std::vector<std::string> words, Environment environment,
                             unsigned user_id = 1000) {
  words.emplace_back("stats");
  const auto line = parse(std::move(words));
  EXPECT_TRUE(line);
  return resolve_settings(line->options, std::move(environment), user_id);
}

Environment environment_with_repository() { return {.repository = "/env"}; }

TEST(SettingsFrom, OptionsBeatTheEnvironment) {
  Environment environment = environment_with_repository();
  environment.key_file = "/env.key";
  environment.cache_dir = "/env-cache";
  const auto settings = settings_of({"-r", "/opt", "--password-file", "/p", "--cache-dir", "/c"},
                                    std::move(environment));
  ASSERT_TRUE(settings) << settings.error().message();
  EXPECT_EQ(settings->repository, "/opt");
  EXPECT_EQ(settings->cache_root, "/c");
  EXPECT_EQ(settings->credential.kind, CredentialSource::Kind::PasswordFile);
}

TEST(SettingsFrom, MoreThanOneKeyIsRefused) {
  EXPECT_FALSE(settings_of({"--key-file", "a", "--password-file", "b"}, {.repository = "/r"}));
  Environment environment = environment_with_repository();
  environment.key_file = "/k";
  environment.password = SecretBytes::copy_of(as_bytes("swordfish"));
  const auto both = settings_of({}, std::move(environment));
  ASSERT_FALSE(both);
  EXPECT_EQ(both.error().message().find("swordfish"), std::string::npos);
}

TEST(SettingsFrom, ThePasswordOfTheEnvironmentIsTakenOver) {
  Environment environment = environment_with_repository();
  environment.password = SecretBytes::copy_of(as_bytes("swordfish"));
  const auto settings = settings_of({}, std::move(environment));
  ASSERT_TRUE(settings);
  EXPECT_EQ(as_text(settings->credential.password.expose()), "swordfish");
}

TEST(SettingsFrom, TheCacheLiesWhereCachesLie) {
  EXPECT_EQ(settings_of({}, {.repository = "/r", .home = "/home/me"})->cache_root,
            "/home/me/.cache/pagevault");
  EXPECT_EQ(settings_of({}, {.repository = "/r", .xdg_cache_home = "/x", .home = "/h"})->cache_root,
            "/x/pagevault");
  EXPECT_EQ(settings_of({}, {.repository = "/r"}, 0)->cache_root, "/var/cache/pagevault");
  EXPECT_EQ(settings_of({"--no-cache"}, {.repository = "/r", .home = "/h"})->cache_root, "");
}

TEST(SettingsFrom, WrongValuesAreErrorsNotDefaults) {
  EXPECT_FALSE(settings_of({}, {}));
  EXPECT_FALSE(settings_of({}, {.repository = "/r", .compression = "ultra"}));
  EXPECT_FALSE(settings_of({"-r", ""}, {}));
  EXPECT_FALSE(settings_of({}, {.repository = "/r", .repository_file = "/f"}));
}

// ---- Exit codes and hints

TEST(ExitCodes, FollowTheContract) {
  EXPECT_EQ(exit_code_for(Phase::Opening, ErrorCode::NotFound), ExitCode::NoRepository);
  EXPECT_EQ(exit_code_for(Phase::Running, ErrorCode::NotFound), ExitCode::Fatal);
  EXPECT_EQ(exit_code_for(Phase::Setup, ErrorCode::InvalidArgument), ExitCode::Usage);
  EXPECT_EQ(exit_code_for(Phase::Opening, ErrorCode::WrongKey), ExitCode::WrongKey);
  EXPECT_EQ(exit_code_for(Phase::Running, ErrorCode::AuthFailed), ExitCode::Damage);
  EXPECT_EQ(exit_code_for(Phase::Running, ErrorCode::Locked), ExitCode::Busy);
  EXPECT_EQ(exit_code_for(Phase::Running, ErrorCode::Cancelled), ExitCode::Interrupted);
}

TEST(ExitCodes, EveryErrorAtTheRepositoryHasAHint) {
  for (const ErrorCode code :
       {ErrorCode::NotFound, ErrorCode::Corrupt, ErrorCode::AuthFailed, ErrorCode::WrongKey,
        ErrorCode::Io, ErrorCode::NoSpace, ErrorCode::Locked, ErrorCode::Unsupported}) {
    EXPECT_FALSE(hint_for(Phase::Opening, code, "stats").empty()) << to_string(code);
  }
}

TEST(NearestWord, FindsSlipsOfTheFingerAndLeavesTheRest) {
  const std::vector<std::string> words = {"restore", "repair index", "diff"};
  EXPECT_EQ(nearest_word("resotre", words), "restore");
  EXPECT_EQ(nearest_word("repair", words), "repair index");
  EXPECT_EQ(nearest_word("mount", words), "");
}

}  // namespace
}  // namespace pagevault::cli
