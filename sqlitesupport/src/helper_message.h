// What the helper process and its starter say to each other. Both take the other's bytes for
// untrusted: a hostile database may have taken the helper over.
//
// A message is its length (4 bytes, little-endian, at most kMessageBytesMax) and then a kind byte
// and the fields of that kind.

#pragma once

#include <cstdint>
#include <string>

#include "pagevault/base/bytes.h"
#include "pagevault/base/result.h"
#include "pagevault/sqlitesupport/read_transaction.h"

namespace pagevault::sqlitesupport {

inline constexpr std::size_t kMessageBytesMax = 128 * kKiB;
inline constexpr std::size_t kMessageTextMax = 64 * kKiB;

/// A path in requests: the file that the starter passed on as this descriptor. By the starter's own
/// number in /proc the helper could not open it: nobody of the same user may look into a process
/// with keys (PR_SET_DUMPABLE).
inline constexpr int kInheritedFile = 3;
inline constexpr char kInheritedFilePath[] = "/proc/self/fd/3";

enum class RequestKind : std::uint8_t {
  Version = 1,    ///< Answer: Text.
  Begin = 2,      ///< path. Answer: Begun.
  IsCurrent = 3,  ///< transaction. Answer: Yes or No.
  End = 4,        ///< transaction. Answer: Done.
  Check = 5,      ///< path. Answer: Text for each finding, then Done.
  Dump = 6,       ///< path. Answer: Text for each piece, then Done.
};

struct HelperRequest {
  RequestKind kind = RequestKind::Version;
  std::uint32_t transaction = 0;
  std::string path = {};
};

/// Every request may be answered by Failed.
enum class ReplyKind : std::uint8_t { Done = 1, Failed = 2, Text = 3, Begun = 4, Yes = 5, No = 6 };

struct HelperReply {
  ReplyKind kind = ReplyKind::Done;
  ErrorCode code = ErrorCode::Io;  ///< Of Failed; text is its message.
  std::string text = {};
  std::uint32_t transaction = 0;  ///< Of Begun.
  DatabaseState state = {};       ///< Of Begun.
};

/// Without the length in front. Texts longer than kMessageTextMax are cut.
Bytes encode_request(const HelperRequest& request);
Bytes encode_reply(const HelperReply& reply);

/// Errors: Corrupt.
Result<HelperRequest> decode_request(ByteView bytes);
Result<HelperReply> decode_reply(ByteView bytes);

}  // namespace pagevault::sqlitesupport
