// Small files the user names: passphrases, keys, patterns. Unlike what is reached through Env they
// may be links, pipes or /dev/fd/N, as `--password-file <(pass show vault)` makes them.

#pragma once

#include <string>

#include "pagevault/base/env.h"
#include "pagevault/base/secret.h"

namespace pagevault::cli {

/// The content of a file that holds a secret.
struct SecretFile {
  SecretBytes content;
  bool open_to_others = false;  ///< A regular file that group or others may read or write.
};

inline constexpr std::size_t kSecretFileBytesMax = 64 * kKiB;
inline constexpr std::size_t kTextFileBytesMax = 4 * kMiB;

/// Errors: NotFound, InvalidArgument (longer than kSecretFileBytesMax), Io. Never with content in
/// the message.
Result<SecretFile> read_secret_file(const std::string& path);

/// A file that is no secret. Errors: as above, with kTextFileBytesMax.
Result<std::string> read_text_file(const std::string& path);

/// The first line, without its end.
SecretBytes first_line(const SecretBytes& content);

/// Makes a file of mode 0600 that did not exist, durably. Errors: AlreadyExists, NotFound (its
/// folder), Io.
Status create_secret_file(Env& env, const std::string& path, ByteView content);

}  // namespace pagevault::cli
