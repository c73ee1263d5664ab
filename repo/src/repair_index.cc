#include <unordered_set>

#include "pagevault/repo/index_loader.h"
#include "pagevault/repo/pack_reader.h"

namespace pagevault::repo {

namespace {

constexpr std::size_t kBlobsPerIndexObject = 65'536;

// Packs that the healthy index objects name, and the objects that cannot be read.
struct Survey {
  std::unordered_set<PackId> named;
  std::vector<IndexId> unreadable;
};

Result<Survey> survey_index(const Repository& repository) {
  Survey survey;
  std::set<std::string> replaced;
  PV_TRY_ASSIGN(const Listing listing, repository.store().list(ObjectType::Index));
  for (const ObjectInfo& object : listing.objects) {
    const auto body = repository.read_object(object.name);
    const auto decoded = body ? decode_index_object(*body) : Result<IndexObject>(body.error());
    if (!decoded) {
      const auto id = IndexId::from_hex(object.name.hex);
      PV_CHECK(id.has_value());  // The store lists exact names only.
      survey.unreadable.push_back(*id);
      continue;
    }
    for (const PackDirectory& pack : decoded->packs) survey.named.insert(pack.info.id);
    for (const IndexId& old : decoded->replaces) replaced.insert(old.hex());
  }
  std::erase_if(survey.unreadable, [&](const IndexId& id) { return replaced.contains(id.hex()); });
  return survey;
}

// Collects pack directories and writes an index object whenever enough have come together.
class IndexRebuilder {
 public:
  IndexRebuilder(const Repository& repository, ChunkIndex& index, IndexRepair& report)
      : repository_(&repository), index_(&index), report_(&report) {}

  Status add(PackDirectory pack) {
    blobs_ += pack.blobs.size();
    object_.packs.push_back(std::move(pack));
    ++report_->packs_added;
    return blobs_ >= kBlobsPerIndexObject ? write() : ok();
  }

  // `replaces`: unreadable objects whose content is rebuilt now that every pack was looked at.
  Status finish(std::vector<IndexId> replaces) {
    object_.replaces = std::move(replaces);
    return object_.packs.empty() && object_.replaces.empty() ? ok() : write();
  }

 private:
  Status write() {
    IndexId id;
    repository_->env().random(id.bytes);
    PV_TRY(repository_->put_object({ObjectType::Index, id.hex()}, encode_index_object(object_)));
    PV_TRY(index_->apply(id, object_));
    ++report_->index_objects_written;
    object_ = {};
    blobs_ = 0;
    return ok();
  }

  const Repository* repository_;
  ChunkIndex* index_;
  IndexRepair* report_;
  IndexObject object_;
  std::size_t blobs_ = 0;
};

}  // namespace

Result<IndexRepair> repair_index(const Repository& repository, ChunkIndex& index) {
  PV_TRY_ASSIGN(Survey survey, survey_index(repository));
  PV_TRY_ASSIGN(const PackPresence packs, list_packs(repository));
  IndexRepair report;
  IndexRebuilder rebuilder(repository, index, report);
  for (const auto& [id, bytes] : packs) {
    if (survey.named.contains(id)) continue;
    ++report.packs_read;
    auto pack =
        read_pack_directory(repository.store(), repository.keys(), repository.config().id, id);
    if (!pack) {
      report.damaged.push_back({{ObjectType::Pack, id.hex()}, pack.error()});
      continue;
    }
    PV_TRY(rebuilder.add(std::move(pack).value()));
  }
  PV_TRY(rebuilder.finish(std::move(survey.unreadable)));
  return report;
}

}  // namespace pagevault::repo
