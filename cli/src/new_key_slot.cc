#include "new_key_slot.h"

#include <fmt/format.h>

#include "escape.h"
#include "json_text.h"

namespace pagevault::cli {
namespace {

repo::Argon2Cost cost_of(const Options& options) {
  repo::Argon2Cost cost;
  if (const auto memory = options.text("kdf-memory")) {
    cost.memory_bytes = std::stoull(*memory) * kMiB;
  }
  return cost;
}

void print_added(Console& console, const repo::KeySlotId& id, const std::string& created_file) {
  if (console.json()) {
    Json document = {{"message_type", "summary"}, {"key_id", id.hex()}};
    if (!created_file.empty()) put_name(document, "created_key_file", created_file);
    return console.json_line(document);
  }
  if (!created_file.empty()) {
    console.summary(fmt::format("created key file {} (readable by you alone)",
                                escape_for_terminal(created_file)));
  }
  console.summary(fmt::format("added key {}", id.hex()));
}

}  // namespace

Outcome add_new_key(Invocation& invocation, const repo::Repository& repository) {
  const Options& options = invocation.options;
  invocation.phase = Phase::Setup;
  PV_TRY_ASSIGN(const CredentialSource source, choose_new_credential(options));
  PV_TRY_ASSIGN(const NewCredential key,
                make_credential(invocation.env, source, invocation.console));
  invocation.phase = Phase::Running;
  PV_TRY_ASSIGN(
      const repo::KeySlotId id,
      repository.add_key_slot(key.credential, options.text_or("label", ""), cost_of(options)));
  print_added(invocation.console, id, key.created_file);
  return ExitCode::Ok;
}

}  // namespace pagevault::cli
