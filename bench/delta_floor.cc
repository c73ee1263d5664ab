// What must a step cost at least? Each 64 KiB piece of NEW that differs from the same piece of OLD
// is compressed with zstd level 3 against it; the sum is the floor that bench/compare measures
// backups by. No ids, no maps, no encryption: a backup cannot quite reach it.
//
//   delta_floor OLD NEW [--page-size 4096] [--json]
//
// OLD and NEW are two files or two folders; in folders, files of the same path are compared, and a
// file or piece that OLD does not have is compressed by itself.

#include <fmt/format.h>
#include <zstd.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <filesystem>
#include <fstream>
#include <memory>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace {

namespace fs = std::filesystem;

using Piece = std::span<const char>;

constexpr std::size_t kPieceBytes = 65536;
constexpr int kLevel = 3;

struct Arguments {
  fs::path old_path;
  fs::path new_path;
  std::size_t page_size = 4096;
  bool json = false;
};

struct Floor {
  std::uint64_t bytes = 0;  // Of all zstd frames.
  std::uint64_t pieces_changed = 0;
  std::uint64_t pages_changed = 0;
  std::uint64_t source_bytes = 0;  // Of NEW.
};

std::size_t zstd_checked(std::size_t result) {
  if (ZSTD_isError(result) != 0) throw std::runtime_error(ZSTD_getErrorName(result));
  return result;
}

struct FreeCompressor {
  void operator()(ZSTD_CCtx* context) const { ZSTD_freeCCtx(context); }
};

class DeltaEncoder {
 public:
  DeltaEncoder() : context_(ZSTD_createCCtx()), frame_(ZSTD_compressBound(kPieceBytes)) {
    if (context_ == nullptr) throw std::runtime_error("no memory for a compressor");
    zstd_checked(ZSTD_CCtx_setParameter(context_.get(), ZSTD_c_compressionLevel, kLevel));
  }

  // Size of the frame that makes `piece` of `base`; of a plain one when `base` is empty.
  std::size_t encoded_bytes(Piece base, Piece piece) {
    // The prefix is forgotten after one frame (zstd.h).
    zstd_checked(ZSTD_CCtx_refPrefix(context_.get(), base.data(), base.size()));
    return zstd_checked(
        ZSTD_compress2(context_.get(), frame_.data(), frame_.size(), piece.data(), piece.size()));
  }

 private:
  std::unique_ptr<ZSTD_CCtx, FreeCompressor> context_;
  std::vector<char> frame_;
};

// A file's pieces, one after the other.
class PieceReader {
 public:
  // A file that is not there has no pieces.
  explicit PieceReader(const fs::path& path) : in_(path, std::ios::binary), buffer_(kPieceBytes) {}

  bool is_open() const { return in_.is_open(); }

  // Empty at the end. Valid until the next call.
  Piece next() {
    if (!is_open()) return {};
    in_.read(buffer_.data(), static_cast<std::streamsize>(buffer_.size()));
    if (in_.bad()) throw std::runtime_error("cannot read a file");
    return Piece(buffer_).first(static_cast<std::size_t>(in_.gcount()));
  }

 private:
  std::ifstream in_;
  std::vector<char> buffer_;
};

std::uint64_t differing_pages(Piece base, Piece piece, std::size_t page_size) {
  std::uint64_t count = 0;
  for (std::size_t at = 0; at < piece.size(); at += page_size) {
    const Piece page = piece.subspan(at, std::min(page_size, piece.size() - at));
    const Piece before =
        at < base.size() ? base.subspan(at, std::min(page.size(), base.size() - at)) : Piece();
    if (!std::ranges::equal(page, before)) ++count;
  }
  return count;
}

void add_file(Floor& floor, DeltaEncoder& encoder, const fs::path& old_path,
              const fs::path& new_path, std::size_t page_size) {
  PieceReader old_reader(old_path);
  PieceReader new_reader(new_path);
  if (!new_reader.is_open()) throw std::runtime_error("cannot open " + new_path.string());
  for (Piece piece = new_reader.next(); !piece.empty(); piece = new_reader.next()) {
    const Piece base = old_reader.next();
    floor.source_bytes += piece.size();
    if (std::ranges::equal(base, piece)) continue;
    floor.bytes += encoder.encoded_bytes(base, piece);
    floor.pieces_changed += 1;
    floor.pages_changed += differing_pages(base, piece, page_size);
  }
}

Floor delta_floor(const Arguments& arguments) {
  Floor floor;
  DeltaEncoder encoder;
  if (!fs::is_directory(arguments.new_path)) {
    add_file(floor, encoder, arguments.old_path, arguments.new_path, arguments.page_size);
    return floor;
  }
  for (const auto& entry : fs::recursive_directory_iterator(arguments.new_path)) {
    if (!entry.is_regular_file()) continue;
    const fs::path name = fs::relative(entry.path(), arguments.new_path);
    add_file(floor, encoder, arguments.old_path / name, entry.path(), arguments.page_size);
  }
  return floor;
}

std::optional<Arguments> parse(std::span<char*> words) {
  Arguments arguments;
  std::vector<std::string> paths;
  for (std::size_t i = 1; i < words.size(); ++i) {
    const std::string_view word = words[i];
    if (word == "--json") {
      arguments.json = true;
    } else if (word == "--page-size" && i + 1 < words.size()) {
      arguments.page_size = std::strtoul(words[++i], nullptr, 10);
    } else {
      paths.emplace_back(word);
    }
  }
  if (paths.size() != 2 || arguments.page_size == 0) return std::nullopt;
  arguments.old_path = paths[0];
  arguments.new_path = paths[1];
  if (!fs::exists(arguments.old_path) || !fs::exists(arguments.new_path)) return std::nullopt;
  return arguments;
}

void print(const Floor& floor, bool json) {
  if (json) {
    fmt::print(R"({{"bytes":{},"pieces_changed":{},"pages_changed":{},"source_bytes":{}}})"
               "\n",
               floor.bytes, floor.pieces_changed, floor.pages_changed, floor.source_bytes);
    return;
  }
  fmt::print("{} bytes: {} pieces of 64 KiB with {} changed pages, of {} bytes\n", floor.bytes,
             floor.pieces_changed, floor.pages_changed, floor.source_bytes);
}

}  // namespace

int main(int argc, char** argv) {
  try {
    const auto arguments = parse({argv, static_cast<std::size_t>(argc)});
    if (!arguments) {
      fmt::print(stderr, "usage: delta_floor OLD NEW [--page-size BYTES] [--json]\n");
      return 2;
    }
    print(delta_floor(*arguments), arguments->json);
    return 0;
  } catch (const std::exception& error) {
    fmt::print(stderr, "delta_floor: {}\n", error.what());
    return 1;
  }
}
