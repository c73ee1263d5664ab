#include "pagevault/repo/directory_store.h"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <numeric>
#include <tuple>

#include "object_file_writer.h"
#include "store_folders.h"
#include "store_handles.h"

namespace pagevault::repo {

namespace {

/// True when another try through fresh handles may help (F2.2, F3.1). NotFound is an answer.
bool worth_another_try(const Error& error) {
  return error.code() == ErrorCode::Io || error.code() == ErrorCode::Corrupt;
}

class DirectoryStore final : public Store {
 public:
  DirectoryStore(Env& env, std::string path)
      : env_(env), path_(std::move(path)), folders_(env, path_), files_(folders_), queues_(env) {}

  Result<std::unique_ptr<ObjectWriter>> create(const ObjectName& name) override;
  Result<Bytes> read_all(const ObjectName& name, std::uint64_t bytes_max) override;
  void read_ranges(std::span<RangeRead> reads) override;
  Result<ObjectInfo> stat(const ObjectName& name) override;
  Result<Listing> list(ObjectType type) override;
  Status remove(const ObjectName& name) override;
  const std::string& location() const override { return path_; }

 private:
  /// Runs `call` with the object's folder and file name; once more after an error that fresh
  /// handles may cure. Names the object in errors.
  template <class Call>
  auto with_place(const ObjectName& name, Call call)
      -> decltype(call(std::declval<Dir&>(), std::string()));
  void forget(const ObjectName& name);

  /// One read, without a queue.
  void try_read(RangeRead& read);
  /// Makes one try at every read that `order` names, an order of (object, offset).
  void try_reads(std::span<RangeRead> reads, std::span<const std::size_t> order);

  Result<Listing> list_once(ObjectType type);
  Status list_folder(const std::string& folder, ObjectType type, std::string_view prefix,
                     Listing& out);
  Status list_packs(Listing& out);
  Status add_if_object(Dir& dir, const ObjectName& name, Listing& out);

