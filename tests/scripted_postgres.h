// A server that says what a test tells it to: the messages of PostgreSQL's protocol, right or
// wrong, on a local socket. Source: PostgreSQL, doc/src/sgml/protocol.sgml, "Message Formats".

#pragma once

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "pagevault/base/bytes.h"
#include "pagevault/base/codec.h"
#include "pagevault/base/unique_fd.h"
#include "scratch_dir.h"

namespace pagevault::test {

inline std::string be32(std::uint32_t value) {
  Bytes bytes(4);
  store_be32(bytes, value);
  return std::string(as_text(bytes));
}

inline std::string be16(std::size_t value) {
  return be32(static_cast<std::uint32_t>(value)).substr(2);
}

inline std::string message(char type, const std::string& payload) {
  return type + be32(static_cast<std::uint32_t>(payload.size() + 4)) + payload;
}

inline std::string cstring(const std::string& text) { return text + std::string(1, '\0'); }

inline const std::string kNull = "\x01null";

/// Columns are text; their names do not matter.
inline std::string rows(std::size_t columns, const std::vector<std::vector<std::string>>& values) {
  std::string description = be16(columns);
  for (std::size_t i = 0; i < columns; ++i) {
    description += cstring("c") + be32(0) + be16(0) + be32(25) + be16(65535) + be32(0) + be16(0);
  }
  std::string out = message('T', description);
  for (const auto& row : values) {
    std::string data = be16(row.size());
    for (const std::string& value : row) {
      data += value == kNull ? be32(0xffffffff)
                             : be32(static_cast<std::uint32_t>(value.size())) + value;
    }
    out += message('D', data);
  }
  return out + message('C', cstring("SELECT"));
}

inline std::string error_answer(const std::string& sqlstate, const std::string& text) {
  return message('E', "S" + cstring("ERROR") + "V" + cstring("ERROR") + "C" + cstring(sqlstate) +
                          "M" + cstring(text) + std::string(1, '\0'));
}

inline const std::string kReady = message('Z', "I");

/// Answers every query with what `script` makes of it. An empty answer: nothing is said any more.
class ScriptedPostgres {
 public:
  using Script = std::function<std::string(const std::string& query)>;

  explicit ScriptedPostgres(Script script, std::string version = "17.5")
      : script_(std::move(script)), version_(std::move(version)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    const std::string path = folder_.path() + "/.s.PGSQL.5432";
    path.copy(static_cast<char*>(address.sun_path), sizeof address.sun_path - 1);
    listener_ = UniqueFd(::socket(AF_UNIX, SOCK_STREAM, 0));
    auto* const any = static_cast<sockaddr*>(static_cast<void*>(&address));
    EXPECT_EQ(::bind(listener_.get(), any, sizeof address), 0) << path;
    EXPECT_EQ(::listen(listener_.get(), 100), 0);
    listening_ = std::thread([this] { serve(); });
  }
  ScriptedPostgres(const ScriptedPostgres&) = delete;
  ScriptedPostgres& operator=(const ScriptedPostgres&) = delete;
  ~ScriptedPostgres() {
    ::shutdown(listener_.get(), SHUT_RDWR);
    listening_.join();
    for (std::thread& session : sessions_) session.join();
  }

  std::string conninfo() const { return "host=" + folder_.path() + " user=x dbname=x"; }

  /// After so many bytes of the answer to a query that begins with BASE_BACKUP the connection is
  /// cut.
  std::size_t cut_after = SIZE_MAX;
  /// Not even the start of a session is answered.
  bool is_deaf = false;

 private:
  // Until the listener is shut down. Sessions end when their clients leave.
  void serve() {
    while (true) {
      UniqueFd session(::accept(listener_.get(), nullptr, nullptr));
      if (!session) return;
      sessions_.emplace_back([this, open = std::move(session)] { talk(open.get()); });
    }
  }

  void talk(int session) {
    read_message(session, 0);
    if (is_deaf) {
      read_message(session, 1);  // Until the client gives up.
      return;
    }
    say(session, message('R', be32(0)) +
                     message('S', cstring("server_version") + cstring(version_)) +
                     message('K', be32(1) + be32(2)) + kReady);
    for (std::string query = read_message(session, 1); query.starts_with('Q');
         query = read_message(session, 1)) {
      const std::string text = query.substr(1, query.size() - 2);
      std::string answer = script_(text);
      const bool is_cut = text.starts_with("BASE_BACKUP") && answer.size() > cut_after;
      if (is_cut) answer.resize(cut_after);
      if (!say(session, answer) || is_cut) return;
    }
  }

  // Type, if it has one, and payload; empty at the end of the connection.
  static std::string read_message(int session, std::size_t type_bytes) {
    const std::string head = read_exactly(session, type_bytes + 4);
    if (head.empty()) return {};
    const std::uint32_t length = load_be32(as_bytes(std::string_view(head)).subspan(type_bytes));
    return head.substr(0, type_bytes) + read_exactly(session, length - 4);
  }

  static std::string read_exactly(int session, std::size_t wanted) {
    std::string bytes(wanted, '\0');
    for (std::size_t done = 0; done < wanted;) {
      const ssize_t count = ::recv(session, bytes.data() + done, wanted - done, 0);
      if (count <= 0) return {};
      done += static_cast<std::size_t>(count);
    }
    return bytes;
  }

  static bool say(int session, std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t count = ::send(session, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (count <= 0) return false;
      bytes.remove_prefix(static_cast<std::size_t>(count));
    }
    return true;
  }

  testing::ScratchDir folder_;
  Script script_;
  std::string version_;
  UniqueFd listener_;
  std::thread listening_;
  std::vector<std::thread> sessions_;  // Of the listening thread, until it has ended.
};

}  // namespace pagevault::test
