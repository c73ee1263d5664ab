#include "exit_code.h"

#include <array>
#include <optional>

namespace pagevault::cli {
namespace {

struct Hint {
  std::optional<Phase> phase;  // Nothing: any.
  ErrorCode code;
  std::string_view command;  // Empty: any.
  std::string_view text;
};

// The first that fits wins: the particular before the general.
constexpr std::array kHints = {
    Hint{Phase::Opening,
         ErrorCode::NotFound,
         {},
         "check the path and that the disk or share is mounted; `pagevault init` creates a new "
         "repository"},
    Hint{{},
         ErrorCode::WrongKey,
         "key import",
         "this paper key belongs to another repository, or a character of it was mistyped"},
    Hint{{},
         ErrorCode::WrongKey,
         {},
         "check which passphrase or key file belongs to this repository; without any, a paper key "
         "opens it: `pagevault key import FILE`"},
    Hint{{},
         ErrorCode::AlreadyExists,
         "init",
         "use another, empty folder, or the repository that is already there"},
    Hint{{}, ErrorCode::AlreadyExists, {}, "remove or rename what is in the way, or name another"},
    Hint{Phase::Setup,
         ErrorCode::NotFound,
         {},
         "check the path; a new key file is created by `pagevault init` and `pagevault key add` "
         "only"},
    Hint{{},
         ErrorCode::NotFound,
         "restore",
         "`pagevault snapshots` lists the snapshots, `pagevault ls SNAPSHOT` what is in one"},
    Hint{{},
         ErrorCode::NotFound,
         "dump",
         "`pagevault snapshots` lists the snapshots, `pagevault ls -R SNAPSHOT` the files in one"},
    Hint{{}, ErrorCode::NotFound, "backup files", "check that the paths exist"},
    Hint{{}, ErrorCode::NotFound, "key remove", "`pagevault key list` shows the ids"},
    Hint{Phase::Running, ErrorCode::NotFound, {}, "`pagevault snapshots` lists the snapshots"},
    Hint{{},
         ErrorCode::InvalidArgument,
         "key remove",
         "add and try out another key first: `pagevault key add`, then open the repository with "
         "it"},
    Hint{{}, ErrorCode::InvalidArgument, "dump", "name one regular file of the snapshot"},
    Hint{Phase::Opening,
         ErrorCode::Corrupt,
         {},
         "the repository itself is damaged: keep a copy as it is before any attempt to repair it"},
    Hint{Phase::Opening,
         ErrorCode::AuthFailed,
         {},
         "the repository itself is damaged or was tampered with: keep a copy as it is before any "
         "attempt to repair it"},
    Hint{Phase::Running, ErrorCode::Corrupt, "backup postgres",
         "nothing was stored in the repository's snapshots; `pg_verifybackup` names what is wrong "
         "with "
         "a base backup, too"},
    Hint{{},
         ErrorCode::WrongParent,
         {},
         "back up the base backup that this one was taken against first, or take a full one; "
         "`pagevault snapshots -v` shows where each begins"},
    Hint{Phase::Running, ErrorCode::InvalidArgument, "backup postgres",
         "name what pg_basebackup made: its folder, a folder of its tar files, or - for one tar on "
         "standard input"},
    Hint{Phase::Running, ErrorCode::NotFound, "backup postgres", "check the path"},
    Hint{Phase::Running, ErrorCode::Unsupported, "backup postgres",
         "docs/postgres.md says which servers and forms of base backups are supported"},
    Hint{{},
         ErrorCode::Corrupt,
         {},
         "`pagevault check --read-data` names everything that is damaged; undamaged files still "
         "restore"},
    Hint{{},
         ErrorCode::AuthFailed,
         {},
         "`pagevault check --read-data` names everything that is damaged; undamaged files still "
         "restore"},
    Hint{{}, ErrorCode::NoSpace, "restore", "free space below the target, or choose another one"},
    Hint{{},
         ErrorCode::NoSpace,
         {},
         "free space where the repository lies, then run the command again: nothing has to be "
         "cleaned up"},
    Hint{{}, ErrorCode::Locked, {}, "wait for the other process to end, then try again"},
    Hint{{},
         ErrorCode::Unsupported,
         {},
         "this repository needs a newer pagevault; nothing was changed"},
    Hint{{},
         ErrorCode::Cancelled,
         {},
         "run the command again when you like: nothing has to be cleaned up"},
    Hint{
        Phase::Opening, ErrorCode::Io, {}, "check the mount and the permissions of the repository"},
    Hint{{}, ErrorCode::Io, {}, "see the system's text above; the command can simply be run again"},
};

}  // namespace

ExitCode exit_code_for(Phase phase, ErrorCode code) {
  switch (code) {
    case ErrorCode::Cancelled:
      return ExitCode::Interrupted;
    case ErrorCode::WrongKey:
      return ExitCode::WrongKey;
    case ErrorCode::Locked:
      return ExitCode::Busy;
    case ErrorCode::Corrupt:
    case ErrorCode::AuthFailed:
      return ExitCode::Damage;
    case ErrorCode::WrongParent:
      return ExitCode::WrongParent;
    case ErrorCode::NotFound:
      return phase == Phase::Opening ? ExitCode::NoRepository : ExitCode::Fatal;
    case ErrorCode::InvalidArgument:
      return phase == Phase::Setup ? ExitCode::Usage : ExitCode::Fatal;
    default:
      return ExitCode::Fatal;
  }
}

std::string_view meaning_of(ExitCode code) {
  switch (code) {
    case ExitCode::Ok:
      return "done";
    case ExitCode::Fatal:
      return "failed; the message says why";
    case ExitCode::Usage:
      return "wrong use: unknown option, missing argument";
    case ExitCode::Incomplete:
      return "snapshot made, but some sources could not be read";
    case ExitCode::NoRepository:
      return "no repository at that place";
    case ExitCode::Busy:
      return "in use by another process";
    case ExitCode::WrongKey:
      return "wrong passphrase or key file";
    case ExitCode::Damage:
      return "damage found";
    case ExitCode::WrongParent:
      return "the snapshot that this incremental builds on is not here";
    case ExitCode::Interrupted:
      return "interrupted";
  }
  return {};
}

std::string_view hint_for(Phase phase, ErrorCode code, std::string_view command) {
  for (const Hint& hint : kHints) {
    if (hint.code != code) continue;
    if (hint.phase && *hint.phase != phase) continue;
    if (hint.command.empty() || hint.command == command) return hint.text;
  }
  return {};
}

}  // namespace pagevault::cli