  Env& env_;
  const std::string path_;
  FolderHandles folders_;
  FileHandles files_;
  ThreadQueues queues_;
};

void DirectoryStore::forget(const ObjectName& name) {
  files_.forget(name);
  folders_.forget_all();
}

template <class Call>
auto DirectoryStore::with_place(const ObjectName& name, Call call)
    -> decltype(call(std::declval<Dir&>(), std::string())) {
  using Answer = decltype(call(std::declval<Dir&>(), std::string()));
  PV_TRY_ASSIGN(const StorePlace place, store_place(name));
  const auto once = [&]() -> Answer {
    PV_TRY_ASSIGN(const SharedDir dir, folders_.open(place.folder));
    return call(*dir, place.file);
  };
  Answer answer = once();
  if (!answer && worth_another_try(answer.error())) {
    forget(name);
    answer = once();
  }
  return std::move(answer).context(object_path(name));
}

Result<std::unique_ptr<ObjectWriter>> DirectoryStore::create(const ObjectName& name) {
  PV_TRY_ASSIGN(const StorePlace place, store_place(name));
  const auto once = [&]() -> Result<std::unique_ptr<ObjectWriter>> {
    PV_TRY_ASSIGN(SharedDir dir, folders_.open(place.folder));
    return ObjectFileWriter::create(env_, std::move(dir), place.file);
  };
  auto writer = once();
  if (!writer && writer.error().code() == ErrorCode::Io) {
    folders_.forget_all();
    writer = once();
  }
  return std::move(writer).context("create " + object_path(name));
}

Result<Bytes> DirectoryStore::read_all(const ObjectName& name, std::uint64_t bytes_max) {
  return with_place(name, [&](Dir& dir, const std::string& file) -> Result<Bytes> {
    PV_TRY_ASSIGN(const auto opened, dir.open_file(file, OpenMode::Read));
    PV_TRY_ASSIGN(const FileInfo info, opened->info());
    if (info.size > bytes_max) {
      return Error(ErrorCode::Corrupt,
                   fmt::format("{} bytes, at most {} expected", info.size, bytes_max));
    }
    Bytes out(info.size);
    PV_TRY_ASSIGN(const std::size_t read, opened->read_at(0, out));
    if (read == out.size()) return out;
    return Error(ErrorCode::Corrupt, fmt::format("short read ({} of {} bytes)", read, out.size()));
  });
}

void DirectoryStore::read_ranges(std::span<RangeRead> reads) {
  std::vector<std::size_t> order(reads.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::ranges::sort(order, [&](std::size_t a, std::size_t b) {
    return std::tie(reads[a].name, reads[a].offset) < std::tie(reads[b].name, reads[b].offset);
  });
  try_reads(reads, order);
  std::erase_if(order, [&](std::size_t i) {
    return reads[i].status.has_value() || !worth_another_try(reads[i].status.error());
  });
  for (const std::size_t i : order) forget(reads[i].name);
  if (!order.empty()) try_reads(reads, order);
  for (RangeRead& read : reads) {
    read.status = std::move(read.status).context(object_path(read.name));
  }
}

/// What one finished operation says of its read.
Status status_of(const RangeRead& read, const Result<std::size_t>& bytes) {
  if (!bytes) return bytes.error();
  if (*bytes == read.out.size()) return ok();
  return Error(ErrorCode::Corrupt, fmt::format("ends {} bytes into a read of {} at {}", *bytes,
                                               read.out.size(), read.offset));
}

void DirectoryStore::try_read(RangeRead& read) {
  const auto file = files_.open(read.name);
  read.status =
      file ? status_of(read, (*file)->read_at(read.offset, read.out)) : Status(file.error());
}

void DirectoryStore::try_reads(std::span<RangeRead> reads, std::span<const std::size_t> order) {
  if (order.size() == 1) return try_read(reads[order[0]]);
  std::unique_ptr<IoQueue> queue = queues_.take();
  // Keeps each file open until its read is done, whatever the cache of handles forgets. The queue
  // bounds how many.
  std::vector<SharedFile> files(reads.size());
  const auto reap = [&] {
    for (const IoCompletion& done : queue->wait()) {
      reads[done.tag].status = status_of(reads[done.tag], done.bytes);
      files[done.tag].reset();
    }
  };
  for (const std::size_t i : order) {
    RangeRead& read = reads[i];
    auto file = files_.open(read.name);
    if (!file) {
      read.status = file.error();
      continue;
    }
    files[i] = std::move(*file);
    while (queue->full()) reap();
    queue->read(*files[i], read.offset, read.out, i);
  }
  queue->flush();
  while (queue->in_flight() > 0) reap();
  queues_.give_back(std::move(queue));
}

Result<ObjectInfo> DirectoryStore::stat(const ObjectName& name) {
  return with_place(name, [&](Dir& dir, const std::string& file) -> Result<ObjectInfo> {
    PV_TRY_ASSIGN(const FileInfo info, dir.stat(file));
    if (info.type != FileType::Regular) {
      return Error(ErrorCode::NotFound, "not a regular file");
    }
    return ObjectInfo{.name = name, .bytes = info.size};
  });
}

Status DirectoryStore::remove(const ObjectName& name) {
  files_.forget(name);
  const auto attempt = [&](Dir& dir, const std::string& file) -> Status {
    Status removed = dir.remove_file(file);
    // Done, but answered as failed (F3.2)? Then the name is gone.
    if (!removed && removed.error().code() == ErrorCode::Io) {
      const auto left = dir.stat(file);
      if (left || left.error().code() != ErrorCode::NotFound) return removed;
    } else {
      PV_TRY(removed);
    }
    return dir.sync();
  };
  PV_TRY_ASSIGN(const StorePlace place, store_place(name));
  PV_TRY_ASSIGN(const SharedDir dir, folders_.open(place.folder));
  return attempt(*dir, place.file).context("remove " + object_path(name));
}

Status DirectoryStore::add_if_object(Dir& dir, const ObjectName& name, Listing& out) {
  PV_TRY_ASSIGN(const StorePlace place, store_place(name));
  const auto info = dir.stat(place.file);
  if (!info && info.error().code() == ErrorCode::NotFound) return ok();  // Removed meanwhile.
  PV_TRY(info);
  if (info->type == FileType::Regular) {
    out.objects.push_back({name, info->size});
  } else {
    ++out.foreign;
  }
  return ok();
}

Status DirectoryStore::list_folder(const std::string& folder, ObjectType type,
                                   std::string_view prefix, Listing& out) {
  PV_TRY_ASSIGN(const SharedDir dir, folders_.open(folder));
  PV_TRY_ASSIGN(const auto entries, dir->list());
  for (const DirEntry& entry : entries) {
    if (is_object_hex(type, entry.name) && entry.name.starts_with(prefix)) {
      PV_TRY(add_if_object(*dir, {type, entry.name}, out));
    } else {
      ++out.foreign;
    }
  }
  return ok();
}

Status DirectoryStore::list_packs(Listing& out) {
  PV_TRY_ASSIGN(const SharedDir packs, folders_.open("packs"));
  PV_TRY_ASSIGN(const auto entries, packs->list());
  // A missing folder is an error below, so there are at least as many names as folders.
  const auto ours = [](const DirEntry& entry) {
    const auto byte = from_hex(entry.name);
    return byte && byte->size() == 1 && to_hex(*byte) == entry.name;
  };
  out.foreign += static_cast<std::uint64_t>(std::ranges::count_if(entries, std::not_fn(ours)));
  for (unsigned byte = 0; byte < kPackFolders; ++byte) {
    const std::string prefix = pack_folder(byte);
    PV_TRY(list_folder("packs/" + prefix, ObjectType::Pack, prefix, out));
  }
  return ok();
}

Result<Listing> DirectoryStore::list_once(ObjectType type) {
  Listing out;
  if (type == ObjectType::Config) {
    PV_TRY_ASSIGN(const SharedDir root, folders_.open(""));
    PV_TRY(add_if_object(*root, {type, ""}, out));
  } else if (type == ObjectType::Pack) {
    PV_TRY(list_packs(out));
  } else {
    const ObjectName any{type, "x"};
    const std::string path = object_path(any);
    PV_TRY(list_folder(path.substr(0, path.find('/')), type, "", out));
  }
  // Ascending, and each once even if the directory was read while it changed (F4.6).
  std::ranges::sort(out.objects, {}, &ObjectInfo::name);
  const auto same = [](const ObjectInfo& a, const ObjectInfo& b) { return a.name == b.name; };
  out.objects.erase(std::unique(out.objects.begin(), out.objects.end(), same), out.objects.end());
  return out;
}

Result<Listing> DirectoryStore::list(ObjectType type) {
  auto listing = list_once(type);
  if (!listing && listing.error().code() == ErrorCode::Io) {
    folders_.forget_all();
    listing = list_once(type);
  }
  if (!listing && listing.error().code() == ErrorCode::NotFound) {
    // A part of a listing must never pass for the whole (I7).
    listing = Error(ErrorCode::Corrupt, "folder is missing: " + listing.error().message());
  }
  return std::move(listing).context("list " + path_);
}

}  // namespace

Result<std::unique_ptr<Store>> open_directory_store(Env& env, const std::string& path) {
  PV_TRY_ASSIGN(const auto root, env.open_dir(path));
  const auto config = root->stat(object_path({ObjectType::Config, ""}));
  const bool missing = !config && config.error().code() == ErrorCode::NotFound;
  if (missing || (config && config->type != FileType::Regular)) {
    return Error(ErrorCode::NotFound, path + ": not a repository (it has no config)");
  }
  PV_TRY(config);
  return std::unique_ptr<Store>(std::make_unique<DirectoryStore>(env, path));
}

Result<std::unique_ptr<Store>> create_directory_store(Env& env, const std::string& path) {
  PV_TRY(make_store_folders(env, path));
  return std::unique_ptr<Store>(std::make_unique<DirectoryStore>(env, path));
}

}  // namespace pagevault::repo
