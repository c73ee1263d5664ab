// From errno to the codes env.h promises.

#pragma once

#include <fmt/format.h>

#include <cerrno>
#include <cstring>
#include <string>
#include <string_view>

#include "pagevault/base/result.h"

namespace pagevault {

inline ErrorCode error_code_of(int number) {
  switch (number) {
    case ENOENT:
      return ErrorCode::NotFound;
    case EEXIST:
      return ErrorCode::AlreadyExists;
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
      return ErrorCode::NoSpace;
    default:
      return ErrorCode::Io;
  }
}

inline std::string description_of(int number) {
  const char* text = ::strerrordesc_np(number);
  return text != nullptr ? text : fmt::format("error {}", number);
}

/// "<path>: <operation>: <what the system says>". Paths are not escaped: the printer does that.
inline Error system_error(int number, std::string_view path, std::string_view operation) {
  return {error_code_of(number),
          fmt::format("{}: {}: {}", path, operation, description_of(number))};
}

/// Calls a system call again while signals interrupt it; its last answer, with errno.
template <class Call>
auto uninterrupted(Call call) {
  auto answer = call();
  while (answer < 0 && errno == EINTR) answer = call();
  return answer;
}

}  // namespace pagevault
