#include "terminal.h"

#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include <cstdio>
#include <memory>

#include "interruption.h"

namespace pagevault::cli {
namespace {

constexpr std::size_t kSecretBytesMax = 4096;

struct CloseFile {
  void operator()(std::FILE* file) const { std::fclose(file); }
};
using FileHandle = std::unique_ptr<std::FILE, CloseFile>;

int descriptor_of(StandardStream stream) {
  switch (stream) {
    case StandardStream::Input:
      return STDIN_FILENO;
    case StandardStream::Output:
      return STDOUT_FILENO;
    case StandardStream::Error:
      return STDERR_FILENO;
  }
  return STDERR_FILENO;
}

// Echo off while it lives. What was typed ahead is dropped on both changes.
class EchoOff {
 public:
  explicit EchoOff(int terminal) : terminal_(terminal) {
    if (tcgetattr(terminal_, &before_) != 0) return;
    termios quiet = before_;
    quiet.c_lflag &= ~static_cast<tcflag_t>(ECHO);
    quiet.c_lflag |= ECHONL;
    changed_ = tcsetattr(terminal_, TCSAFLUSH, &quiet) == 0;
  }
  ~EchoOff() {
    if (changed_) tcsetattr(terminal_, TCSAFLUSH, &before_);
  }
  EchoOff(const EchoOff&) = delete;
  EchoOff& operator=(const EchoOff&) = delete;

 private:
  int terminal_;
  bool changed_ = false;
  termios before_{};
};

// Byte by byte into guarded memory: no buffer of stdio ever holds the secret.
Result<SecretBytes> read_line(int terminal) {
  SecretBytes line(kSecretBytesMax);
  const MutableBytes room = line.expose_mutable();
  for (std::size_t size = 0; size < room.size(); ++size) {
    const ssize_t got = read(terminal, &room[size], 1);
    if (got != 1) return Error(ErrorCode::Cancelled, "interrupted at the passphrase");
    if (room[size] == std::byte{'\n'}) return SecretBytes::copy_of(line.expose().first(size));
  }
  return Error(ErrorCode::InvalidArgument, "the passphrase is longer than 4095 bytes");
}

}  // namespace

bool is_terminal(StandardStream stream) { return isatty(descriptor_of(stream)) == 1; }

std::size_t terminal_columns() {
  winsize size{};
  const bool known = ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0;
  return known ? size.ws_col : 80;
}

Result<SecretBytes> ask_secret(std::string_view question) {
  const FileHandle terminal(std::fopen("/dev/tty", "r+e"));
  if (!terminal) {
    return Error(ErrorCode::InvalidArgument,
                 "no key was given and there is no terminal to ask for a passphrase: use "
                 "--key-file, --password-file or --password-command, or PAGEVAULT_KEY_FILE, "
                 "PAGEVAULT_PASSWORD_FILE, PAGEVAULT_PASSWORD_COMMAND or PAGEVAULT_PASSWORD");
  }
  CancelToken interrupted;
  const CancelOnSignal guard(interrupted);  // So that the echo comes back before the end.
  const EchoOff quiet(fileno(terminal.get()));
  std::fwrite(question.data(), 1, question.size(), terminal.get());
  std::fflush(terminal.get());
  Result<SecretBytes> line = read_line(fileno(terminal.get()));
  PV_TRY(interrupted.check());  // The read may have had its line before it saw the signal.
  return line;
}

}  // namespace pagevault::cli
