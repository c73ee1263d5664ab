// How the program ends: exit codes, and which error leads to which. docs/architecture.md, "Command
// line"; the numbers follow restic where it has one.

#pragma once

#include <string_view>

#include "pagevault/base/result.h"

namespace pagevault::cli {

enum class ExitCode : int {
  Ok = 0,
  Fatal = 1,
  Usage = 2,
  Incomplete = 3,
  NoRepository = 10,
  Busy = 11,
  WrongKey = 12,
  Damage = 20,
  WrongParent = 21,
  Interrupted = 130,
};

/// What a command came to. An Error is printed by main with its hint.
using Outcome = Result<ExitCode>;

/// How far the command had come: one error means different things at different places.
enum class Phase {
  Setup,    ///< Options, environment, credentials.
  Opening,  ///< The repository.
  Running,
};

ExitCode exit_code_for(Phase phase, ErrorCode code);
/// For help pages: "the repository does not exist".
std::string_view meaning_of(ExitCode code);
/// What the user can do next; empty when nothing better than the message is known. `command` is
/// its full name.
std::string_view hint_for(Phase phase, ErrorCode code, std::string_view command);

}  // namespace pagevault::cli
