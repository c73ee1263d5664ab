// A check is a list of passes over the repository, from the objects to what they mean: index
// objects, packs, keys and sessions, pack data, snapshots with their chains, trees. What an earlier
// pass found broken, the last one translates into files and ranges.

#include "pagevault/engine/check.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>
#include <mutex>

#include "damage_map.h"
#include "pack_check.h"
#include "snapshot_check.h"

namespace pagevault::engine {

namespace {

constexpr std::string_view kPackAdvice =
    "the files that need it are named below; move it out of the repository, and the next backup "
    "stores "
    "again what the sources still have";

constexpr std::string_view kBaseAdvice =
    "this pack is sound: the damage is where the other chunk is; the next backup stores again what "
    "the sources still have";

using repo::ObjectName;
using repo::ObjectType;

class CheckRun {
 public:
  CheckRun(Workspace& workspace, const CheckRequest& request, CheckObserver& observer)
      : workspace_(workspace),
        repository_(workspace.repository()),
        request_(request),
        observer_(observer) {}

  Result<CheckReport> run();

 private:
  // Passes, in order.
  Status list_snapshots();
  Status check_index();
  Status check_presence();
  Status check_small_objects();
  Status read_packs();
  Status check_snapshots();

  Status check_each(ObjectType type);
  std::vector<repo::PackInfo> packs_to_read();
  void take(const repo::PackInfo& pack, const PackFindings& findings);
  void check_chains(const repo::SnapshotListing& listing);
  void object_damage(const ObjectName& name, const std::string& problem, std::string_view advice);
  void note(const std::string& object, const std::string& problem, std::string_view advice);
  void report(const CheckFinding& finding);
  void progress(const std::string& phase, std::uint64_t done, std::uint64_t total);

