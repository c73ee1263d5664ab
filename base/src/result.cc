#include "pagevault/base/result.h"

namespace pagevault {

std::string_view to_string(ErrorCode code) {
  switch (code) {
    case ErrorCode::NotFound:
      return "NotFound";
    case ErrorCode::AlreadyExists:
      return "AlreadyExists";
    case ErrorCode::InvalidArgument:
      return "InvalidArgument";
    case ErrorCode::Corrupt:
      return "Corrupt";
    case ErrorCode::AuthFailed:
      return "AuthFailed";
    case ErrorCode::WrongKey:
      return "WrongKey";
    case ErrorCode::Io:
      return "Io";
    case ErrorCode::NoSpace:
      return "NoSpace";
    case ErrorCode::Locked:
      return "Locked";
    case ErrorCode::WrongParent:
      return "WrongParent";
    case ErrorCode::Unsupported:
      return "Unsupported";
    case ErrorCode::Cancelled:
      return "Cancelled";
  }
  return "Unknown";
}

Error Error::with_context(std::string_view what) const& {
  std::string message(what);
  message += ": ";
  message += message_;
  return {code_, std::move(message)};
}

}  // namespace pagevault
