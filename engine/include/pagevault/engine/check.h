// Verifies a repository. Reads only (I10). docs/architecture.md, "Check".

#pragma once

#include <string>
#include <vector>

#include "pagevault/engine/workspace.h"

namespace pagevault::engine {

struct CheckRequest {
  bool read_data = false;
  std::uint32_t subset_percent = 100;  ///< With read_data: share of the packs, chosen at random.
};

/// One thing that is wrong. Damage makes exit 20; notes do not.
struct CheckFinding {
  enum class Severity : std::uint8_t { Note, Damage };
  Severity severity = Severity::Damage;
  std::string object;    ///< Repository path of the object, when it is about one.
  std::string snapshot;  ///< Short id, when it hits a snapshot's content.
  std::string path;      ///< File in the snapshot.
  std::uint64_t offset = 0;
  std::uint64_t length = 0;  ///< Byte range of the file; 0: none or all.
  std::string problem;
  std::string advice;
};

struct CheckProgress {
  std::string phase;
  std::uint64_t done = 0;
  std::uint64_t total = 0;
};

class CheckObserver {
 public:
  virtual ~CheckObserver() = default;
  virtual void on_finding(const CheckFinding&) {}
  virtual void on_progress(const CheckProgress&) {}
};

struct CheckReport {
  std::uint64_t snapshots = 0;
  std::uint64_t packs = 0;
  std::uint64_t packs_read = 0;
  std::uint64_t bytes_read = 0;
  std::uint64_t index_objects = 0;
  std::uint64_t foreign = 0;
  std::uint64_t damage = 0;
  std::uint64_t notes = 0;
};

Result<CheckReport> run_check(Workspace& workspace, const CheckRequest& request,
                              CheckObserver& observer);

/// Verifies one object, data included: what run_check does for each. What deltas of a pack are made
/// of is found by the reader's index. Errors: what is wrong with it.
Status check_object(repo::ChunkReader& reader, const repo::ObjectName& name);

}  // namespace pagevault::engine
