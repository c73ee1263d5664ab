#include "console.h"

#include <fmt/format.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

#include "escape.h"
#include "json_text.h"
#include "terminal.h"

namespace pagevault::cli {

Console::Console(ConsoleOptions options)
    : options_(options),
      shows_progress_(options.progress && !options.quiet && !options.json &&
                      is_terminal(StandardStream::Error)) {}

Status Console::raw(ByteView bytes) {
  if (output_problem_.empty() &&
      std::fwrite(bytes.data(), 1, bytes.size(), stdout) != bytes.size()) {
    output_problem_ = std::strerror(errno);
  }
  return check();
}

void Console::line(std::string_view text) {
  clear_progress();
  raw(as_bytes(std::string(text) + "\n")).ignore("kept for check() and finish()");
}

void Console::summary(std::string_view text) {
  if (!options_.quiet && !options_.json) line(text);
}

void Console::json_line(const Json& document) { line(json_text(document)); }

void Console::write_error_line(std::string_view text) {
  clear_progress();
  const std::string whole = std::string(text) + "\n";
  // Nothing is left to tell when standard error itself fails.
  static_cast<void>(std::fwrite(whole.data(), 1, whole.size(), stderr));
}

void Console::warn(std::string_view message) {
  if (options_.json) {
    return write_error_line(json_text({{"message_type", "warning"}, {"message", message}}));
  }
  write_error_line("warning: " + escape_for_terminal(message));
}

void Console::item_error(const Json& document, std::string_view message) {
  write_error_line(options_.json ? json_text(document) : "error: " + escape_for_terminal(message));
}

void Console::detail(std::string_view message) {
  if (options_.verbosity == 0) return;
  if (options_.json) {
    return write_error_line(json_text({{"message_type", "verbose"}, {"message", message}}));
  }
  write_error_line(escape_for_terminal(message));
}

void Console::fatal(std::string_view message, std::string_view hint, int exit_code) {
  std::fflush(stdout);
  if (options_.json) {
    Json document = {{"message_type", "exit_error"}, {"code", exit_code}, {"message", message}};
    if (!hint.empty()) document["hint"] = hint;
    return write_error_line(json_text(document));
  }
  write_error_line("pagevault: " + escape_for_terminal(message));
  if (!hint.empty()) write_error_line(fmt::format("hint: {}", hint));
}

void Console::progress(std::string_view escaped) {
  if (!shows_progress_) return;
  // Back to the first column, the line, and the rest of the old one erased.
  const std::string whole = fmt::format("\r{}\x1b[K", escaped);
  static_cast<void>(std::fwrite(whole.data(), 1, whole.size(), stderr));
  std::fflush(stderr);
  progress_shown_ = true;
}

void Console::clear_progress() {
  if (!progress_shown_) return;
  std::fputs("\r\x1b[K", stderr);
  progress_shown_ = false;
}

Status Console::check() const {
  if (output_problem_.empty()) return ok();
  return Error(ErrorCode::Io, "standard output: " + output_problem_);
}

Status Console::finish() {
  clear_progress();
  if (output_problem_.empty() && std::fflush(stdout) != 0) output_problem_ = std::strerror(errno);
  return check();
}

Json item_error_document(std::string_view item, const Error& error, std::string_view during) {
  Json document = {
      {"message_type", "error"}, {"error", {{"message", error.message()}}}, {"during", during}};
  put_name(document, "item", item);
  return document;
}

}  // namespace pagevault::cli
