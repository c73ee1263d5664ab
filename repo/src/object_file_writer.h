// Writes one object of a directory store: temporary file, sync, rename, sync of the folder.
// docs/format.md, 1.

#pragma once

#include <xxhash.h>

#include "store_handles.h"

namespace pagevault::repo {

/// Invariants
///  1. The final name appears only by rename_no_replace of a synced, closed file (I4, I5).
///  2. Success is said only after the folder was synced.
///  3. When the rename answers with an error, what happened is looked at (F3.2): the object is
///     ours when the final name holds our file, whatever the answer was.
///  4. The first error is final (F2.3). What was not published leaves no file, best effort.
class ObjectFileWriter final : public ObjectWriter {
 public:
  static Result<std::unique_ptr<ObjectWriter>> create(Env& env, SharedDir dir, std::string file);
  ~ObjectFileWriter() override;

  Status append(ByteView data) override;
  Status publish() override;

 private:
  ObjectFileWriter(SharedDir dir, std::string final_name, std::string temp_name);

  Status write(ByteView data);
  Status write_buffered();
  Status finish_content();
  Status rename_to_final();
  Status publish_once();
  bool final_name_is_ours() const;
  bool final_content_is_ours() const;
  void remove_temp();

  const SharedDir dir_;
  const std::string final_name_;
  const std::string temp_name_;
  std::unique_ptr<File> file_;
  Bytes buffer_;
  std::uint64_t written_ = 0;
  // To recognise our content under the final name; only faults are meant, not an adversary.
  XXH64_hash_t content_hash_ = 0;
  std::unique_ptr<XXH3_state_t, void (*)(XXH3_state_t*)> hash_;
  Status status_;  // The first error.
  bool temp_exists_ = true;
};

}  // namespace pagevault::repo
