#include "password_command.h"

#include <fmt/format.h>
#include <sys/wait.h>

#include <cstdio>

#include "user_file.h"

namespace pagevault::cli {
namespace {

Error failed(std::string_view how) {
  return Error(ErrorCode::InvalidArgument, fmt::format("the password command {}", how));
}

Status check_end(int status) {
  if (WIFSIGNALED(status)) return failed(fmt::format("was killed by signal {}", WTERMSIG(status)));
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return ok();
  return failed(WIFEXITED(status) ? fmt::format("failed with exit status {}", WEXITSTATUS(status))
                                  : std::string("could not be run"));
}

}  // namespace

Result<SecretBytes> run_password_command(const std::string& command) {
  // NOLINTNEXTLINE(cert-env33-c): a shell is what the option promises; "e": not inherited.
  std::FILE* output = popen(command.c_str(), "re");
  if (output == nullptr) return failed("could not be started");
  std::setvbuf(output, nullptr, _IONBF, 0);  // No copy of the secret in stdio's buffer.
  SecretBytes room(kSecretFileBytesMax);
  const std::size_t size = std::fread(room.expose_mutable().data(), 1, room.size(), output);
  PV_TRY(check_end(pclose(output)));
  SecretBytes line = first_line(SecretBytes::copy_of(room.expose().first(size)));
  if (line.empty()) return failed("printed no passphrase on its first line");
  return line;
}

}  // namespace pagevault::cli
