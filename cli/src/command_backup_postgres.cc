#include <fmt/format.h>

#include <charconv>
#include <memory>
#include <optional>

#include "backup_display.h"
#include "process_setup.h"
#include "standard_input.h"
#include "terminal.h"
#include "user_paths.h"

namespace pagevault::cli {
namespace {

Outcome run_backup_postgres(Invocation& invocation) {
  const Options& options = invocation.options;
  const std::string& source = options.words()[0];
  engine::BackupRequest request;
  engine::PostgresOptions& postgres = request.postgres.emplace();
  postgres.accept_damaged = options.has("accept-damaged");
  postgres.accept_no_manifest = options.has("without-manifest");
  postgres.manifest_checksums = options.text_or("manifest-checksums", "CRC32C");
  if (const auto folder = options.text("wal-summaries")) {
    postgres.wal_summaries = absolute_path(working_directory(), *folder);
  }
  request.paranoid = options.has("paranoid");
  if (source == "-" && is_terminal(StandardStream::Input)) {
    return Error(ErrorCode::InvalidArgument,
                 "standard input is a terminal: pipe `pg_basebackup -Ft -X fetch -D -` into it");
  }
  PV_TRY_ASSIGN(OpenedWorkspace opened, open_workspace(invocation));
  if (source == "-") {
    request.recorded_paths = {"/stdin"};
    postgres.archive = [&opened](MutableBytes out) {
      return read_standard_input(out, opened->cancel());
    };
  } else {
    postgres.directory = absolute_path(working_directory(), source);
    request.recorded_paths = {postgres.directory};
  }
  return run_backup_request(invocation, opened, std::move(request));
}

OptionSpecs backup_postgres_options() {
  using enum OptionKind;
  OptionSpecs out = {
      {"accept-damaged",
       0,
       Flag,
       {},
       "take a base backup in which damage is found, and mark the snapshot"},
      {"without-manifest", 0, Flag, {}, "take a base backup that has no manifest, unverified"},
      {"manifest-checksums",
       0,
       Value,
       "ALGORITHM",
       "with -: what the manifest has, which comes last (default CRC32C)",
       {"NONE", "CRC32C", "SHA224", "SHA256", "SHA384", "SHA512"}},
      {"wal-summaries", 0, Value, "DIR",
       "the server's pg_wal/summaries: name relations that its incremental may have wrong"},
      {"paranoid", 0, Flag, {}, "compare by cryptographic hash instead of fingerprint"},
  };
  const OptionSpecs& common = common_backup_options();
  out.insert(out.end(), common.begin(), common.end());
  return out;
}

}  // namespace

const Command& backup_postgres_command() {
  static const Command kCommand = {
      .name = "backup postgres",
      .group = "Back up",
      .summary = "take a snapshot of a PostgreSQL cluster",
      .arguments = "SOURCE",
      .arguments_min = 1,
      .arguments_max = 1,
      .description =
          "SOURCE is what pg_basebackup made: a folder in the plain format, a folder of its tar "
          "files (also .gz, .lz4, .zst), or - for one tar on standard input.\n"
          "An incremental becomes a full snapshot: the blocks in it are laid over the snapshot of "
          "the backup it was taken against, which must be here; only what changed is read and "
          "stored. Every file is checked against the backup's manifest, every page against its "
          "checksum; a damaged backup is refused. Each snapshot restores alone, with a manifest "
          "for pg_verifybackup.",
      .options = backup_postgres_options(),
      .examples = {{"pagevault backup postgres /backups/monday", "what pg_basebackup -D made"},
                   {"pg_basebackup -Ft -X fetch -D - | pagevault backup postgres -",
                    "without a copy on disk"},
                   {"pagevault dump latest backup_manifest.original > manifest",
                    "for the next pg_basebackup --incremental=manifest"}},
      .exits = {ExitCode::Incomplete, ExitCode::NoRepository, ExitCode::Busy, ExitCode::WrongKey,
                ExitCode::Damage, ExitCode::WrongParent},
      .run = run_backup_postgres};
  return kCommand;
}

}  // namespace pagevault::cli
