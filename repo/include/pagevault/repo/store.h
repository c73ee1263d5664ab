// Where objects live. All a backend must offer: create exclusively, read ranges, list, delete,
// stat. Fits a directory, NFS, SMB, SFTP, S3. Source: design sections 5 and I4, I5.

#pragma once

#include <memory>
#include <string>
#include <vector>

#include "pagevault/base/bytes.h"
#include "pagevault/base/result.h"
#include "pagevault/repo/format.h"

namespace pagevault::repo {

/// Type and id in hex ("" for the config).
struct ObjectName {
  ObjectType type = ObjectType::Config;
  std::string hex;
  auto operator<=>(const ObjectName&) const = default;
};
/// Path relative to the repository, e.g. "packs/3f/3f2a...", for messages and backends.
std::string object_path(const ObjectName& name);

struct ObjectInfo {
  ObjectName name;
  std::uint64_t bytes = 0;
};

struct Listing {
  std::vector<ObjectInfo> objects;  ///< Ascending by name.
  std::uint64_t foreign = 0;  ///< Names that are not objects: ignored and counted (F5.6, F3.6).
};

/// An object being written. Invisible under its name until publish; abandoned if destroyed before.
class ObjectWriter {
 public:
  virtual ~ObjectWriter() = default;
  ObjectWriter(const ObjectWriter&) = delete;
  ObjectWriter& operator=(const ObjectWriter&) = delete;

  /// Appends. After an error every later call answers with that error (F2.3).
  virtual Status append(ByteView data) = 0;
  /// Makes content and name durable, in this order, without replacing. Errors: AlreadyExists.
  virtual Status publish() = 0;

 protected:
  ObjectWriter() = default;
};

/// One range to read. The answer is in `status`; `out` is filled completely or status is an error
/// (Corrupt when the object ends before).
struct RangeRead {
  ObjectName name;
  std::uint64_t offset = 0;
  MutableBytes out;
  Status status;
};

/// Thread-safe. Errors: NotFound, AlreadyExists, NoSpace, Io; messages name the object.
class Store {
 public:
  virtual ~Store() = default;
  Store(const Store&) = delete;
  Store& operator=(const Store&) = delete;

  virtual Result<std::unique_ptr<ObjectWriter>> create(const ObjectName& name) = 0;
  /// create + append + publish.
  Status put(const ObjectName& name, ByteView content);
  /// Whole object. Errors: Corrupt when it is longer than `bytes_max`.
  virtual Result<Bytes> read_all(const ObjectName& name, std::uint64_t bytes_max) = 0;
  /// Reads all ranges, many at once, in whatever order is fastest. Failed reads are tried once
  /// more (F2.2); each range carries its own status.
  virtual void read_ranges(std::span<RangeRead> reads) = 0;
  virtual Result<ObjectInfo> stat(const ObjectName& name) = 0;
  virtual Result<Listing> list(ObjectType type) = 0;
  virtual Status remove(const ObjectName& name) = 0;
  /// How a person names this store.
  virtual const std::string& location() const = 0;

 protected:
  Store() = default;
};

}  // namespace pagevault::repo
