#include <fmt/format.h>

#include "human_numbers.h"
#include "json_text.h"
#include "opened_workspace.h"

namespace pagevault::cli {
namespace {

void print_stats(Console& console, const engine::RepositoryStats& stats) {
  const auto ratio = [](std::uint64_t a, std::uint64_t b) {
    return b == 0 ? std::string("-")
                  : fmt::format("{:.2f}", static_cast<double>(a) / static_cast<double>(b));
  };
  console.line(fmt::format("snapshots:         {}", human_count(stats.snapshots)));
  console.line(fmt::format("all of them:       {} when restored", human_bytes(stats.source_bytes)));
  console.line(fmt::format("in the repository: {} in {}, and {} of index",
                           human_bytes(stats.pack_bytes), human_plural(stats.packs, "pack"),
                           human_bytes(stats.index_bytes)));
  console.line(fmt::format("chunks:            {}, {} plain, {} stored", human_count(stats.chunks),
                           human_bytes(stats.chunk_bytes_plain),
                           human_bytes(stats.chunk_bytes_stored)));
  console.line(
      fmt::format("deduplication:     {} : 1", ratio(stats.source_bytes, stats.chunk_bytes_plain)));
  console.line(fmt::format("compression:       {} : 1",
                           ratio(stats.chunk_bytes_plain, stats.chunk_bytes_stored)));
}

Outcome run_stats(Invocation& invocation) {
  PV_TRY_ASSIGN(OpenedWorkspace opened, open_workspace(invocation));
  PV_TRY_ASSIGN(const engine::RepositoryStats stats, engine::collect_stats(*opened));
  if (!invocation.console.json()) {
    print_stats(invocation.console, stats);
    return ExitCode::Ok;
  }
  invocation.console.json_line({{"snapshots", stats.snapshots},
                                {"packs", stats.packs},
                                {"pack_bytes", stats.pack_bytes},
                                {"index_objects", stats.index_objects},
                                {"index_bytes", stats.index_bytes},
                                {"chunks", stats.chunks},
                                {"chunk_bytes_plain", stats.chunk_bytes_plain},
                                {"chunk_bytes_stored", stats.chunk_bytes_stored},
                                {"source_bytes", stats.source_bytes}});
  return ExitCode::Ok;
}

}  // namespace

const Command& stats_command() {
  static const Command kCommand = {
      .name = "stats",
      .group = "Look",
      .summary = "show sizes, deduplication and compression",
      .arguments = "",
      .description =
          "Counts what is stored. \"Restored\" is what all snapshots together would write; "
          "\"plain\" what is left of it after deduplication, \"stored\" after compression.",
      .options = {},
      .examples = {{"pagevault stats", "for people"},
                   {"pagevault stats --json", "for monitoring: all sizes in bytes"}},
      .exits = {ExitCode::NoRepository, ExitCode::WrongKey},
      .run = run_stats};
  return kCommand;
}

}  // namespace pagevault::cli
