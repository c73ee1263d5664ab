// SimEnv's helpers for tests: preparing, looking at and damaging the simulated disk. They work on
// the disk itself, beside calls, faults and durability.

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "pagevault/base/sim_env.h"
#include "sim_machine.h"

namespace pagevault {

namespace {

using sim::InodeNumber;
using sim::kNoInode;

std::pair<std::string_view, std::string_view> split(std::string_view path) {
  PV_CHECK(path.starts_with('/'));
  const auto slash = path.rfind('/');
  return {path.substr(0, slash), path.substr(slash + 1)};
}

InodeNumber find(const sim::Disk& disk, std::string_view path) {
  PV_CHECK(path.starts_with('/'));
  const auto found = disk.resolve(path, sim::LastLink::Keep);
  return found ? *found : kNoInode;
}

InodeNumber must_find(const sim::Disk& disk, std::string_view path) {
  const InodeNumber number = find(disk, path);
  PV_CHECK(number != kNoInode);
  return number;
}

InodeNumber must_find_file(const sim::Disk& disk, std::string_view path) {
  const InodeNumber number = must_find(disk, path);
  PV_CHECK(disk.at(number).type == FileType::Regular);
  return number;
}

InodeNumber add_durable(sim::Machine& machine, InodeNumber directory, std::string_view name,
                        FileType type) {
  sim::Inode inode;
  inode.type = type;
  inode.metadata.mode = type == FileType::Directory ? 0755 : 0644;
  inode.metadata.mtime_ns = inode.metadata.ctime_ns = machine.storage_ns();
  const InodeNumber number = machine.disk.add(std::move(inode));
  machine.disk.set_name_durable(directory, name, number, machine.storage_ns());
  return number;
}

InodeNumber find_or_add(sim::Machine& machine, std::string_view path, FileType type) {
  const auto [parent, name] = split(path);
  if (name.empty()) return sim::kRoot;
  const InodeNumber directory =
      parent.empty() ? sim::kRoot : find_or_add(machine, parent, FileType::Directory);
  const auto found = machine.disk.resolve(path, sim::LastLink::Follow);
  if (!found) return add_durable(machine, directory, name, type);
  PV_CHECK(machine.disk.at(*found).type == type);
  return *found;
}

void list_below(const sim::Disk& disk, InodeNumber directory, const std::string& prefix,
                std::vector<std::string>& out) {
  for (const auto& [name, number] : disk.at(directory).entries) {
    const std::string path = fmt::format("{}/{}", prefix, name);
    if (disk.at(number).type == FileType::Regular) out.push_back(path);
    if (disk.at(number).type == FileType::Directory) list_below(disk, number, path, out);
  }
}

void remove_tree(sim::Machine& machine, InodeNumber directory, const std::string& name) {
  const InodeNumber number = machine.disk.lookup(directory, name);
  if (machine.disk.at(number).type == FileType::Directory) {
    const sim::Entries below = machine.disk.at(number).entries;
    for (const auto& entry : below) remove_tree(machine, number, entry.first);
  }
  machine.disk.set_name_durable(directory, name, kNoInode, machine.storage_ns());
  machine.name_removed(number);
}

void flip(sim::Content& content, std::uint64_t bit) {
  if (bit / 8 >= content.size()) return;
  const std::uint64_t byte = bit / 8;
  content.edit(byte / sim::kPageBytes)[byte % sim::kPageBytes] ^=
      static_cast<std::byte>(1U << (bit % 8));
}

}  // namespace

void SimEnv::set_denied(const std::string& path, bool denied) {
  machine_->disk.edit(must_find(machine_->disk, path)).denied = denied;
}

void SimEnv::set_unreadable(const std::string& path, ByteRange range) {
  machine_->disk.edit(must_find_file(machine_->disk, path)).unreadable = range;
}

void SimEnv::set_locked(const std::string& path, ByteRange range) {
  machine_->disk.edit(must_find_file(machine_->disk, path)).locked = range;
}

void SimEnv::make_dirs(const std::string& path) {
  find_or_add(*machine_, path, FileType::Directory);
}

void SimEnv::write_file(const std::string& path, ByteView bytes) {
  const InodeNumber number = find_or_add(*machine_, path, FileType::Regular);
  machine_->disk.resize(number, 0, machine_->storage_ns());
  machine_->disk.write(number, 0, bytes, machine_->storage_ns());
  machine_->disk.settle(number);
}

void SimEnv::write_file(const std::string& path, std::string_view text) {
  write_file(path, as_bytes(text));
}

void SimEnv::append_file(const std::string& path, ByteView bytes) {
  const InodeNumber number = must_find_file(machine_->disk, path);
  const std::uint64_t size = machine_->disk.at(number).content.size();
  machine_->disk.write(number, size, bytes, machine_->storage_ns());
  machine_->disk.settle(number);
}

std::optional<Bytes> SimEnv::read_file(const std::string& path) const {
  const InodeNumber number = find(machine_->disk, path);
  if (number == kNoInode || machine_->disk.at(number).type != FileType::Regular) return {};
  const sim::Content& content = machine_->disk.at(number).content;
  Bytes result(content.size());
  content.read(0, result);
  return result;
}

bool SimEnv::exists(const std::string& path) const {
  return find(machine_->disk, path) != kNoInode;
}

std::uint64_t SimEnv::file_size(const std::string& path) const {
  return machine_->disk.at(must_find_file(machine_->disk, path)).content.size();
}

std::vector<std::string> SimEnv::list_files(const std::string& root) const {
  std::vector<std::string> result;
  const std::string prefix = root == "/" ? "" : root;
  list_below(machine_->disk, must_find(machine_->disk, root), prefix, result);
  std::sort(result.begin(), result.end());
  return result;
}

void SimEnv::flip_bit(const std::string& path, std::uint64_t bit) {
  const InodeNumber number = must_find_file(machine_->disk, path);
  PV_CHECK(bit / 8 < machine_->disk.at(number).content.size());
  sim::Inode& inode = machine_->disk.edit(number);
  flip(inode.content, bit);
  if (inode.durable) flip(*inode.durable, bit);
}

void SimEnv::truncate(const std::string& path, std::uint64_t size) {
  const InodeNumber number = must_find_file(machine_->disk, path);
  machine_->disk.resize(number, size, machine_->storage_ns());
  machine_->disk.settle(number);
}

void SimEnv::swap_files(const std::string& a, const std::string& b) {
  const InodeNumber first = must_find_file(machine_->disk, a);
  const InodeNumber second = must_find_file(machine_->disk, b);
  const auto place = [&](const std::string& path, InodeNumber number) {
    const auto [parent, name] = split(path);
    machine_->disk.set_name_durable(must_find(machine_->disk, parent.empty() ? "/" : parent), name,
                                    number, machine_->storage_ns());
  };
  place(a, second);
  place(b, first);
}

void SimEnv::remove(const std::string& path) {
  const auto [parent, name] = split(path);
  must_find(machine_->disk, path);
  remove_tree(*machine_, must_find(machine_->disk, parent.empty() ? "/" : parent),
              std::string(name));
}

}  // namespace pagevault
