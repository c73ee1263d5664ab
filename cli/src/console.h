// The only writer to standard output and standard error.
//
// Results go to standard output; messages, warnings and progress to standard error. With --json
// both speak JSON. Foreign text is escaped here for messages; lines and JSON are made by the
// commands, which escape names themselves.

#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

#include "pagevault/base/bytes.h"
#include "pagevault/base/result.h"

namespace pagevault::cli {

using Json = nlohmann::ordered_json;

struct ConsoleOptions {
  bool json = false;
  bool quiet = false;
  std::size_t verbosity = 0;
  bool progress = true;  ///< Wanted; shown only when standard error is a terminal.
};

class Console {
 public:
  explicit Console(ConsoleOptions options);

  bool json() const { return options_.json; }
  bool quiet() const { return options_.quiet; }
  std::size_t verbosity() const { return options_.verbosity; }
  bool shows_progress() const { return shows_progress_; }

  /// A line of the result.
  void line(std::string_view text);
  /// A line of the result that --quiet leaves out and --json replaces.
  void summary(std::string_view text);
  void json_line(const Json& document);
  /// Bytes as they are. Errors: Io when standard output takes no more.
  Status raw(ByteView bytes);

  void warn(std::string_view message);
  /// A problem with one thing while the work goes on.
  void item_error(const Json& document, std::string_view message);
  /// With -v, on standard error.
  void detail(std::string_view message);
  /// The last words: `pagevault: MESSAGE` and `hint: HINT`, or an exit_error document.
  void fatal(std::string_view message, std::string_view hint, int exit_code);

  /// Replaces the progress line. `escaped` fits the terminal.
  void progress(std::string_view escaped);
  void clear_progress();

  /// Io once standard output takes no more (a closed pipe, a full disk): stop listing.
  Status check() const;
  /// Flushes. Errors: Io.
  Status finish();

 private:
  void write_error_line(std::string_view text);

  ConsoleOptions options_;
  bool shows_progress_;
  bool progress_shown_ = false;
  std::string output_problem_;
};

/// "error" documents for one item, as restic writes them.
Json item_error_document(std::string_view item, const Error& error, std::string_view during);

}  // namespace pagevault::cli