  Workspace& workspace_;
  const repo::Repository& repository_;
  const CheckRequest& request_;
  CheckObserver& observer_;
  CheckReport report_;
  repo::SnapshotListing snapshots_;
  std::map<PackId, repo::PackInfo> packs_;  // That index objects name.
  repo::PackPresence present_;
  DamageMap damage_;
};

Result<CheckReport> CheckRun::run() {
  PV_TRY(list_snapshots());
  PV_TRY(check_index());
  PV_TRY(check_presence());
  PV_TRY(check_small_objects());
  if (request_.read_data) PV_TRY(read_packs());
  PV_TRY(check_snapshots());
  return report_;
}

// ---- passes ---------------------------------------------------------------------------------

// Before the index: a backup that commits while we look is then not seen at all, instead of without
// its chunks (F4.4).
Status CheckRun::list_snapshots() {
  PV_TRY_ASSIGN(snapshots_, repository_.list_snapshots());
  return workspace_.refresh_index();
}

Status CheckRun::check_index() {
  PV_TRY_ASSIGN(const repo::Listing listing, repository_.store().list(ObjectType::Index));
  report_.index_objects = listing.objects.size();
  report_.foreign += listing.foreign;
  std::map<std::string, Error> damaged;
  std::vector<std::string> replaced;
  for (const repo::ObjectInfo& object : listing.objects) {
    PV_TRY(workspace_.cancel().check());
    progress("index", packs_.size(), 0);
    const auto body = repository_.read_object(object.name);
    const auto index =
        body ? repo::decode_index_object(*body) : Result<repo::IndexObject>(body.error());
    if (!index) {
      damaged.emplace(object.name.hex, index.error());
      continue;
    }
    for (const auto& pack : index->packs) packs_.emplace(pack.info.id, pack.info);
    for (const repo::IndexId& old : index->replaces) replaced.push_back(old.hex());
  }
  for (const std::string& old : replaced) {
    if (damaged.erase(old) > 0) {
      note("index/" + old, "damaged, and replaced by `repair index` already", "none needed");
    }
  }
  for (const auto& [hex, error] : damaged) {
    object_damage({ObjectType::Index, hex}, error.message(), "run `pagevault repair index`");
  }
  return ok();
}

Status CheckRun::check_presence() {
  PV_TRY_ASSIGN(const repo::Listing listing, repository_.store().list(ObjectType::Pack));
  report_.foreign += listing.foreign;
  report_.packs = listing.objects.size();
  for (const repo::ObjectInfo& object : listing.objects) {
    const auto id = PackId::from_hex(object.name.hex);
    PV_CHECK(id.has_value());  // The store lists exact names only.
    present_.emplace(*id, object.bytes);
    if (packs_.contains(*id)) continue;
    note(repo::object_path(object.name), "no index object names it",
         "left by an interrupted backup, or its index object was lost: `pagevault repair index`");
  }
  for (const auto& [id, pack] : packs_) {
    const ObjectName name{ObjectType::Pack, id.hex()};
    const auto found = present_.find(id);
    if (found != present_.end() && found->second == pack.file_bytes) continue;
    damage_.add_pack(id);
    object_damage(name,
                  found == present_.end()
                      ? std::string("missing")
                      : fmt::format("{} bytes long instead of {}", found->second, pack.file_bytes),
                  "the files that need it are named below; the next backup stores again what the "
                  "sources still have");
  }
  return ok();
}

Status CheckRun::check_each(ObjectType type) {
  PV_TRY_ASSIGN(const repo::Listing listing, repository_.store().list(type));
  report_.foreign += listing.foreign;
  for (const repo::ObjectInfo& object : listing.objects) {
    const Status checked = check_object(workspace_.reader(), object.name);
    if (checked || checked.error().code() == ErrorCode::NotFound) continue;  // Removed meanwhile.
    object_damage(object.name, checked.error().message(),
                  type == ObjectType::KeySlot ? "add a new key slot, then remove this one"
                                              : "it only delays the collector");
  }
  return ok();
}

Status CheckRun::check_small_objects() {
  const Status config = check_object(workspace_.reader(), {ObjectType::Config, ""});
  if (!config) {
    object_damage({ObjectType::Config, ""}, config.error().message(),
                  "restore it from a copy of the repository");
  }
  PV_TRY(check_each(ObjectType::KeySlot));
  return check_each(ObjectType::Session);
}

// The packs to read: all, or a random share.
std::vector<repo::PackInfo> CheckRun::packs_to_read() {
  std::vector<repo::PackInfo> out;
  for (const auto& [id, pack] : packs_) {
    std::array<std::byte, 4> random{};
    workspace_.env().random(random);
    const bool chosen =
        request_.subset_percent >= 100 || load_le32(random) % 100 < request_.subset_percent;
    if (chosen && present_.contains(id)) out.push_back(pack);
  }
  if (out.empty() && !packs_.empty()) out.push_back(packs_.begin()->second);
  return out;
}

Status CheckRun::read_packs() {
  const auto packs = packs_to_read();
  std::mutex mutex;  // Guards everything that take() changes.
  {
    const auto workers =
        workspace_.env().make_executor(std::max(1U, workspace_.env().processors()), 1);
    for (std::size_t i = 0; i < packs.size() && !workspace_.cancel().cancelled(); ++i) {
      {
        const std::lock_guard lock(mutex);
        progress("read data", report_.packs_read, packs.size());
      }
      workers->submit([&, i] {
        const PackFindings findings = check_pack(workspace_.reader(), packs[i].id, &packs[i]);
        const std::lock_guard lock(mutex);
        take(packs[i], findings);
      });
    }
  }
  return workspace_.cancel().check();
}

void CheckRun::take(const repo::PackInfo& pack, const PackFindings& findings) {
  const ObjectName name{ObjectType::Pack, pack.id.hex()};
  ++report_.packs_read;
  report_.bytes_read += findings.bytes_read;
  if (findings.unusable) damage_.add_pack(pack.id);
  for (const Error& problem : findings.problems) {
    object_damage(name, problem.message(), kPackAdvice);
  }
  std::uint64_t deltas = 0;
  std::string why;
  for (const auto& blob : findings.blobs) {
    damage_.add_blob(pack.id, blob.id);
    if (blob.in_base) {
      if (++deltas == 1) why = blob.error.message();
      continue;
    }
    object_damage(name, "chunk " + blob.id.hex(8) + ": " + blob.error.message(), kPackAdvice);
  }
  // One finding: the pack itself is sound, and what cannot be read has a finding of its own.
  if (deltas == 0) return;
  object_damage(name, fmt::format("{} chunks are deltas of what cannot be read: {}", deltas, why),
                kBaseAdvice);
}

Status CheckRun::check_snapshots() {
  const repo::SnapshotListing& listing = snapshots_;
  report_.snapshots = listing.snapshots.size() + listing.damaged.size();
  report_.foreign += listing.foreign;
  for (const auto& damaged : listing.damaged) {
    object_damage(damaged.name, damaged.error.message(),
                  "this snapshot cannot be restored; others can");
  }
  check_chains(listing);
  SnapshotCheck trees(workspace_, damage_,
                      [this](const CheckFinding& finding) { report(finding); });
  std::uint64_t done = 0;
  for (const repo::StoredSnapshot& stored : listing.snapshots) {
    progress("snapshots", done++, listing.snapshots.size());
    PV_TRY(trees.run(stored));
  }
  return ok();
}

// Each client's snapshots carry 1, 2, 3, ... and name the one before. Forgetting leaves gaps, so a
// gap is a note; a fork (two with one number) means a cloned client or a repository put back
// (F4.2).
void CheckRun::check_chains(const repo::SnapshotListing& listing) {
  std::map<std::pair<ClientId, std::uint64_t>, SnapshotId> seen;
  for (const repo::StoredSnapshot& stored : listing.snapshots) {
    const auto key = std::pair(stored.snapshot.client, stored.snapshot.sequence);
    const auto [first, is_new] = seen.emplace(key, stored.id);
    if (is_new) continue;
    note("snapshots/" + stored.id.hex(),
         fmt::format("has the same number ({}) in its client's chain as {}",
                     stored.snapshot.sequence, first->second.hex(8)),
         "a cloned machine or a restored client state; both snapshots restore");
  }
}

// ---- reporting ------------------------------------------------------------------------------

void CheckRun::object_damage(const ObjectName& name, const std::string& problem,
                             std::string_view advice) {
  CheckFinding finding;
  finding.object = repo::object_path(name);
  finding.problem = problem;
  finding.advice = advice;
  report(finding);
}

void CheckRun::note(const std::string& object, const std::string& problem,
                    std::string_view advice) {
  CheckFinding finding;
  finding.severity = CheckFinding::Severity::Note;
  finding.object = object;
  finding.problem = problem;
  finding.advice = advice;
  report(finding);
}

void CheckRun::report(const CheckFinding& finding) {
  finding.severity == CheckFinding::Severity::Damage ? ++report_.damage : ++report_.notes;
  observer_.on_finding(finding);
}

void CheckRun::progress(const std::string& phase, std::uint64_t done, std::uint64_t total) {
  observer_.on_progress({phase, done, total});
}

}  // namespace

Result<CheckReport> run_check(Workspace& workspace, const CheckRequest& request,
                              CheckObserver& observer) {
  return CheckRun(workspace, request, observer).run();
}

}  // namespace pagevault::engine
