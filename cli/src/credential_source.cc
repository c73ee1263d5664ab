#include "credential_source.h"

#include <fmt/format.h>

#include <array>
#include <vector>

#include "password_command.h"
#include "terminal.h"
#include "user_file.h"

namespace pagevault::cli {
namespace {

using Kind = CredentialSource::Kind;

Error usage(std::string message) { return Error(ErrorCode::InvalidArgument, std::move(message)); }

struct Candidate {
  std::string_view name;  // As the user knows it.
  Kind kind;
  std::optional<std::string> value;
};

// The one that is given; a prompt when none is.
Result<CredentialSource> only_one(const std::vector<Candidate>& candidates) {
  CredentialSource out;
  std::string_view chosen;
  for (const Candidate& candidate : candidates) {
    if (!candidate.value) continue;
    if (!chosen.empty()) {
      return usage(
          fmt::format("{} and {} are both given: one key at a time", chosen, candidate.name));
    }
    if (candidate.value->empty()) return usage(fmt::format("{}: it is empty", candidate.name));
    chosen = candidate.name;
    out.kind = candidate.kind;
    out.value = *candidate.value;
  }
  return out;
}

void warn_if_open(const SecretFile& file, const std::string& path, Console& console) {
  if (!file.open_to_others) return;
  console.warn(fmt::format("{}: other users can read this secret; run: chmod 600 {}", path, path));
}

Result<repo::Credential> as_passphrase(SecretBytes text) {
  if (text.empty()) return usage("the passphrase is empty");
  return repo::Credential(repo::Passphrase{std::move(text)});
}

Result<repo::Credential> read_key_file(const std::string& path, Console& console) {
  PV_TRY_ASSIGN(const SecretFile file, read_secret_file(path).context("key file"));
  Result<repo::KeyFileSecret> secret = repo::parse_key_file(file.content.expose());
  // Another kind of file, or a damaged one: for the caller a key that does not fit.
  if (!secret) return Error(ErrorCode::WrongKey, path + ": " + secret.error().message());
  warn_if_open(file, path, console);
  return repo::Credential(std::move(secret).value());
}

Result<repo::Credential> read_password_file(const std::string& path, Console& console) {
  PV_TRY_ASSIGN(const SecretFile file, read_secret_file(path).context("password file"));
  SecretBytes line = first_line(file.content);
  if (line.empty()) return usage(path + ": the first line holds no passphrase");
  warn_if_open(file, path, console);
  return as_passphrase(std::move(line));
}

Result<NewCredential> create_key_file(Env& env, const std::string& path) {
  repo::KeyFileSecret secret{SecretBytes(32)};
  env.random(secret.bytes.expose_mutable());
  const SecretBytes text = repo::format_key_file(secret);
  PV_TRY(create_secret_file(env, path, text.expose()).context("create key file"));
  return NewCredential{repo::Credential(std::move(secret)), path};
}

Result<repo::Credential> ask_twice() {
  PV_TRY_ASSIGN(SecretBytes first, ask_secret("new passphrase: "));
  PV_TRY_ASSIGN(const SecretBytes second, ask_secret("the same again: "));
  if (!equal_constant_time(first.expose(), second.expose())) {
    return usage("the two passphrases differ");
  }
  return as_passphrase(std::move(first));
}

}  // namespace

Result<CredentialSource> choose_credential(const Options& options, Environment environment) {
  PV_TRY_ASSIGN(
      CredentialSource given,
      only_one({{"--key-file", Kind::KeyFile, options.text("key-file")},
                {"--password-file", Kind::PasswordFile, options.text("password-file")},
                {"--password-command", Kind::PasswordCommand, options.text("password-command")}}));
  if (given.kind != Kind::Prompt) return given;
  std::optional<std::string> password;
  if (!environment.password.empty()) password = "set";  // Stands for the secret, never holds it.
  PV_TRY_ASSIGN(
      CredentialSource set,
      only_one({{"PAGEVAULT_KEY_FILE", Kind::KeyFile, environment.key_file},
                {"PAGEVAULT_PASSWORD_FILE", Kind::PasswordFile, environment.password_file},
                {"PAGEVAULT_PASSWORD_COMMAND", Kind::PasswordCommand, environment.password_command},
                {"PAGEVAULT_PASSWORD", Kind::Password, password}}));
  if (set.kind == Kind::Password) set.password = std::move(environment.password);
  return set;
}

const OptionSpecs& new_credential_options() {
  using enum OptionKind;
  static const OptionSpecs kSpecs = {
      {"new-key-file", 0, Value, "FILE", "the new key: this key file, created when missing"},
      {"new-password-file", 0, Value, "FILE", "the new key: the passphrase in this file"},
      {"new-password-command", 0, Value, "COMMAND", "the new key: the passphrase this prints"},
      {"label", 0, Value, "TEXT", "what the new key is called, sealed in its slot"},
      {"kdf-memory",
       0,
       Value,
       "MIB",
       "memory a guess at the new passphrase costs (default 64)",
       {"64", "128", "256", "512"}},
  };
  return kSpecs;
}

Result<CredentialSource> choose_new_credential(const Options& options) {
  return only_one(
      {{"--new-key-file", Kind::KeyFile, options.text("new-key-file")},
       {"--new-password-file", Kind::PasswordFile, options.text("new-password-file")},
       {"--new-password-command", Kind::PasswordCommand, options.text("new-password-command")}});
}

Result<repo::Credential> read_credential(const CredentialSource& source, Console& console) {
  switch (source.kind) {
    case Kind::KeyFile:
      return read_key_file(source.value, console);
    case Kind::PasswordFile:
      return read_password_file(source.value, console);
    case Kind::Password:
      return as_passphrase(source.password.clone());
    case Kind::PasswordCommand: {
      PV_TRY_ASSIGN(SecretBytes text, run_password_command(source.value));
      return as_passphrase(std::move(text));
    }
    case Kind::Prompt:
      break;
  }
  PV_TRY_ASSIGN(SecretBytes text, ask_secret("passphrase of the repository: "));
  return as_passphrase(std::move(text));
}

Result<NewCredential> make_credential(Env& env, const CredentialSource& source, Console& console) {
  if (source.kind == Kind::Prompt) {
    PV_TRY_ASSIGN(repo::Credential asked, ask_twice());
    return NewCredential{std::move(asked), {}};
  }
  Result<repo::Credential> read = read_credential(source, console);
  if (read) return NewCredential{std::move(read).value(), {}};
  const bool missing = read.error().code() == ErrorCode::NotFound;
  if (source.kind != Kind::KeyFile || !missing) return read.error();
  return create_key_file(env, source.value);
}

}  // namespace pagevault::cli
