// Options as data: what a command accepts, and what the user gave.

#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "pagevault/base/result.h"

namespace pagevault::cli {

enum class OptionKind {
  Flag,   ///< Given or not; may be repeated.
  Value,  ///< Once at most.
  List,   ///< As often as wanted.
};

struct OptionSpec {
  std::string_view name;  ///< Without dashes.
  char letter = 0;        ///< 0: none.
  OptionKind kind = OptionKind::Flag;
  std::string_view value_name;  ///< "DIR"; empty for flags.
  std::string_view help;
  std::vector<std::string_view> choices = {};  ///< Allowed values; empty: any.
};

using OptionSpecs = std::vector<OptionSpec>;

/// What was typed: options by name and the other words in order.
class Options {
 public:
  bool has(std::string_view name) const { return values_.find(name) != values_.end(); }
  /// How often it was given.
  std::size_t count(std::string_view name) const { return list(name).size(); }
  std::optional<std::string> text(std::string_view name) const;
  std::vector<std::string> list(std::string_view name) const;
  /// The value, or `otherwise`.
  std::string text_or(std::string_view name, std::string_view otherwise) const;
  const std::vector<std::string>& words() const { return words_; }

  void add(const std::string& name, const std::string& value) { values_[name].push_back(value); }
  void add_word(const std::string& word) { words_.push_back(word); }

 private:
  std::map<std::string, std::vector<std::string>, std::less<>> values_;
  std::vector<std::string> words_;
};

/// Errors: InvalidArgument: unknown option (with the nearest known one), missing or unexpected
/// value, value that is no choice, second value.
Result<Options> parse_options(const OptionSpecs& specs, const std::vector<std::string>& arguments);

/// Accepted by every command, before or after its name.
const OptionSpecs& global_options();

/// "--tag" or "-t".
const OptionSpec* find_option(const OptionSpecs& specs, std::string_view token);

}  // namespace pagevault::cli
