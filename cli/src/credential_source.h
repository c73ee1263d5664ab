// Where the passphrase or key file comes from, and getting it.

#pragma once

#include <string>

#include "console.h"
#include "environment.h"
#include "options.h"
#include "pagevault/base/env.h"
#include "pagevault/repo/credential.h"

namespace pagevault::cli {

struct CredentialSource {
  enum class Kind { Prompt, Password, PasswordFile, PasswordCommand, KeyFile };
  Kind kind = Kind::Prompt;
  std::string value;     ///< Path or command.
  SecretBytes password;  ///< Kind::Password.
};

/// Options beat the environment. Errors: InvalidArgument when either names more than one.
Result<CredentialSource> choose_credential(const Options& options, Environment environment);

/// Options that describe a credential to add: --new-key-file and the like.
const OptionSpecs& new_credential_options();
/// Errors: InvalidArgument when there is more than one.
Result<CredentialSource> choose_new_credential(const Options& options);

/// The credential to open a repository with. Warns of secrets others can read. Errors: those of the
/// source; InvalidArgument for a malformed key file or an empty passphrase.
Result<repo::Credential> read_credential(const CredentialSource& source, Console& console);

struct NewCredential {
  repo::Credential credential;
  std::string created_file;  ///< Path of a key file made now; empty: none.
};
/// The credential of a new key slot: a missing key file is created, a passphrase asked for twice.
Result<NewCredential> make_credential(Env& env, const CredentialSource& source, Console& console);

}  // namespace pagevault::cli
