#include <fmt/format.h>

#include "human_numbers.h"
#include "json_text.h"
#include "opened_workspace.h"
#include "pagevault/engine/check.h"
#include "progress_line.h"

namespace pagevault::cli {
namespace {

using engine::CheckFinding;

std::string finding_text(const CheckFinding& finding) {
  std::string out;
  const auto add = [&out](const std::string& part) {
    if (!part.empty()) out += (out.empty() ? "" : ", ") + part;
  };
  add(finding.object);
  if (!finding.snapshot.empty()) add("snapshot " + finding.snapshot);
  add(finding.path);
  if (finding.length > 0) {
    add(fmt::format("bytes {} to {}", finding.offset, finding.offset + finding.length - 1));
  }
  out += (out.empty() ? "" : ": ") + finding.problem;
  if (!finding.advice.empty()) out += "; " + finding.advice;
  return out;
}

Json finding_json(const CheckFinding& finding) {
  const bool damage = finding.severity == CheckFinding::Severity::Damage;
  Json out = {{"message_type", "finding"}, {"severity", damage ? "damage" : "note"}};
  if (!finding.object.empty()) out["object"] = finding.object;
  if (!finding.snapshot.empty()) out["snapshot"] = finding.snapshot;
  if (!finding.path.empty()) put_name(out, "path", finding.path);
  if (finding.length > 0) {
    out["offset"] = finding.offset;
    out["length"] = finding.length;
  }
  out["problem"] = finding.problem;
  if (!finding.advice.empty()) out["advice"] = finding.advice;
  return out;
}

class CheckDisplay final : public engine::CheckObserver {
 public:
  explicit CheckDisplay(Invocation& invocation)
      : console_(invocation.console), line_(invocation.env, invocation.console) {}

  // Findings are the result of a check: standard output with --json.
  void on_finding(const CheckFinding& finding) override {
    if (console_.json()) return console_.json_line(finding_json(finding));
    if (finding.severity == CheckFinding::Severity::Damage) {
      return console_.item_error({}, finding_text(finding));
    }
    if (!console_.quiet()) console_.warn(finding_text(finding));
  }
  void on_progress(const engine::CheckProgress& progress) override {
    line_.update({.unit = progress.phase,
                  .items = progress.done,
                  .done = progress.done,
                  .total = progress.total});
  }
  std::int64_t elapsed_ns() const { return line_.elapsed_ns(); }

 private:
  Console& console_;
  ProgressLine line_;
};

Result<engine::CheckRequest> check_request(const Options& options) {
  engine::CheckRequest request{.read_data = options.has("read-data")};
  const auto share = options.text("read-data-subset");
  if (!share) return request;
  if (request.read_data) {
    return Error(ErrorCode::InvalidArgument, "give --read-data or --read-data-subset, not both");
  }
  request.read_data = true;
  PV_TRY_ASSIGN(request.subset_percent, parse_percent(*share).context("--read-data-subset"));
  return request;
}

Json report_json(const engine::CheckReport& report, std::int64_t elapsed_ns) {
  return {
      {"message_type", "summary"},       {"snapshots", report.snapshots},
      {"packs", report.packs},           {"packs_read", report.packs_read},
      {"bytes_read", report.bytes_read}, {"index_objects", report.index_objects},
      {"foreign", report.foreign},       {"num_errors", report.damage},
      {"notes", report.notes},           {"total_duration", static_cast<double>(elapsed_ns) / 1e9}};
}

void print_report(Console& console, const engine::CheckReport& report, bool read_data,
                  std::int64_t elapsed_ns) {
  console.summary(
      fmt::format("{}, {}, {} checked in {}", human_plural(report.snapshots, "snapshot"),
                  human_plural(report.packs, "pack"),
                  human_plural(report.index_objects, "index object"), human_duration(elapsed_ns)));
  console.summary(read_data ? fmt::format("data read: {} of {}", human_bytes(report.bytes_read),
                                          human_plural(report.packs_read, "pack"))
                            : std::string("the data itself was not read: use --read-data"));
  if (report.foreign > 0) {
    console.summary(fmt::format("{} that pagevault did not make: ignored",
                                human_plural(report.foreign, "file")));
  }
  console.summary(report.damage == 0
                      ? std::string("no damage found")
                      : fmt::format("DAMAGE: {}", human_plural(report.damage, "finding")));
}

Outcome run_check_command(Invocation& invocation) {
  PV_TRY_ASSIGN(const engine::CheckRequest request, check_request(invocation.options));
  PV_TRY_ASSIGN(OpenedWorkspace opened, open_workspace(invocation));
  CheckDisplay display(invocation);
  PV_TRY_ASSIGN(const engine::CheckReport report, engine::run_check(*opened, request, display));
  Console& console = invocation.console;
  if (console.json()) {
    console.json_line(report_json(report, display.elapsed_ns()));
  } else {
    print_report(console, report, request.read_data, display.elapsed_ns());
  }
  return report.damage > 0 ? ExitCode::Damage : ExitCode::Ok;
}

}  // namespace

const Command& check_command() {
  using enum OptionKind;
  static const Command kCommand = {
      .name = "check",
      .group = "Verify and repair",
      .summary = "verify the repository, reading only",
      .arguments = "",
      .description =
          "Verifies that every snapshot has all it needs. With --read-data every byte stored is "
          "read, decrypted and compared with its hash: what a restore would do. Each problem names "
          "the object and, where known, snapshot, file and byte range. Nothing is changed.",
      .options = {{"read-data", 0, Flag, {}, "read and verify all data, too"},
                  {"read-data-subset", 0, Value, "N%",
                   "read and verify a random part of the data: from 1% to 100%"}},
      .examples = {{"pagevault check", "every day: structure"},
                   {"pagevault check --read-data-subset=5%", "every day: a twentieth of the data"},
                   {"pagevault check --read-data", "now and then: all of it"}},
      .exits = {ExitCode::NoRepository, ExitCode::WrongKey, ExitCode::Damage},
      .run = run_check_command};
  return kCommand;
}

}  // namespace pagevault::cli
