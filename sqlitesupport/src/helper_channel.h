// Whole messages over a pair of descriptors. System calls of its own: Env knows files, not sockets.

#pragma once

#include <optional>

#include "pagevault/base/bytes.h"
#include "pagevault/base/result.h"

namespace pagevault::sqlitesupport {

/// Sends `message` with its length in front. Never raises SIGPIPE on a socket.
/// Errors: Io, also when the other end is closed.
Status send_message(int fd, ByteView message);

/// The next message; nothing when the other end closed before it began. Waits.
/// Errors: Io (closed within a message, longer than kMessageBytesMax).
Result<std::optional<Bytes>> receive_message(int fd);

/// True once the other end of `fd` is closed. Does not wait.
bool is_hung_up(int fd);

}  // namespace pagevault::sqlitesupport
