#include "user_file.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>

#include "user_paths.h"

namespace pagevault::cli {
namespace {

struct CloseFile {
  void operator()(std::FILE* file) const { std::fclose(file); }
};
using FileHandle = std::unique_ptr<std::FILE, CloseFile>;

Error system_error(const std::string& path) {
  const ErrorCode code = errno == ENOENT ? ErrorCode::NotFound : ErrorCode::Io;
  return Error(code, path + ": " + std::strerror(errno));
}

bool is_open_to_others(std::FILE* file) {
  struct stat info {};
  if (fstat(fileno(file), &info) != 0) return false;
  return S_ISREG(info.st_mode) && (info.st_mode & 077U) != 0;
}

// Fills `room`, one byte of which is there to notice a file that is too long.
Result<std::size_t> read_whole(std::FILE* file, const std::string& path, MutableBytes room) {
  std::setvbuf(file, nullptr, _IONBF, 0);  // No copy of a secret in stdio's buffer.
  const std::size_t size = std::fread(room.data(), 1, room.size(), file);
  if (std::ferror(file) != 0) return system_error(path);
  if (size < room.size()) return size;
  return Error(ErrorCode::InvalidArgument,
               fmt::format("{}: longer than {} bytes", path, room.size() - 1));
}

}  // namespace

Result<SecretFile> read_secret_file(const std::string& path) {
  const FileHandle file(std::fopen(path.c_str(), "re"));
  if (!file) return system_error(path);
  SecretBytes room(kSecretFileBytesMax + 1);
  PV_TRY_ASSIGN(const std::size_t size, read_whole(file.get(), path, room.expose_mutable()));
  return SecretFile{.content = SecretBytes::copy_of(room.expose().first(size)),
                    .open_to_others = is_open_to_others(file.get())};
}

Result<std::string> read_text_file(const std::string& path) {
  const FileHandle file(std::fopen(path.c_str(), "re"));
  if (!file) return system_error(path);
  Bytes room(kTextFileBytesMax + 1);
  PV_TRY_ASSIGN(const std::size_t size, read_whole(file.get(), path, room));
  return std::string(as_text(ByteView(room).first(size)));
}

SecretBytes first_line(const SecretBytes& content) {
  std::string_view text = as_text(content.expose());
  text = text.substr(0, text.find('\n'));
  if (text.ends_with('\r')) text.remove_suffix(1);
  return SecretBytes::copy_of(as_bytes(text));
}

Status create_secret_file(Env& env, const std::string& path, ByteView content) {
  const FilePlace place = split_file_path(path);
  PV_TRY_ASSIGN(const std::unique_ptr<Dir> folder, env.open_dir(place.folder));
  PV_TRY_ASSIGN(const std::unique_ptr<File> file,
                folder->open_file(place.name, OpenMode::CreateExclusive));
  PV_TRY(file->write_at(0, content));
  PV_TRY(file->sync());
  PV_TRY(file->close());
  return folder->sync();
}

}  // namespace pagevault::cli
