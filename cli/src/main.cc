// The program: sets the process up, finds the command, runs it, and turns what it came to into an
// exit code. Foreign exceptions stop here.

#include <fmt/format.h>
#include <unistd.h>

#include <exception>
#include <new>

#include "command_line.h"
#include "help.h"
#include "interruption.h"
#include "pagevault/base/linux_env.h"
#include "pagevault/sqlitesupport/helper_program.h"
#include "process_setup.h"

namespace pagevault::cli {
namespace {

ConsoleOptions console_options(const std::vector<std::string>& arguments) {
  return {.json = has_flag(arguments, "--json")};
}

ConsoleOptions console_options(const Options& options) {
  return {.json = options.has("json"),
          .quiet = options.has("quiet"),
          .verbosity = options.count("verbose"),
          .progress = !options.has("no-progress")};
}

ExitCode fail(Console& console, const Error& error, Phase phase, std::string_view command) {
  const ExitCode code = exit_code_for(phase, error.code());
  std::string hint(hint_for(phase, error.code(), command));
  if (code == ExitCode::Usage) {
    hint = fmt::format("`pagevault {}{}--help` shows the options", command,
                       command.empty() ? "" : " ");
  }
  console.fatal(error.message(), hint, static_cast<int>(code));
  return code;
}

// What the command came to, unless its output got lost on the way.
ExitCode conclude(Console& console, ExitCode code, std::string_view command) {
  const Status flushed = console.finish();
  if (flushed || code != ExitCode::Ok) return code;
  return fail(console, flushed.error(), Phase::Running, command);
}

ExitCode run_command(const CommandLine& line, Environment environment) {
  Console console(console_options(line.options));
  const std::string_view name = line.command->name;
  if (const Status crypto = init_crypto(); !crypto) {
    return fail(console, crypto.error(), Phase::Setup, name);
  }
  Result<Settings> settings =
      resolve_settings(line.options, std::move(environment), current_user_id());
  if (!settings) return fail(console, settings.error(), Phase::Setup, name);
  const std::unique_ptr<Env> env = make_linux_env();
  Invocation invocation{.env = *env,
                        .console = console,
                        .command = *line.command,
                        .options = line.options,
                        .settings = *settings};
  const Outcome outcome = line.command->run(invocation);
  if (!outcome) {
    console.finish().ignore("the command's own error says more");
    return fail(console, outcome.error(), invocation.phase, name);
  }
  return conclude(console, *outcome, name);
}

// Pages that need no repository: help and version.
bool print_page(const std::vector<std::string>& arguments, Console& console) {
  if (has_flag(arguments, "--version")) {
    console.line("pagevault " PAGEVAULT_VERSION);
    return true;
  }
  std::vector<std::string> rest;
  const bool asked = has_flag(arguments, "--help") || has_flag(arguments, "-h");
  if (!arguments.empty() && arguments.front() == "help") {
    const std::string name = take_command_name({arguments.begin() + 1, arguments.end()}, rest);
    console.line(help_page(name));
    return true;
  }
  if (asked) console.line(help_page(take_command_name(arguments, rest)));
  return asked;
}

ExitCode run(const std::vector<std::string>& arguments) {
  Environment environment = take_environment();
  Console console(console_options(arguments));
  if (print_page(arguments, console)) return conclude(console, ExitCode::Ok, {});
  const Result<CommandLine> line = parse_command_line(arguments);
  if (line) return run_command(*line, std::move(environment));
  std::vector<std::string> rest;
  const std::string name = take_command_name(arguments, rest);
  const bool known = find_command(name) != nullptr || !commands_of_group_word(name).empty();
  return fail(console, line.error(), Phase::Setup, known ? name : "");
}

ExitCode run_guarded(const std::vector<std::string>& arguments) {
  Console console(console_options(arguments));
  try {
    return run(arguments);
  } catch (const std::bad_alloc&) {
    console.fatal("out of memory", "nothing was committed; give the process more memory",
                  static_cast<int>(ExitCode::Fatal));
  } catch (const std::exception& problem) {
    console.fatal(fmt::format("unexpected: {}", problem.what()), {},
                  static_cast<int>(ExitCode::Fatal));
  }
  return ExitCode::Fatal;
}

}  // namespace
}  // namespace pagevault::cli

int main(int argc, char** argv) {
  namespace sqlite = pagevault::sqlitesupport;
  const bool is_helper = argc == 2 && std::string_view(argv[1]) == sqlite::kSqliteHelperArgument;
  if (is_helper) return sqlite::run_sqlite_helper(STDIN_FILENO, STDOUT_FILENO);
  pagevault::cli::set_up_process();
  pagevault::cli::install_signal_handlers();
  const std::vector<std::string> arguments(argv + (argc > 0 ? 1 : 0), argv + argc);
  return static_cast<int>(pagevault::cli::run_guarded(arguments));
}
