// What a person proves himself with: a passphrase or a key file; and the text of key files.
// Source: docs/format.md, 2.

#pragma once

#include <variant>

#include "pagevault/base/secret.h"

namespace pagevault::repo {

struct Passphrase {
  SecretBytes text;  ///< UTF-8 as typed, without the line end. Not empty.
};
struct KeyFileSecret {
  SecretBytes bytes;  ///< 32.
};
using Credential = std::variant<Passphrase, KeyFileSecret>;

/// `pagevault-key-1:...` line, with line feed.
SecretBytes format_key_file(const KeyFileSecret& secret);
/// The line feed may be missing; everything else is exactly what format_key_file writes. Errors:
/// InvalidArgument, never with the content in the message.
Result<KeyFileSecret> parse_key_file(ByteView text);

/// `pagevault-master-1:...` line of a paper key, with line feed. `master32`: the master secret.
SecretBytes format_paper_key(ByteView master32);
/// Typed by hand: white space anywhere and capitals are tolerated. Errors as parse_key_file.
Result<SecretBytes> parse_paper_key(ByteView text);

}  // namespace pagevault::repo
