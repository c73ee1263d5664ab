#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <memory>
#include <optional>

#include "backup_display.h"
#include "pagevault/pgsupport/postgres_server.h"
#include "process_setup.h"
#include "standard_input.h"
#include "terminal.h"
#include "user_paths.h"

namespace pagevault::cli {
namespace {

Result<std::uint32_t> max_rate_of(const Options& options) {
  const auto text = options.text("max-rate");
  if (!text) return 0U;
  std::uint32_t rate = 0;
  const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), rate);
  const bool whole = error == std::errc() && end == text->data() + text->size();
  if (whole && rate >= 32 && rate <= 1048576) return rate;
  return Error(ErrorCode::InvalidArgument, "--max-rate wants kilobytes a second, 32 to 1048576");
}

// The server writes it into the lines of backup_label as it is.
Result<std::string> label_of(const Options& options) {
  std::string label = options.text_or("label", "pagevault");
  const bool one_line =
      std::ranges::none_of(label, [](unsigned char c) { return c < 0x20 || c == 0x7f; });
  if (one_line) return label;
  return Error(ErrorCode::InvalidArgument, "--label wants one line of text");
}

Result<std::string> one_source(const Options& options) {
  const bool has_word = !options.words().empty();
  if (has_word == options.has("connect")) {
    return Error(
        ErrorCode::InvalidArgument,
        "'backup postgres' wants one source: what pg_basebackup made (a folder, or - for a "
        "tar on standard input), or --connect for a server");
  }
  return has_word ? options.words()[0] : std::string();
}

// The server's problems as a list with what to do about each; an error if backups cannot work.
Status check_requirements(Console& console, pgsupport::PostgresServer& server) {
  PV_TRY_ASSIGN(const auto missing, server.missing_requirements());
  bool can_work = true;
  for (const pgsupport::Requirement& one : missing) {
    can_work = can_work && one.for_incrementals_only;
    console.warn(fmt::format("{}{}\n    {}", one.problem,
                             one.for_incrementals_only ? " (needed for incremental backups)" : "",
                             one.remedy));
  }
  if (can_work) return ok();
  return Error(ErrorCode::Io, "the server is not set up for backups; see the list above");
}

Outcome run_backup_postgres(Invocation& invocation) {
  const Options& options = invocation.options;
  PV_TRY_ASSIGN(const std::string source, one_source(options));
  engine::BackupRequest request;
  engine::PostgresOptions& postgres = request.postgres.emplace();
  PV_TRY_ASSIGN(postgres.max_rate_kb, max_rate_of(options));
  postgres.accept_damaged = options.has("accept-damaged");
  postgres.accept_no_manifest = options.has("without-manifest");
  postgres.manifest_checksums = options.text_or("manifest-checksums", "CRC32C");
  if (const auto folder = options.text("wal-summaries")) {
    postgres.wal_summaries = absolute_path(working_directory(), *folder);
  }
  PV_TRY_ASSIGN(postgres.label, label_of(options));
  postgres.fast_checkpoint = options.text_or("checkpoint", "fast") == "fast";
  postgres.full = options.has("full");
  postgres.server_compression = options.text_or("server-compression", "none");
  if (postgres.server_compression == "none") postgres.server_compression.clear();
  request.paranoid = options.has("paranoid");
  if (source == "-" && is_terminal(StandardStream::Input)) {
    return Error(ErrorCode::InvalidArgument,
                 "standard input is a terminal: pipe `pg_basebackup -Ft -X fetch -D -` into it");
  }
  PV_TRY_ASSIGN(OpenedWorkspace opened, open_workspace(invocation));
  std::unique_ptr<pgsupport::PostgresServer> server;
  if (source == "-") {
    request.recorded_paths = {"/stdin"};
    postgres.archive = [&opened](MutableBytes out) {
      return read_standard_input(out, opened->cancel());
    };
  } else if (!source.empty()) {
    postgres.directory = absolute_path(working_directory(), source);
    request.recorded_paths = {postgres.directory};
  } else {
    PV_TRY_ASSIGN(server,
                  pgsupport::PostgresServer::connect(*options.text("connect"), opened->cancel()));
    PV_TRY(check_requirements(invocation.console, *server));
    postgres.server = server.get();
    request.recorded_paths = {"postgresql://" + server->facts().host};
    invocation.console.detail("PostgreSQL " + server->facts().version_text);
  }
  return run_backup_request(invocation, opened, std::move(request));
}

OptionSpecs backup_postgres_options() {
  using enum OptionKind;
  OptionSpecs out = {
      {"connect", 0, Value, "CONNINFO",
       "take the base backup from this server: 'host=db1 user=backup', or a URI; a password "
       "belongs "
       "into ~/.pgpass or PGPASSFILE"},
      {"full", 0, Flag, {}, "with --connect: a full backup, even if an incremental could be had"},
      {"label", 0, Value, "TEXT", "with --connect: the backup's label at the server"},
      {"checkpoint",
       0,
       Value,
       "HOW",
       "with --connect: begin at once, or with the next spread checkpoint (default fast)",
       {"fast", "spread"}},
      {"max-rate", 0, Value, "KB", "with --connect: kilobytes a second at most"},
      {"server-compression",
       0,
       Value,
       "METHOD",
       "with --connect: the server compresses what it sends, for slow networks (default none)",
       {"none", "lz4", "zstd", "gzip"}},
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
      .arguments = "[SOURCE]",
      .arguments_max = 1,
      .description =
          "SOURCE is what pg_basebackup made: a folder in the plain format, a folder of its tar "
          "files (also .gz, .lz4, .zst), or - for one tar on standard input. With --connect the "
          "base backup comes straight from the server, an incremental one from PostgreSQL 17 on "
          "when the last snapshot allows.\n"
          "An incremental becomes a full snapshot: the blocks in it are laid over the snapshot of "
          "the backup it was taken against, which must be here; only what changed is read and "
          "stored. Every file is checked against the backup's manifest, every page against its "
          "checksum; a damaged backup is refused. Each snapshot restores alone, with a manifest "
          "for pg_verifybackup.",
      .options = backup_postgres_options(),
      .examples = {{"pagevault backup postgres --connect 'host=db1 user=backup'",
                    "from the server; incremental when it can be"},
                   {"pagevault backup postgres /backups/monday", "what pg_basebackup -D made"},
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
