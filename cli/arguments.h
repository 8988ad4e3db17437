// The arguments of one verb: declared once, which gives both their reading and their help.
#pragma once

#include <cstdint>
#include <limits>
#include <map>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

namespace bellows::cli {

/// Arguments that make no sense; ends the program with exit code 2. One line.
class UsageError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// An option: `--name`, or `--name VALUE` when `value` names one.
struct Option {
  std::string name;
  std::string value;  ///< "DIR"; empty for a flag
  std::string help;
};

/// How a verb is used.
struct Usage {
  std::string verb;       ///< "train", "data list"
  std::string summary;    ///< one line for the list of verbs
  std::string arguments;  ///< as in the usage line: "CONFIG.toml --out DIR [options]"
  std::string details;    ///< sentences for the help page, lines of up to 100 columns; may be empty
  std::string example;    ///< one command a line
  int least = 0;          ///< number of arguments that are no options
  int most = 0;
  std::string wanted;  ///< what those are, for messages: "one configuration file (CONFIG.toml)"
  std::vector<Option> options;  ///< besides --help
};

/// What was typed, checked against a usage. Getters throw UsageError naming option and value.
class Arguments {
 public:
  [[nodiscard]] bool help() const { return has("help"); }
  [[nodiscard]] bool has(const std::string& option) const { return values_.contains(option); }
  /// Arguments that are no options, in order.
  [[nodiscard]] const std::vector<std::string>& plain() const { return plain_; }

  [[nodiscard]] std::optional<std::string> text(const std::string& option) const;
  [[nodiscard]] std::optional<int> integer(const std::string& option, int minimum,
                                           int maximum = std::numeric_limits<int>::max()) const;
  /// For what outgrows `integer`, as times in seconds do in 2038.
  [[nodiscard]] std::optional<std::int64_t> long_integer(const std::string& option,
                                                         std::int64_t minimum) const;
  [[nodiscard]] std::optional<double> real(const std::string& option, double minimum,
                                           double maximum) const;
  /// "1,2,5"; empty when the option was not given.
  [[nodiscard]] std::vector<int> integers(const std::string& option, int minimum) const;

  /// The whole command as typed: program, verb, arguments.
  [[nodiscard]] const std::vector<std::string>& command() const { return command_; }

 private:
  friend Arguments parse_arguments(const Usage& usage, const std::vector<std::string>& typed,
                                   const std::string& program);

  std::map<std::string, std::string> values_;
  std::vector<std::string> plain_;
  std::vector<std::string> command_;
};

/// Throws UsageError for unknown options, missing values, missing and stray arguments; with --help
/// among them nothing is missing. `typed` is what stands behind the verb.
Arguments parse_arguments(const Usage& usage, const std::vector<std::string>& typed,
                          const std::string& program = "bellows");

/// The page that `bellows VERB --help` prints.
std::string help_page(const Usage& usage);

/// `arguments` as one line that a shell reads as exactly these.
std::string shell_line(const std::vector<std::string>& arguments);

/// The one of `known` that `typed` was most likely meant to be, or nothing when none is near.
std::optional<std::string> nearest(const std::string& typed, const std::vector<std::string>& known);

}  // namespace bellows::cli
