#include "cluster_check.h"

#include <fmt/format.h>

#include <algorithm>
#include <unordered_set>

namespace pagevault::engine {

namespace {

using repo::PostgresDoubt;

ClusterProblem file_problem(const std::string& path, std::string text) {
  return {.path = path,
          .text = std::move(text),
          .doubt = {.kind = PostgresDoubt::Kind::DamagedFile, .path = path, .count = 0}};
}

}  // namespace

bool is_unlisted(std::string_view path) {
  return path.starts_with("pg_wal/") || path == pgsupport::kManifestFile ||
         path == "postgresql.auto.conf" || path == "recovery.signal" || path == "standby.signal";
}

void ClusterCheck::add_file(const std::string& path, std::uint64_t size,
                            pgsupport::ChecksumAlgorithm algorithm, Bytes checksum) {
  files_[path] = {.size = size, .algorithm = algorithm, .checksum = std::move(checksum)};
}

void ClusterCheck::add_pages(const std::string& path, PageFindings findings) {
  if (findings.count > 0) pages_.emplace_back(path, std::move(findings));
}

std::vector<ClusterProblem> ClusterCheck::compare(const pgsupport::BackupManifest& manifest) const {
  std::vector<ClusterProblem> out;
  std::unordered_set<std::string_view> listed;
  for (const pgsupport::ManifestFile& file : manifest.files) {
    listed.insert(file.path);
    const auto seen = files_.find(file.path);
    if (seen == files_.end()) {
      if (!is_unlisted(file.path)) {
        out.push_back(file_problem(file.path, "is in the backup's manifest, but missing"));
      }
      continue;
    }
    if (is_unlisted(file.path)) continue;
    if (seen->second.size != file.size) {
      out.push_back(file_problem(file.path, fmt::format("has {} bytes, its manifest says {}",
                                                        seen->second.size, file.size)));
    } else if (file.algorithm != pgsupport::ChecksumAlgorithm::None &&
               file.algorithm != seen->second.algorithm) {
      out.push_back(file_problem(
          file.path,
          fmt::format("its manifest has a checksum of the kind {}, which was not "
                      "computed; give --manifest-checksums {}",
                      pgsupport::to_text(file.algorithm), pgsupport::to_text(file.algorithm))));
    } else if (file.algorithm != pgsupport::ChecksumAlgorithm::None &&
               file.checksum != seen->second.checksum) {
      out.push_back(file_problem(file.path, "its content does not have the manifest's checksum"));
    }
  }
  for (const auto& [path, seen] : files_) {
    if (!is_unlisted(path) && !listed.contains(path)) {
      out.push_back(file_problem(path, "is not in the backup's manifest"));
    }
  }
  std::ranges::sort(out, {}, &ClusterProblem::path);
  return out;
}

std::vector<ClusterProblem> ClusterCheck::damaged_pages(const pgsupport::ControlFile& control,
                                                        pgsupport::Lsn start) const {
  std::vector<ClusterProblem> out;
  if (control.data_checksum_version == 0) return out;
  for (const auto& [path, findings] : pages_) {
    const auto is_damage = [&](const pgsupport::PageMismatch& page) { return page.lsn < start; };
    const auto first = std::ranges::find_if(findings.first, is_damage);
    const auto counted =
        static_cast<std::uint64_t>(std::ranges::count_if(findings.first, is_damage));
    // What was not kept may be torn or damaged: it counts as damaged.
    const std::uint64_t damaged = counted + (findings.count - findings.first.size());
    if (damaged == 0) continue;
    const auto& page = first == findings.first.end() ? findings.first.front() : *first;
    out.push_back(
        {.path = path,
         .text = fmt::format("{} with a wrong checksum, the first is block {}: {:04x} "
                             "stands there, {:04x} would be right",
                             damaged == 1 ? "a page" : fmt::format("{} pages", damaged), page.block,
                             page.stored, page.computed),
         .doubt = {.kind = PostgresDoubt::Kind::DamagedPages, .path = path, .count = damaged}});
  }
  return out;
}

}  // namespace pagevault::engine
