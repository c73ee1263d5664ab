// Names every relation file of a data directory, for the test that compares them with what a server
// says of it: list_relations MAJOR_VERSION BLOCK_BYTES FOLDER. A line a file: path, database,
// schema, name, kind and the owner of a TOAST table, separated by tabs; the path alone when it has
// no name.

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <filesystem>
#include <fstream>

#include "pagevault/pgsupport/catalog.h"

namespace {

using namespace pagevault;

// Pieces that no block fits into evenly.
constexpr std::size_t kPieceBytes = 10'007;

Status read_file(const std::string& path, const std::function<Status(ByteView)>& sink) {
  std::ifstream in(path, std::ios::binary);
  if (!in) return Error(ErrorCode::NotFound, path);
  std::string piece(kPieceBytes, '\0');
  while (in) {
    in.read(piece.data(), static_cast<std::streamsize>(piece.size()));
    const auto count = static_cast<std::size_t>(in.gcount());
    PV_TRY(sink(as_bytes(std::string_view(piece).substr(0, count))));
  }
  return ok();
}

std::vector<std::string> files_below(const std::string& root) {
  std::vector<std::string> out;
  const auto options = std::filesystem::directory_options::follow_directory_symlink;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(root, options)) {
    if (entry.is_regular_file()) {
      out.push_back(entry.path().string().substr(root.size() + 1));
    }
  }
  std::ranges::sort(out);
  return out;
}

Status list_all(std::uint32_t version, std::uint32_t block_bytes, const std::string& root) {
  const auto read = [&root](const std::string& path, const auto& sink) {
    return read_file(root + "/" + path, sink);
  };
  PV_TRY_ASSIGN(auto catalog, pgsupport::Catalog::open(version, block_bytes, read));
  for (const std::string& path : files_below(root)) {
    const auto file = pgsupport::parse_relation_file(path);
    if (!file) continue;
    PV_TRY_ASSIGN(const auto name, catalog.name_of(*file));
    fmt::print("{}", path);
    if (name) {
      fmt::print("\t{}\t{}\t{}\t{}\t{}", name->database, name->schema, name->name, name->kind,
                 name->toast_of);
    }
    fmt::print("\n");
  }
  return ok();
}

std::uint32_t number(std::string_view text) {
  std::uint32_t out = 0;
  std::from_chars(text.data(), text.data() + text.size(), out);
  return out;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4) return 2;
  const Status done = list_all(number(argv[1]), number(argv[2]), argv[3]);
  if (done) return 0;
  fmt::print(stderr, "list_relations: {}\n", done.error().message());
  return 1;
}
