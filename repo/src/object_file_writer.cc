#include "object_file_writer.h"

#include "store_folders.h"

namespace pagevault::repo {

namespace {

constexpr std::size_t kBufferBytes = kMiB;

std::string fresh_temp_name(Env& env) {
  std::array<std::byte, kTempHexDigits / 2> random{};
  env.random(random);
  return std::string(kTempPrefix) + to_hex(random);
}

void free_hash(XXH3_state_t* state) { XXH3_freeState(state); }

}  // namespace

Result<std::unique_ptr<ObjectWriter>> ObjectFileWriter::create(Env& env, SharedDir dir,
                                                               std::string file) {
  std::string temp = fresh_temp_name(env);
  PV_TRY_ASSIGN(auto opened, dir->open_file(temp, OpenMode::CreateExclusive));
  std::unique_ptr<ObjectFileWriter> writer(  // Private constructor.
      new ObjectFileWriter(std::move(dir), std::move(file), std::move(temp)));
  writer->file_ = std::move(opened);
  return std::unique_ptr<ObjectWriter>(std::move(writer));
}

ObjectFileWriter::ObjectFileWriter(SharedDir dir, std::string final_name, std::string temp_name)
    : dir_(std::move(dir)),
      final_name_(std::move(final_name)),
      temp_name_(std::move(temp_name)),
      hash_(XXH3_createState(), free_hash) {
  PV_CHECK(hash_ != nullptr);
  XXH3_64bits_reset(hash_.get());
}

ObjectFileWriter::~ObjectFileWriter() { remove_temp(); }

void ObjectFileWriter::remove_temp() {
  file_.reset();
  if (!temp_exists_) return;
  temp_exists_ = false;
  dir_->remove_file(temp_name_).ignore("best effort: a leftover is foreign and harmless");
}

Status ObjectFileWriter::write(ByteView data) {
  PV_TRY(file_->write_at(written_, data));
  XXH3_64bits_update(hash_.get(), data.data(), data.size());
  written_ += data.size();
  return ok();
}

Status ObjectFileWriter::write_buffered() {
  if (buffer_.empty()) return ok();
  PV_TRY(write(buffer_));
  buffer_.clear();
  return ok();
}

Status ObjectFileWriter::append(ByteView data) {
  PV_TRY(status_);
  PV_CHECK(file_ != nullptr);
  if (buffer_.size() + data.size() > kBufferBytes) status_ = write_buffered();
  PV_TRY(status_);
  if (data.size() >= kBufferBytes) {
    status_ = write(data);
    return status_;
  }
  buffer_.reserve(kBufferBytes);
  pagevault::append(buffer_, data);
  return ok();
}

Status ObjectFileWriter::publish() {
  PV_TRY(status_);
  PV_CHECK(file_ != nullptr);
  status_ = publish_once();
  remove_temp();
  return status_;
}

Status ObjectFileWriter::publish_once() {
  PV_TRY(finish_content());
  PV_TRY(rename_to_final());
  return dir_->sync();
}

Status ObjectFileWriter::finish_content() {
  PV_TRY(write_buffered());
  content_hash_ = XXH3_64bits_digest(hash_.get());
  PV_TRY(file_->sync());
  return file_->close();
}

Status ObjectFileWriter::rename_to_final() {
  Status renamed = dir_->rename_no_replace(temp_name_, final_name_);
  if (renamed) {
    temp_exists_ = false;
    return ok();
  }
  if (final_name_is_ours()) return ok();
  return renamed;
}

bool ObjectFileWriter::final_name_is_ours() const {
  const auto final_info = dir_->stat(final_name_);
  if (!final_info || final_info->size != written_) return false;
  const auto temp_info = dir_->stat(temp_name_);
  if (temp_info) {
    // Both names of one file: a hard link stood in for the rename and only its answer was lost.
    return final_info->inode == temp_info->inode && final_info->device == temp_info->device;
  }
  if (temp_info.error().code() != ErrorCode::NotFound) return false;
  // Our temporary file has gone somewhere. Inodes are not stable on every share, contents are.
  return final_content_is_ours();
}

bool ObjectFileWriter::final_content_is_ours() const {
  const auto file = dir_->open_file(final_name_, OpenMode::Read);
  if (!file) return false;
  XXH3_64bits_reset(hash_.get());
  Bytes piece(kBufferBytes);
  for (std::uint64_t offset = 0; offset < written_;) {
    const auto read = (*file)->read_at(offset, piece);
    if (!read || *read == 0) return false;
    XXH3_64bits_update(hash_.get(), piece.data(), *read);
    offset += *read;
  }
  return XXH3_64bits_digest(hash_.get()) == content_hash_;
}

}  // namespace pagevault::repo
