#include "pagevault/pgsupport/backup_manifest.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <unordered_set>

#include "pagevault/base/codec.h"

namespace pagevault::pgsupport {

namespace {

constexpr std::string_view kVersionKey = "PostgreSQL-Backup-Manifest-Version";
constexpr std::string_view kSystemKey = "System-Identifier";
constexpr std::string_view kChecksumKey = "Manifest-Checksum";
constexpr std::size_t kPathBytesMax = 4096;

Error corrupt(std::string problem) { return {ErrorCode::Corrupt, std::move(problem)}; }

// Relative, normal: nothing that could leave the data directory (S14).
bool is_plain_path(std::string_view path) {
  if (path.empty() || path.size() > kPathBytesMax || path.find('\0') != std::string_view::npos) {
    return false;
  }
  while (true) {
    const std::size_t slash = path.find('/');
    const std::string_view part = path.substr(0, slash);
    if (part.empty() || part == "." || part == "..") return false;
    if (slash == std::string_view::npos) return true;
    path.remove_prefix(slash + 1);
  }
}

// What is read as the events of the JSON come. Depth is counted, so nothing recurses (S16).
class ManifestHandler final : public nlohmann::json_sax<nlohmann::json> {
 public:
  BackupManifest take() { return std::move(manifest_); }
  Status status() const { return problem_ ? Status(*problem_) : ok(); }
  bool is_whole() const { return has_checksum_ && top_keys_.contains("Files"); }

  bool null() override { return fail("null where something should be"); }
  bool boolean(bool) override { return fail("true or false where something else should be"); }
  bool number_integer(number_integer_t) override { return fail("a negative number"); }
  bool number_float(number_float_t, const string_t&) override { return fail("a fraction"); }
  bool binary(binary_t&) override { return fail("binary data"); }
  bool number_unsigned(number_unsigned_t value) override;
  bool string(string_t& value) override;
  bool start_object(std::size_t) override;
  bool end_object() override;
  bool start_array(std::size_t) override;
  bool end_array() override;
  bool key(string_t& name) override;
  bool parse_error(std::size_t position, const std::string&,
                   const nlohmann::detail::exception&) override {
    return fail(fmt::format("no JSON at byte {}", position));
  }

 private:
  enum class Place : std::uint8_t { Outside, Top, Files, File, Ranges, Range, Done };

  bool fail(std::string text) {
    if (!problem_) problem_ = corrupt(std::move(text));
    return false;
  }
  bool file_text(const std::string& value);
  bool range_text(const std::string& value);
  bool end_file();
  bool end_range();

