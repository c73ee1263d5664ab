// What a power loss leaves of everything that was not synced.

#include <algorithm>
#include <utility>

#include "sim_disk.h"
#include "sim_rng.h"

namespace pagevault::sim {

namespace {

enum class Manner : std::uint8_t { Nothing, Everything, Prefix, Independent };

struct NamePlan {
  Manner manner = Manner::Nothing;
  std::uint64_t cut = 0;   ///< Prefix: operations before this sequence survive.
  std::uint64_t odds = 4;  ///< Independent: so many eighths survive.
};

NamePlan plan_names(SimKeep keep, std::uint64_t oldest, std::uint64_t end, Rng& rng) {
  NamePlan plan;
  plan.cut = oldest + rng.below(end - oldest + 1);
  plan.odds = 1 + rng.below(7);
  // Prefix and independent are where the surprises are: three quarters of the seeds.
  constexpr Manner kManners[] = {Manner::Nothing,     Manner::Everything, Manner::Prefix,
                                 Manner::Prefix,      Manner::Prefix,     Manner::Independent,
                                 Manner::Independent, Manner::Independent};
  plan.manner = kManners[rng.below(std::size(kManners))];
  if (keep == SimKeep::Nothing) plan.manner = Manner::Nothing;
  if (keep == SimKeep::Everything) plan.manner = Manner::Everything;
  return plan;
}

bool survives(const NamePlan& plan, std::uint64_t sequence, Rng& rng) {
  switch (plan.manner) {
    case Manner::Nothing:
      return false;
    case Manner::Everything:
      return true;
    case Manner::Prefix:
      return sequence < plan.cut;
    case Manner::Independent:
      return rng.chance(plan.odds, 8);
  }
  return false;
}

void put(Entries& entries, const std::string& name, InodeNumber target) {
  if (target == kNoInode) {
    entries.erase(name);
  } else {
    entries.insert_or_assign(name, target);
  }
}

void undo_all(Inode& directory) {
  for (auto operation = directory.unsynced.rbegin(); operation != directory.unsynced.rend();
       ++operation) {
    if (operation->second)
      put(directory.entries, operation->second->name, operation->second->before);
    put(directory.entries, operation->first.name, operation->first.before);
  }
}

void lose_names(Inode& directory, const NamePlan& plan, Rng& rng) {
  undo_all(directory);
  for (const auto& operation : directory.unsynced) {
    if (!survives(plan, operation.sequence, rng)) continue;
    put(directory.entries, operation.first.name, operation.first.after);
    if (!operation.second) continue;
    const bool half_done = plan.manner == Manner::Independent && rng.chance(1, 4);
    if (!half_done) put(directory.entries, operation.second->name, kNoInode);
  }
  directory.unsynced.clear();
}

/// How one file's content fares.
struct ContentPlan {
  std::uint64_t odds = 4;   ///< So many eighths of the sectors survive.
  std::uint64_t stale = 0;  ///< So many eighths of lost new sectors hold foreign bytes.
};

ContentPlan plan_content(SimKeep keep, Rng& rng) {
  constexpr std::uint64_t kOdds[] = {0, 8, 1, 4, 7};
  ContentPlan plan;
  plan.odds = kOdds[rng.below(std::size(kOdds))];
  plan.stale = rng.chance(1, 4) ? 2 : 0;
  if (keep == SimKeep::Nothing) plan = {.odds = 0, .stale = 0};
  if (keep == SimKeep::Everything) plan = {.odds = 8, .stale = 0};
  return plan;
}

std::uint64_t surviving_size(std::uint64_t before, std::uint64_t after, SimKeep keep, Rng& rng) {
  const std::uint64_t choice = rng.below(4);
  const std::uint64_t low = std::min(before, after);
  const std::uint64_t between = low + rng.below(std::max(before, after) - low + 1);
  if (keep == SimKeep::Nothing) return before;
  if (keep == SimKeep::Everything) return after;
  if (choice == 0) return before;
  if (choice == 1) return after;
  return choice == 2 ? between : std::max(low, between / kSectorBytes * kSectorBytes);
}

/// Gives sector `sector` of `page` the bytes it had on the disk.
void lose_sector(Page& page, std::uint64_t sector, const Page* durable, const ContentPlan& plan,
                 Rng& rng) {
  const auto begin = page.begin() + static_cast<std::ptrdiff_t>(sector * kSectorBytes);
  const auto end = begin + static_cast<std::ptrdiff_t>(kSectorBytes);
  if (durable != nullptr) {
    std::copy_n(durable->begin() + (begin - page.begin()), kSectorBytes, begin);
    return;
  }
  const bool was_written = std::any_of(begin, end, [](std::byte b) { return b != std::byte{0}; });
  const bool stale = was_written && rng.chance(plan.stale, 8);
  std::generate(begin, end,
                [&] { return stale ? static_cast<std::byte>(rng.next()) : std::byte{0}; });
}

void lose_page(Content& merged, std::uint64_t index, const Content& durable,
               const ContentPlan& plan, Rng& rng) {
  if (plan.odds == 8) return;
  if (plan.odds == 0 && plan.stale == 0) {
    merged.share(index, durable);
    return;
  }
  Page& page = merged.edit(index);
  for (std::uint64_t sector = 0; sector < kPageBytes / kSectorBytes; ++sector) {
    if (!rng.chance(plan.odds, 8)) lose_sector(page, sector, durable.page(index), plan, rng);
  }
}

void lose_content(Inode& inode, SimKeep keep, Rng& rng) {
  Content& durable = *inode.durable;
  // A truncation reaches the disk before the data written after it, or not at all.
  const bool cut = rng.chance(1, 2) && keep == SimKeep::BySeed;
  if (cut && inode.smallest_size < durable.size()) durable.resize(inode.smallest_size);
  const ContentPlan plan = plan_content(keep, rng);
  const std::uint64_t size = surviving_size(durable.size(), inode.content.size(), keep, rng);
  Content merged = inode.content;
  merged.resize(std::max(durable.size(), merged.size()));
  for (const std::uint64_t index : inode.content.pages_unlike(durable)) {
    lose_page(merged, index, durable, plan, rng);
  }
  merged.resize(size);
  inode.content = std::move(merged);
  inode.durable.reset();
  inode.dropped_pages.clear();
}

bool is_settled(const Inode& inode) {
  return inode.unsynced.empty() && !inode.durable && !inode.durable_metadata;
}

}  // namespace

void Disk::power_loss(const SimPowerLoss& how) {
  Rng rng(how.seed);
  std::uint64_t oldest = sequence_;
  for (const auto& inode : inodes_) {
    if (inode && !inode->unsynced.empty()) {
      oldest = std::min(oldest, inode->unsynced.front().sequence);
    }
  }
  const NamePlan names = plan_names(how.names, oldest, sequence_, rng);
  for (InodeNumber number = kRoot; number < inodes_.size(); ++number) {
    if (!inodes_[number] || is_settled(at(number))) continue;
    Inode& inode = edit(number);
    lose_names(inode, names, rng);
    if (inode.durable) lose_content(inode, how.content, rng);
    const bool metadata_lost =
        how.content == SimKeep::BySeed ? rng.chance(1, 2) : how.content == SimKeep::Nothing;
    if (inode.durable_metadata && metadata_lost) inode.metadata = *inode.durable_metadata;
    inode.durable_metadata.reset();
  }
  recount();
}

void Disk::close_all() {
  used_ = 0;
  for (InodeNumber number = kRoot; number < inodes_.size(); ++number) {
    if (inodes_[number] && at(number).links > 0) used_ += allocated(number);
  }
  orphans_ = inodes_.size();
  collect([](InodeNumber) { return false; });
}

/// Walks the names from the root: counts links, drops what none leads to.
void Disk::recount() {
  for (auto& inode : inodes_) {
    if (inode && inode->links != 0)
      edit(static_cast<InodeNumber>(&inode - inodes_.data())).links = 0;
  }
  edit(kRoot).links = 1;
  std::vector<InodeNumber> todo{kRoot};
  while (!todo.empty()) {
    const InodeNumber directory = todo.back();
    todo.pop_back();
    recount_below(directory, todo);
  }
  close_all();
}

void Disk::recount_below(InodeNumber directory, std::vector<InodeNumber>& todo) {
  std::vector<std::string> second_names;  // Of directories, which may have only one.
  for (const auto& [name, number] : Entries(at(directory).entries)) {
    const bool is_directory = at(number).type == FileType::Directory;
    if (is_directory && at(number).links > 0) {
      second_names.push_back(name);
      continue;
    }
    ++edit(number).links;
    if (is_directory) todo.push_back(number);
  }
  for (const auto& name : second_names) edit(directory).entries.erase(name);
}

}  // namespace pagevault::sim
