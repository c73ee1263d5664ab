#include "helper_channel.h"

#include <fmt/format.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "helper_message.h"
#include "pagevault/base/codec.h"

namespace pagevault::sqlitesupport {
namespace {

Error channel_error(std::string_view what, int number) {
  return {ErrorCode::Io, fmt::format("{}: {}", what, ::strerrordesc_np(number))};
}

ssize_t send_some(int fd, ByteView bytes) {
  const ssize_t sent = ::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
  if (sent >= 0 || errno != ENOTSOCK) return sent;
  return ::write(fd, bytes.data(), bytes.size());
}

Status send_all(int fd, ByteView bytes) {
  while (!bytes.empty()) {
    const ssize_t sent = send_some(fd, bytes);
    if (sent < 0 && errno == EINTR) continue;
    if (sent < 0) return channel_error("send", errno);
    bytes = bytes.subspan(static_cast<std::size_t>(sent));
  }
  return ok();
}

// Bytes received; fewer only where the other end closed.
Result<std::size_t> receive_all(int fd, MutableBytes out) {
  std::size_t have = 0;
  while (have < out.size()) {
    const ssize_t got = ::read(fd, out.data() + have, out.size() - have);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return channel_error("receive", errno);
    if (got == 0) break;
    have += static_cast<std::size_t>(got);
  }
  return have;
}

}  // namespace

Status send_message(int fd, ByteView message) {
  PV_CHECK(message.size() <= kMessageBytesMax);
  Encoder out;
  out.u32(static_cast<std::uint32_t>(message.size()));
  out.raw(message);
  return send_all(fd, out.view());
}

Result<std::optional<Bytes>> receive_message(int fd) {
  std::array<std::byte, 4> length_bytes;
  PV_TRY_ASSIGN(const std::size_t got, receive_all(fd, length_bytes));
  if (got == 0) return std::optional<Bytes>();
  if (got < length_bytes.size()) return Error(ErrorCode::Io, "a message ends early");
  const std::uint32_t length = load_le32(length_bytes);
  if (length > kMessageBytesMax) {
    return Error(ErrorCode::Io, fmt::format("a message of {} bytes", length));
  }
  Bytes message(length);
  PV_TRY_ASSIGN(const std::size_t body, receive_all(fd, message));
  if (body < length) return Error(ErrorCode::Io, "a message ends early");
  return std::optional<Bytes>(std::move(message));
}

bool is_hung_up(int fd) {
  pollfd poll{.fd = fd, .events = POLLRDHUP, .revents = 0};
  if (::poll(&poll, 1, 0) <= 0) return false;
  return (poll.revents & (POLLHUP | POLLRDHUP | POLLERR | POLLNVAL)) != 0;
}

}  // namespace pagevault::sqlitesupport