  BackupManifest manifest_;
  Place place_ = Place::Outside;
  std::string key_;
  std::unordered_set<std::string> seen_keys_;  // Of the current object.
  std::unordered_set<std::string> top_keys_;
  std::unordered_set<std::string> paths_;
  ManifestFile file_;
  std::string checksum_;  // Of file_, in hex.
  WalRange range_;
  bool has_checksum_ = false;
  std::optional<Error> problem_;
};

bool ManifestHandler::key(string_t& name) {
  auto& seen = place_ == Place::Top ? top_keys_ : seen_keys_;
  if (!seen.insert(name).second) return fail(fmt::format("'{}' twice", name));
  if (place_ == Place::Top && manifest_.version == 0 && name != kVersionKey) {
    return fail("does not begin with its version");
  }
  key_ = std::move(name);
  return true;
}

bool ManifestHandler::start_object(std::size_t) {
  seen_keys_.clear();
  if (place_ == Place::Outside) {
    place_ = Place::Top;
  } else if (place_ == Place::Files) {
    place_ = Place::File;
    file_ = {};
    checksum_.clear();
  } else if (place_ == Place::Ranges) {
    place_ = Place::Range;
    range_ = {};
  } else {
    return fail("an object where none should be");
  }
  return true;
}

bool ManifestHandler::end_object() {
  if (place_ == Place::File) return end_file();
  if (place_ == Place::Range) return end_range();
  place_ = Place::Done;
  return true;
}

bool ManifestHandler::start_array(std::size_t) {
  if (place_ == Place::Top && key_ == "Files") {
    place_ = Place::Files;
  } else if (place_ == Place::Top && key_ == "WAL-Ranges") {
    place_ = Place::Ranges;
  } else {
    return fail("a list where none should be");
  }
  return true;
}

bool ManifestHandler::end_array() {
  place_ = Place::Top;
  return true;
}

bool ManifestHandler::number_unsigned(number_unsigned_t value) {
  if (place_ == Place::Top && key_ == kVersionKey) {
    if (value != 1 && value != 2) {
      problem_ = Error(ErrorCode::Unsupported, fmt::format("version {} is not known", value));
      return false;
    }
    manifest_.version = static_cast<std::uint32_t>(value);
  } else if (place_ == Place::Top && key_ == kSystemKey) {
    manifest_.system_identifier = value;
  } else if (place_ == Place::File && key_ == "Size") {
    file_.size = value;
  } else if (place_ == Place::Range && key_ == "Timeline" && value > 0 && value <= UINT32_MAX) {
    range_.timeline.value = static_cast<std::uint32_t>(value);
  } else {
    return fail(fmt::format("an unknown key or an impossible number: '{}'", key_));
  }
  return true;
}

bool ManifestHandler::string(string_t& value) {
  if (place_ == Place::File) return file_text(value);
  if (place_ == Place::Range) return range_text(value);
  if (place_ != Place::Top || key_ != kChecksumKey) {
    return fail(fmt::format("an unknown key: '{}'", key_));
  }
  has_checksum_ = true;
  return true;
}

bool ManifestHandler::file_text(const std::string& value) {
  if (key_ == "Path") {
    if (seen_keys_.contains("Encoded-Path")) return fail("a file with two paths");
    file_.path = value;
  } else if (key_ == "Encoded-Path") {
    const auto bytes = from_hex(value);
    if (!bytes) return fail("an Encoded-Path that is no hex");
    if (seen_keys_.contains("Path")) return fail("a file with two paths");
    file_.path = std::string(as_text(*bytes));
  } else if (key_ == "Last-Modified") {
    file_.last_modified = value;
  } else if (key_ == "Checksum-Algorithm") {
    const auto algorithm = checksum_algorithm(value);
    if (!algorithm) return fail(fmt::format("an unknown checksum '{}'", value));
    file_.algorithm = *algorithm;
  } else if (key_ == "Checksum") {
    checksum_ = value;
  } else {
    return fail(fmt::format("an unknown key of a file: '{}'", key_));
  }
  return true;
}

bool ManifestHandler::end_file() {
  place_ = Place::Files;
  if (!is_plain_path(file_.path)) return fail(fmt::format("a path of no file: '{}'", file_.path));
  if (!seen_keys_.contains("Size")) return fail(file_.path + ": has no size");
  auto checksum = from_hex(checksum_);
  if (!checksum || checksum->size() != digest_bytes(file_.algorithm)) {
    return fail(file_.path + ": a checksum of the wrong length");
  }
  file_.checksum = std::move(*checksum);
  if (!paths_.insert(file_.path).second) return fail(file_.path + ": is there twice");
  manifest_.files.push_back(std::move(file_));
  return true;
}

bool ManifestHandler::range_text(const std::string& value) {
  const auto lsn = parse_lsn(value);
  if (!lsn || (key_ != "Start-LSN" && key_ != "End-LSN")) {
    return fail(fmt::format("a WAL range with '{}': '{}'", key_, value));
  }
  (key_ == "Start-LSN" ? range_.start : range_.end) = *lsn;
  return true;
}

bool ManifestHandler::end_range() {
  place_ = Place::Ranges;
  const bool whole = range_.timeline.value != 0 && seen_keys_.contains("Start-LSN") &&
                     seen_keys_.contains("End-LSN") && range_.start <= range_.end;
  if (!whole) return fail("a WAL range without timeline, start or end, or that ends first");
  manifest_.wal_ranges.push_back(range_);
  return true;
}

// The checksum is the last line, exactly as servers write it, and covers everything before it:
// anything else on that line would be covered by nothing.
Status check_own_checksum(std::string_view text) {
  if (text.empty() || text.back() != '\n') return corrupt("does not end with a newline: cut off");
  const std::size_t before = text.rfind('\n', text.size() - 2);
  if (before == std::string_view::npos) return corrupt("has one line only");
  const std::string_view last = text.substr(before + 1);
  constexpr std::string_view kStart = "\"Manifest-Checksum\": \"";
  constexpr std::string_view kEnd = "\"}\n";
  constexpr std::size_t kDigits = 64;
  if (last.size() != kStart.size() + kDigits + kEnd.size() || !last.starts_with(kStart) ||
      !last.ends_with(kEnd)) {
    return corrupt("its last line is no checksum");
  }
  const auto stated = from_hex(last.substr(kStart.size(), kDigits));
  FileChecksum sum(ChecksumAlgorithm::Sha256);
  sum.update(as_bytes(text.substr(0, before + 1)));
  if (!stated || *stated != sum.finish()) return corrupt("does not have the checksum it states");
  return ok();
}

bool is_utf8(std::string_view text) {
  try {
    return !nlohmann::json(std::string(text)).dump().empty();
  } catch (const nlohmann::json::exception&) {
    return false;
  }
}

// As the server's escape_json.
void escape_json(std::string& out, std::string_view text) {
  out += '"';
  for (const char c : text) {
    switch (c) {
      case '\b':
        out += "\\b";
        break;
      case '\f':
        out += "\\f";
        break;
      case '\n':
        out += "\\n";
        break;
      case '\r':
        out += "\\r";
        break;
      case '\t':
        out += "\\t";
        break;
      case '"':
        out += "\\\"";
        break;
      case '\\':
        out += "\\\\";
        break;
      default:
        if (static_cast<unsigned char>(c) < ' ') {
          out += fmt::format("\\u{:04x}", static_cast<unsigned>(static_cast<unsigned char>(c)));
        } else {
          out += c;
        }
    }
  }
  out += '"';
}

std::string file_line(const ManifestFile& file) {
  std::string out = "{ ";
  if (is_utf8(file.path)) {
    out += "\"Path\": ";
    escape_json(out, file.path);
  } else {
    out += fmt::format("\"Encoded-Path\": \"{}\"", to_hex(as_bytes(file.path)));
  }
  out += fmt::format(", \"Size\": {}, \"Last-Modified\": ", file.size);
  escape_json(out, file.last_modified);  // Of another manifest, so it may be anything.
  if (file.algorithm != ChecksumAlgorithm::None) {
    out += fmt::format(", \"Checksum-Algorithm\": \"{}\", \"Checksum\": \"{}\"",
                       to_text(file.algorithm), to_hex(file.checksum));
  }
  return out + " }";
}

}  // namespace

Result<BackupManifest> parse_backup_manifest(ByteView bytes) {
  if (bytes.size() > kManifestBytesMax) return corrupt("longer than a manifest can be");
  const std::string_view text = as_text(bytes);
  PV_TRY(check_own_checksum(text));
  ManifestHandler handler;
  nlohmann::json::sax_parse(text.begin(), text.end(), &handler);
  PV_TRY(handler.status());
  BackupManifest out = handler.take();
  if (!handler.is_whole() || out.version == 0) return corrupt("has no version, files or checksum");
  if (out.wal_ranges.empty()) return corrupt("names no WAL");
  if (out.version >= 2 && !out.system_identifier) return corrupt("names no system");
  return out;
}

struct ManifestWriter::State {
  Sink sink;
  FileChecksum checksum{ChecksumAlgorithm::Sha256};
  std::string head;  // Goes in front of the first file.
  std::size_t files = 0;

