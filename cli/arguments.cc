#include "cli/arguments.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cxxopts.hpp>
#include <string_view>
#include <type_traits>

namespace bellows::cli {
namespace {

cxxopts::Options make_options(const Usage& usage) {
  cxxopts::Options options("bellows " + usage.verb, usage.summary);
  options.custom_help(usage.arguments).positional_help("").set_width(100);
  auto add = options.add_options();
  for (const Option& option : usage.options) {
    if (option.value.empty()) {
      add(option.name, option.help);
    } else {
      add(option.name, option.help, cxxopts::value<std::string>(), option.value);
    }
  }
  add("h,help", "Print this page");
  return options;
}

template <typename Number>
Number parse_number(const std::string& option, std::string_view text, Number minimum,
                    Number maximum, const char* kind) {
  Number value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error == std::errc::result_out_of_range && end == text.data() + text.size() &&
      std::is_integral_v<Number> && !text.starts_with('-')) {
    throw UsageError("--" + option + ": '" + std::string(text) + "' is too large; at most " +
                     std::to_string(maximum));
  }
  if (error != std::errc() || end != text.data() + text.size() || !(value >= minimum) ||
      !(value <= maximum)) {
    std::ostringstream message;
    message << "--" << option << ": '" << text << "' is not " << kind;
    if (maximum < std::numeric_limits<Number>::max()) {
      message << " from " << minimum << " to " << maximum;
    } else {
      message << " of at least " << minimum;
    }
    throw UsageError(message.str());
  }
  return value;
}

// What cxxopts would accept or say less clearly: unknown options with a near name, "--json" taken
// for the value of the option before it, empty values, values of flags.
void check_options(const Usage& usage, const std::vector<std::string>& typed,
                   const std::string& see) {
  std::vector<std::string> known = {"--help"};
  for (const Option& option : usage.options) known.push_back("--" + option.name);
  for (std::size_t i = 0; i < typed.size() && typed[i] != "--"; ++i) {
    const std::size_t equals = typed[i].find('=');
    const std::string name = typed[i].substr(0, equals);
    if (!name.starts_with("--")) continue;
    const auto at = std::find(known.begin(), known.end(), name);
    if (at == known.end()) {
      const auto meant = nearest(name, known);
      throw UsageError("unknown option '" + name + "'" +
                       (meant ? " (did you mean " + *meant + "?)" : std::string()) + see);
    }
    const bool flag = at == known.begin() ||
                      usage.options[static_cast<std::size_t>(at - known.begin() - 1)].value.empty();
    if (flag && equals != std::string::npos) throw UsageError(name + " takes no value" + see);
    if (flag) continue;
    const bool missing =
        equals == std::string::npos
            ? i + 1 == typed.size() || typed[i + 1].empty() || typed[i + 1].starts_with("--")
            : equals + 1 == typed[i].size();
    if (missing) {
      const Option& option = usage.options[static_cast<std::size_t>(at - known.begin() - 1)];
      throw UsageError(name + " needs a value (" + option.value + ")" + see);
    }
    if (equals == std::string::npos) ++i;
  }
}

std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t replaced = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({replaced, row[j] + 1, row[j - 1] + 1});
    }
  }
  return row.back();
}

}  // namespace

std::optional<std::string> Arguments::text(const std::string& option) const {
  const auto found = values_.find(option);
  if (found == values_.end()) return std::nullopt;
  return found->second;
}

std::optional<int> Arguments::integer(const std::string& option, int minimum, int maximum) const {
  const auto value = text(option);
  if (!value) return std::nullopt;
  return parse_number(option, *value, minimum, maximum, "a whole number");
}

std::optional<double> Arguments::real(const std::string& option, double minimum,
                                      double maximum) const {
  const auto value = text(option);
  if (!value) return std::nullopt;
  return parse_number(option, *value, minimum, maximum, "a number");
}

std::optional<std::int64_t> Arguments::long_integer(const std::string& option,
                                                    std::int64_t minimum) const {
  const auto value = text(option);
  if (!value) return std::nullopt;
  return parse_number(option, *value, minimum, std::numeric_limits<std::int64_t>::max(),
                      "a whole number");
}

std::vector<int> Arguments::integers(const std::string& option, int minimum) const {
  std::vector<int> numbers;
  const auto value = text(option);
  if (!value) return numbers;
  std::string_view rest = *value;
  while (true) {
    const std::size_t comma = rest.find(',');
    numbers.push_back(parse_number(option, rest.substr(0, comma), minimum,
                                   std::numeric_limits<int>::max(), "a whole number"));
    if (comma == std::string_view::npos) return numbers;
    rest.remove_prefix(comma + 1);
  }
}

Arguments parse_arguments(const Usage& usage, const std::vector<std::string>& typed,
                          const std::string& program) {
  const std::string see = "; see bellows " + usage.verb + " --help";
  check_options(usage, typed, see);
  cxxopts::Options options = make_options(usage);
  std::vector<const char*> words = {program.c_str()};
  for (const std::string& word : typed) words.push_back(word.c_str());

  Arguments arguments;
  arguments.command_ = {program};
  std::istringstream verb(usage.verb);
  for (std::string word; verb >> word;) arguments.command_.push_back(word);
  arguments.command_.insert(arguments.command_.end(), typed.begin(), typed.end());
  try {
    const auto parsed = options.parse(static_cast<int>(words.size()), words.data());
    for (const auto& pair : parsed.arguments()) arguments.values_[pair.key()] = pair.value();
    arguments.plain_ = parsed.unmatched();
  } catch (const cxxopts::exceptions::exception& error) {
    throw UsageError(error.what() + see);
  }
  if (arguments.help()) return arguments;
  const auto count = static_cast<int>(arguments.plain_.size());
  if (count < usage.least) throw UsageError("missing " + usage.wanted + see);
  if (count > usage.most) {
    throw UsageError("stray argument '" + arguments.plain_[static_cast<std::size_t>(usage.most)] +
                     "'" + see);
  }
  return arguments;
}

std::string help_page(const Usage& usage) {
  std::string page = make_options(usage).help();
  if (!usage.details.empty()) page += "\n" + usage.details + "\n";
  page += "\nExample:\n";
  std::istringstream lines(usage.example);
  for (std::string line; std::getline(lines, line);) page += "  " + line + "\n";
  return page;
}

std::string shell_line(const std::vector<std::string>& arguments) {
  std::string line;
  for (const std::string& argument : arguments) {
    if (!line.empty()) line += ' ';
    const bool harmless =
        !argument.empty() && std::all_of(argument.begin(), argument.end(), [](char c) {
          return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                 std::string_view("-_./=,:+@%").find(c) != std::string_view::npos;
        });
    if (harmless) {
      line += argument;
      continue;
    }
    line += '\'';
    for (const char c : argument) line += c == '\'' ? std::string("'\\''") : std::string(1, c);
    line += '\'';
  }
  return line;
}

std::optional<std::string> nearest(const std::string& typed,
                                   const std::vector<std::string>& known) {
  std::optional<std::string> best;
  std::size_t smallest = std::max<std::size_t>(typed.size() / 2, 1) + 1;
  for (const std::string& word : known) {
    const std::size_t distance = edit_distance(typed, word);
    if (distance < smallest) {
      smallest = distance;
      best = word;
    }
  }
  return best;
}

}  // namespace bellows::cli
