#include "pagevault/pgsupport/wal_summary.h"

#include <fmt/format.h>

#include <charconv>

#include "pagevault/base/codec.h"
#include "pagevault/base/crc32c.h"

namespace pagevault::pgsupport {

namespace {

constexpr std::uint32_t kMagic = 0x652b137b;
constexpr std::uint32_t kNoLimit = UINT32_MAX;
// A chunk covers 65,536 blocks: offsets of two bytes, or from this many on a bit for each block.
constexpr std::uint16_t kBitmapUsage = 4096;
constexpr std::uint32_t kMainFork = 0;
constexpr std::uint32_t kVisibilityFork = 2;
constexpr std::uint32_t kForkMax = 3;

Error corrupt(std::string problem) {
  return {ErrorCode::Corrupt, "WAL summary: " + std::move(problem)};
}

template <class Number>
bool parse_hex(std::string_view text, Number& out) {
  const char* const end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, out, 16);
  return error == std::errc() && stop == end;
}

struct ForkHeader {
  RelationFork fork;
  std::uint32_t limit = 0;
  std::uint32_t chunks = 0;
  bool is_end() const { return fork == RelationFork{} && limit == 0 && chunks == 0; }
};

Result<ForkHeader> read_header(Decoder& in) {
  ForkHeader out;
  PV_TRY_ASSIGN(out.fork.tablespace, in.u32());
  PV_TRY_ASSIGN(out.fork.database, in.u32());
  PV_TRY_ASSIGN(out.fork.relation, in.u32());
  PV_TRY_ASSIGN(out.fork.fork, in.u32());
  PV_TRY_ASSIGN(out.limit, in.u32());
  PV_TRY_ASSIGN(out.chunks, in.u32());
  if (out.fork.fork > kForkMax) return corrupt(fmt::format("unknown fork {}", out.fork.fork));
  return out;
}

// Which blocks changed is not asked for here.
Status skip_chunks(Decoder& in, std::uint32_t chunks) {
  if (chunks > in.remaining() / 2) return corrupt("more chunks than bytes");
  PV_TRY_ASSIGN(const ByteView usages, in.raw(2 * std::size_t{chunks}));
  for (std::size_t i = 0; i < chunks; ++i) {
    const std::uint16_t usage = load_le16(usages.subspan(2 * i));
    if (usage > kBitmapUsage) return corrupt(fmt::format("a chunk of {} entries", usage));
    PV_TRY(in.raw(2 * std::size_t{usage}));  // A bitmap is 65,536 bits: as long as 4,096 entries.
  }
  return ok();
}

}  // namespace

bool is_at_risk(const LimitBlock& limit) {
  return limit.block > 0 && limit.fork.relation != 0 &&
         (limit.fork.fork == kMainFork || limit.fork.fork == kVisibilityFork);
}

std::optional<WalRange> parse_wal_summary_name(std::string_view name) {
  constexpr std::string_view kEnd = ".summary";
  if (name.size() != 40 + kEnd.size() || !name.ends_with(kEnd)) return std::nullopt;
  if (name.find_first_not_of("0123456789ABCDEF") != 40) return std::nullopt;  // As the server.
  WalRange out;
  const bool read = parse_hex(name.substr(0, 8), out.timeline.value) &&
                    parse_hex(name.substr(8, 16), out.start.value) &&
                    parse_hex(name.substr(24, 16), out.end.value);
  if (!read || out.timeline.value == 0 || out.end <= out.start) return std::nullopt;
  return out;
}

Result<std::vector<LimitBlock>> read_limit_blocks(ByteView summary) {
  if (summary.size() < 8) return corrupt("too short");
  const ByteView covered = summary.first(summary.size() - 4);
  if (load_le32(summary) != kMagic) return corrupt("wrong magic number");
  if (crc32c(covered) != load_le32(summary.subspan(covered.size()))) {
    return corrupt("checksum mismatch");
  }
  std::vector<LimitBlock> out;
  Decoder in(covered.subspan(4), "WAL summary");
  std::optional<RelationFork> last;
  while (true) {
    PV_TRY_ASSIGN(const ForkHeader header, read_header(in));
    if (header.is_end()) break;
    if (last && header.fork <= *last) return corrupt("relations are not in order");
    last = header.fork;
    PV_TRY(skip_chunks(in, header.chunks));
    if (header.limit != kNoLimit) out.push_back({.fork = header.fork, .block = header.limit});
  }
  PV_TRY(in.finish());
  return out;
}

}  // namespace pagevault::pgsupport