  Status write(std::string_view text) {
    checksum.update(as_bytes(text));
    return sink(as_bytes(text));
  }
};

ManifestWriter::ManifestWriter(std::optional<std::uint64_t> system_identifier, Sink sink)
    : state_(std::make_unique<State>()) {
  state_->sink = std::move(sink);
  state_->head = fmt::format("{{ \"{}\": {},\n", kVersionKey, system_identifier ? 2 : 1);
  if (system_identifier) {
    state_->head += fmt::format("\"{}\": {},\n", kSystemKey, *system_identifier);
  }
  state_->head += "\"Files\": [";
}
ManifestWriter::~ManifestWriter() = default;

Status ManifestWriter::add(const ManifestFile& file) {
  const std::string start = state_->files == 0 ? state_->head + "\n" : ",\n";
  ++state_->files;
  return state_->write(start + file_line(file));
}

Status ManifestWriter::finish(const std::vector<WalRange>& wal_ranges) {
  std::string out = state_->files == 0 ? state_->head : "";
  out += "\n],\n\"WAL-Ranges\": [\n";
  for (const WalRange& range : wal_ranges) {
    if (&range != &wal_ranges.front()) out += ",\n";
    out += fmt::format("{{ \"Timeline\": {}, \"Start-LSN\": \"{}\", \"End-LSN\": \"{}\" }}",
                       range.timeline.value, to_text(range.start), to_text(range.end));
  }
  out += "\n],\n";
  PV_TRY(state_->write(out));
  const std::string last =
      fmt::format("\"{}\": \"{}\"}}\n", kChecksumKey, to_hex(state_->checksum.finish()));
  return state_->sink(as_bytes(last));
}

}  // namespace pagevault::pgsupport
