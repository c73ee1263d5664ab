#include "backup_display.h"
#include "process_setup.h"
#include "user_file.h"
#include "user_paths.h"

namespace pagevault::cli {
namespace {

Result<std::vector<std::string>> source_paths(const std::vector<std::string>& words) {
  const std::string here = working_directory();
  std::vector<std::string> out;
  for (const std::string& word : words) {
    if (word.empty()) return Error(ErrorCode::InvalidArgument, "a path is empty");
    if (here.empty() && !word.starts_with('/')) {
      return Error(ErrorCode::InvalidArgument, word + ": the working directory is gone");
    }
    out.push_back(absolute_path(here, word));
  }
  return distinct_paths(std::move(out));
}

Result<std::vector<std::string>> exclude_patterns(const Options& options) {
  std::vector<std::string> out = options.list("exclude");
  for (const std::string& path : options.list("exclude-file")) {
    PV_TRY_ASSIGN(const std::string text, read_text_file(path).context("exclude file"));
    for (std::string& line : pattern_lines(text)) out.push_back(std::move(line));
  }
  return out;
}

Outcome run_backup_files(Invocation& invocation) {
  const Options& options = invocation.options;
  engine::BackupRequest request;
  PV_TRY_ASSIGN(request.paths, source_paths(options.words()));
  PV_TRY_ASSIGN(request.excludes, exclude_patterns(options));
  request.force = options.has("force");
  request.paranoid = options.has("paranoid");
  PV_TRY_ASSIGN(OpenedWorkspace opened, open_workspace(invocation));
  return run_backup_request(invocation, opened, std::move(request));
}

OptionSpecs backup_files_options() {
  using enum OptionKind;
  OptionSpecs out = {
      {"exclude", 0, List, "PATTERN",
       "leave out what matches: a name (*.tmp), or a whole path when it has a '/'"},
      {"exclude-file", 0, List, "FILE", "patterns, one a line; '#' begins a comment"},
      {"force", 'f', Flag, {}, "read every file, also those whose size and times did not change"},
      {"paranoid", 0, Flag, {}, "compare by cryptographic hash instead of fingerprint; reads all"},
  };
  const OptionSpecs& common = common_backup_options();
  out.insert(out.end(), common.begin(), common.end());
  return out;
}

}  // namespace

const Command& backup_files_command() {
  static const Command kCommand = {
      .name = "backup files",
      .group = "Back up",
      .summary = "take a snapshot of files and folders",
      .arguments = "PATH...",
      .arguments_min = 1,
      .arguments_max = SIZE_MAX,
      .description =
          "Saves the paths and all below them as one snapshot. Only what changed since the last "
          "snapshot of the same paths is read and stored; the snapshot is a full one all the same. "
          "Symbolic links are saved as links. A file that cannot be read is named, the rest is "
          "saved, and the exit code is 3.\n"
          "Database files must not be written to while they are read: stop the database, or back "
          "up a dump of it with `backup stdin`.",
      .options = backup_files_options(),
      .examples = {{"pagevault backup files /srv/app /etc", "one snapshot of both folders"},
                   {"pagevault backup files ~ --exclude '*.tmp' --exclude '/home/*/.cache/*' "
                    "--tag daily",
                    "without temporary files, labelled"},
                   {"pagevault backup files /srv/app -n", "what would be stored?"}},
      .exits = {ExitCode::Incomplete, ExitCode::NoRepository, ExitCode::Busy, ExitCode::WrongKey,
                ExitCode::Damage},
      .run = run_backup_files};
  return kCommand;
}

}  // namespace pagevault::cli
