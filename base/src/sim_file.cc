#include "sim_file.h"

#include <algorithm>

namespace pagevault::sim {

namespace {

constexpr std::uint64_t kFileBytesMax = 1ULL << 44U;  // 16 TiB, as ext4.

}  // namespace

Status SimFile::begin_read(std::string_view operation) const {
  if (first_error_) return *first_error_;
  PV_TRY(handle_.begin(SimCallKind::Read, operation));
  if (closed_) return handle_.error(ErrorCode::Io, operation, {}, "file is closed");
  return ok();
}

Status SimFile::begin_write(std::string_view operation) const {
  if (first_error_) return *first_error_;
  if (closed_) return handle_.error(ErrorCode::Io, operation, {}, "file is closed");
  if (access_ == Access::Read) {
    return handle_.error(ErrorCode::Io, operation, {}, "opened for reading only");
  }
  return handle_.begin_change(SimCallKind::Write, operation);
}

Status SimFile::poison(Status status) {
  if (!status && !first_error_) first_error_ = status.error();
  return status;
}

Result<std::size_t> SimFile::read_at(std::uint64_t offset, MutableBytes out) {
  PV_TRY(begin_read("read"));
  const ByteRange& bad = handle_.disk().at(handle_.number()).unreadable;
  if (offset < bad.offset + bad.length && bad.offset < offset + out.size()) {
    return handle_.error(ErrorCode::Io, "read", {}, "input/output error (unreadable range)");
  }
  return handle_.disk().at(handle_.number()).content.read(offset, out);
}

Status SimFile::write_at(std::uint64_t offset, ByteView data) {
  const std::uint64_t fired = handle_.machine().faults_fired();
  const Status begun = begin_write("write");
  if (begun) {
    PV_TRY(poison(write_what_fits(offset, data)));
    return poison(handle_.finish("write"));
  }
  // A failed write has written any part, as the kernel may have.
  if (handle_.machine().faults_fired() != fired && handle_.alive()) {
    const std::size_t part = handle_.machine().choices.below(data.size() + 1);
    write_what_fits(offset, data.first(part)).ignore("the call fails anyway");
  }
  return poison(begun);
}

Status SimFile::write_what_fits(std::uint64_t offset, ByteView data) {
  if (data.empty()) return ok();
  if (offset > kFileBytesMax || data.size() > kFileBytesMax - offset) {
    return handle_.error(ErrorCode::NoSpace, "write", {}, "file too large");
  }
  Machine& machine = handle_.machine();
  ByteView fits = data;
  while (!fits.empty() && machine.disk.growth_of_write(handle_.number(), {offset, fits.size()}) >
                              machine.free_bytes()) {
    const std::uint64_t tail = (offset + fits.size() - 1) % kPageBytes + 1;
    fits = fits.first(fits.size() - std::min<std::uint64_t>(tail, fits.size()));
  }
  if (!fits.empty()) {
    machine.disk.write(handle_.number(), offset, fits, machine.storage_ns());
  }
  if (fits.size() == data.size()) return ok();
  return handle_.error(ErrorCode::NoSpace, "write", {}, "no space left on device");
}

Status SimFile::sync() {
  if (first_error_) return *first_error_;
  const std::uint64_t fired = handle_.machine().faults_fired();
  const Status begun = handle_.begin(SimCallKind::Sync, "sync");
  if (!begun) {
    if (handle_.machine().faults_fired() != fired && handle_.alive()) {
      handle_.disk().fail_sync(handle_.number());
    }
    return poison(begun);
  }
  if (closed_) return handle_.error(ErrorCode::Io, "sync", {}, "file is closed");
  if (!handle_.machine().sync_lies) handle_.disk().sync_content(handle_.number());
  return poison(handle_.finish("sync"));
}

Status SimFile::truncate(std::uint64_t size) {
  PV_TRY(poison(begin_write("truncate")));
  if (size > kFileBytesMax) {
    return poison(handle_.error(ErrorCode::NoSpace, "truncate", {}, "file too large"));
  }
  handle_.disk().resize(handle_.number(), size, handle_.machine().storage_ns());
  return poison(handle_.finish("truncate"));
}

Status SimFile::punch_hole(ByteRange range) {
  PV_TRY(poison(begin_write("punch hole")));
  handle_.disk().punch(handle_.number(), range, handle_.machine().storage_ns());
  return poison(handle_.finish("punch hole"));
}

// What lies before the range is reserved too: more than the real one takes, never less.
Status SimFile::preallocate(ByteRange range) {
  PV_TRY(poison(begin_write("preallocate")));
  Machine& machine = handle_.machine();
  const std::uint64_t size = range.offset + range.length;
  if (size > kFileBytesMax ||
      machine.disk.growth_of_reserve(handle_.number(), size) > machine.free_bytes()) {
    return poison(handle_.error(ErrorCode::NoSpace, "preallocate", {}, "no space left on device"));
  }
  machine.disk.reserve(handle_.number(), size);
  return ok();
}

Result<FileInfo> SimFile::info() {
  PV_TRY(begin_read("info"));
  return handle_.disk().info(handle_.number());
}

Result<bool> SimFile::is_locked(ByteRange range) {
  PV_TRY(begin_read("look for locks"));
  const ByteRange& held = handle_.disk().at(handle_.number()).locked;
  return range.offset < held.offset + held.length && held.offset < range.offset + range.length;
}

Result<std::vector<ByteRange>> SimFile::data_ranges() {
  PV_TRY(begin_read("data ranges"));
  return handle_.disk().at(handle_.number()).content.ranges();
}

Status SimFile::close() {
  if (first_error_) return *first_error_;
  PV_TRY(poison(handle_.begin(SimCallKind::Sync, "close")));
  closed_ = true;
  return poison(handle_.finish("close"));
}

}  // namespace pagevault::sim
