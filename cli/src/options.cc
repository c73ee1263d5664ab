#include "options.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <boost/program_options.hpp>

#include "nearest_word.h"

namespace pagevault::cli {
namespace {

namespace po = boost::program_options;

po::options_description description_of(const OptionSpecs& specs) {
  po::options_description out;
  for (const OptionSpec& spec : specs) {
    std::string names(spec.name);
    if (spec.letter != 0) names += fmt::format(",{}", spec.letter);
    if (spec.kind == OptionKind::Flag) {
      out.add_options()(names.c_str(), "");
    } else {
      out.add_options()(names.c_str(), po::value<std::string>(), "");
    }
  }
  return out;
}

Error unknown_option(const OptionSpecs& specs, const std::string& typed) {
  std::vector<std::string> known;
  for (const OptionSpec& spec : specs) known.push_back(fmt::format("--{}", spec.name));
  const std::string nearest = nearest_word(typed, known);
  const std::string advice = nearest.empty() ? "" : fmt::format("; did you mean {}?", nearest);
  return Error(ErrorCode::InvalidArgument, fmt::format("unknown option {}{}", typed, advice));
}

Status check_value(const OptionSpec& spec, const Options& given, const std::string& value) {
  if (spec.kind == OptionKind::Value && given.has(spec.name)) {
    return Error(ErrorCode::InvalidArgument,
                 fmt::format("option --{} is given more than once", spec.name));
  }
  if (!spec.choices.empty() && std::ranges::find(spec.choices, value) == spec.choices.end()) {
    return Error(ErrorCode::InvalidArgument,
                 fmt::format("option --{}: '{}' is none of {}", spec.name, value,
                             fmt::join(spec.choices, ", ")));
  }
  return ok();
}

Result<Options> collect(const OptionSpecs& specs, const po::parsed_options& parsed) {
  Options out;
  for (const auto& option : parsed.options) {
    if (option.position_key >= 0) {
      for (const std::string& word : option.value) out.add_word(word);
      continue;
    }
    const OptionSpec* spec = find_option(specs, "--" + option.string_key);
    PV_CHECK(spec != nullptr);
    const std::string value = option.value.empty() ? std::string() : option.value.front();
    PV_TRY(check_value(*spec, out, value));
    out.add(std::string(spec->name), value);
  }
  return out;
}

// Whole names only: a prefix that is unique today is ambiguous after the next option.
constexpr int kStyle = po::command_line_style::unix_style & ~po::command_line_style::allow_guessing;

}  // namespace

std::optional<std::string> Options::text(std::string_view name) const {
  const auto found = values_.find(name);
  if (found == values_.end()) return std::nullopt;
  return found->second.back();
}

std::vector<std::string> Options::list(std::string_view name) const {
  const auto found = values_.find(name);
  return found == values_.end() ? std::vector<std::string>() : found->second;
}

std::string Options::text_or(std::string_view name, std::string_view otherwise) const {
  return text(name).value_or(std::string(otherwise));
}

Result<Options> parse_options(const OptionSpecs& specs, const std::vector<std::string>& arguments) {
  const po::options_description description = description_of(specs);
  try {
    return collect(specs,
                   po::command_line_parser(arguments).options(description).style(kStyle).run());
  } catch (const po::unknown_option& problem) {
    return unknown_option(specs, problem.get_option_name());
  } catch (const po::error& problem) {
    return Error(ErrorCode::InvalidArgument, problem.what());
  }
}

const OptionSpec* find_option(const OptionSpecs& specs, std::string_view token) {
  for (const OptionSpec& spec : specs) {
    if (token.starts_with("--") && token.substr(2) == spec.name) return &spec;
    if (spec.letter != 0 && token.size() == 2 && token[0] == '-' && token[1] == spec.letter) {
      return &spec;
    }
  }
  return nullptr;
}

const OptionSpecs& global_options() {
  using enum OptionKind;
  static const OptionSpecs kSpecs = {
      {"repo", 'r', Value, "DIR", "the repository (PAGEVAULT_REPOSITORY)"},
      {"repository-file", 0, Value, "FILE",
       "file that holds the repository's path (PAGEVAULT_REPOSITORY_FILE)"},
      {"key-file", 0, Value, "FILE", "open with this key file (PAGEVAULT_KEY_FILE)"},
      {"password-file", 0, Value, "FILE",
       "file whose first line is the passphrase (PAGEVAULT_PASSWORD_FILE)"},
      {"password-command", 0, Value, "COMMAND",
       "shell command that prints the passphrase (PAGEVAULT_PASSWORD_COMMAND)"},
      {"cache-dir", 0, Value, "DIR",
       "folder for the local index cache (PAGEVAULT_CACHE_DIR; default ~/.cache/pagevault)"},
      {"no-cache", 0, Flag, {}, "keep the index in memory, leave nothing on this machine"},
      {"json", 0, Flag, {}, "print JSON: one document for lists, lines for long work"},
      {"quiet", 'q', Flag, {}, "print errors and warnings only"},
      {"verbose", 'v', Flag, {}, "say more; twice: even more"},
      {"no-progress", 0, Flag, {}, "no progress line on the terminal"},
      {"help", 'h', Flag, {}, "show this help"},
      {"version", 0, Flag, {}, "show the version"},
  };
  return kSpecs;
}

}  // namespace pagevault::cli
