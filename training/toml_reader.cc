#include "training/toml_reader.h"

#include <bellows/error.h>
#include <toml++/toml.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <fstream>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include "training/data/archive_reader.h"

namespace bellows {
namespace {

constexpr std::size_t kMaxBytes = std::size_t{1} << 20;
constexpr int kMaxBrackets = 32;
constexpr int kMaxDots = 32;

[[noreturn]] void fail(const std::string& file, std::size_t line, const std::string& message) {
  throw Error(ErrorCode::kInvalidArgument, file + ":" + std::to_string(line) + ": " + message);
}

std::string read_text(const std::filesystem::path& path) {
  const std::string file = path.string();
  require_exists(path);
  if (std::error_code ignored; std::filesystem::is_directory(path, ignored)) {
    throw Error(ErrorCode::kIoError, file + ": is a folder; name a configuration file");
  }
  std::ifstream stream(path, std::ios::binary);
  if (!stream) {
    throw Error(ErrorCode::kIoError,
                file + ": cannot be read: " + std::generic_category().message(errno));
  }
  std::string text(kMaxBytes + 1, '\0');
  stream.read(text.data(), static_cast<std::streamsize>(text.size()));
  if (stream.bad()) throw Error(ErrorCode::kIoError, file + ": reading failed");
  text.resize(static_cast<std::size_t>(stream.gcount()));
  if (text.size() > kMaxBytes) {
    throw Error(ErrorCode::kInvalidArgument,
                file + ": larger than 1 MiB, which no configuration is");
  }
  return text;
}

// Position after the string that begins with the quote at `begin`; counts its lines.
std::size_t skip_string(std::string_view text, std::size_t begin, std::size_t& line) {
  const char quote = text[begin];
  const std::string triple(3, quote);
  const bool multi_line = text.substr(begin, 3) == triple;
  std::size_t at = begin + (multi_line ? 3 : 1);
  while (at < text.size()) {
    if (multi_line && text.substr(at, 3) == triple) {
      // One or two quotes more may stand before the three that end it.
      at += 3;
      for (int more = 0; more < 2 && at < text.size() && text[at] == quote; ++more) ++at;
      return at;
    }
    if (!multi_line && text[at] == quote) return at + 1;
    if (text[at] == '\n') {
      if (!multi_line) return at;  // a syntax error, which the parser reports
      ++line;
    }
    // What a backslash escapes ends nothing; an escaped line break still counts as a line.
    const bool escaped = quote == '"' && text[at] == '\\' && text.substr(at + 1, 1) != "\n";
    at += escaped ? 2 : 1;
  }
  return std::min(at, text.size());
}

// Dotted keys nest without limit in the parser, and destroying what it makes recurses: a hostile
// line would exhaust the stack. So what nests is counted before it is parsed.
void check_depth(std::string_view text, const std::string& file) {
  std::size_t line = 1;
  int brackets = 0;
  int dots = 0;
  for (std::size_t at = 0; at < text.size();) {
    const char c = text[at];
    if (c == '"' || c == '\'') {
      at = skip_string(text, at, line);
      continue;
    }
    if (c == '#') {
      at = std::min(text.find('\n', at), text.size());
      continue;
    }
    if (c == '[' || c == '{') ++brackets;
    if (c == ']' || c == '}') --brackets;
    if (c == '.') {
      ++dots;
    } else if (std::string_view("\n=,[]{}").find(c) != std::string_view::npos) {
      dots = 0;
    }
    if (brackets > kMaxBrackets || dots > kMaxDots) fail(file, line, "nested too deep");
    if (c == '\n') ++line;
    ++at;
  }
}

class Converter {
 public:
  explicit Converter(std::string file) : file_(std::move(file)) {}

  // `line` is that of the value around it, for what has no place of its own.
  [[nodiscard]] ConfigValue convert(const toml::node& node, std::size_t line) const {
    if (node.source().begin.line > 0) line = node.source().begin.line;
    const std::string where = file_ + ":" + std::to_string(line);
    switch (node.type()) {
      case toml::node_type::boolean:
        return ConfigValue(node.as_boolean()->get(), where);
      case toml::node_type::integer:
        return ConfigValue(std::int64_t{node.as_integer()->get()}, where);
      case toml::node_type::floating_point:
        return ConfigValue(node.as_floating_point()->get(), where);
      case toml::node_type::string:
        return ConfigValue(node.as_string()->get(), where);
      case toml::node_type::array: {
        ConfigValue::Array array;
        for (const toml::node& element : *node.as_array()) array.push_back(convert(element, line));
        return ConfigValue(std::move(array), where);
      }
      case toml::node_type::table:
        return ConfigValue(members(*node.as_table(), line), where);
      default:
        fail(file_, line, "a date or time, which no key takes; write it as a string");
    }
  }

  // In the order of writing, which the parser's tables do not keep.
  [[nodiscard]] ConfigValue::Table members(const toml::table& table, std::size_t line) const {
    struct Member {
      toml::source_position position;
      std::string key;
      const toml::node* node;
    };
    std::vector<Member> ordered;
    for (const auto& [key, node] : table) {
      ordered.push_back({key.source().begin, std::string(key.str()), &node});
    }
    std::stable_sort(ordered.begin(), ordered.end(),
                     [](const Member& a, const Member& b) { return a.position < b.position; });
    ConfigValue::Table members;
    for (const Member& member : ordered) {
      members.emplace_back(member.key, convert(*member.node, line));
    }
    return members;
  }

 private:
  std::string file_;
};

}  // namespace

ConfigValue read_toml(const std::filesystem::path& path) {
  return parse_toml(read_text(path), path.string());
}

ConfigValue parse_toml(std::string_view text, const std::string& name) {
  check_depth(text, name);
  toml::table table;
  try {
    table = toml::parse(text, name);
  } catch (const toml::parse_error& error) {
    // The description quotes the offending character, which may be a line break.
    std::string message(error.description());
    for (char& c : message) {
      if (static_cast<unsigned char>(c) < 0x20) c = ' ';
    }
    fail(name, error.source().begin.line, message);
  }
  return ConfigValue(Converter(name).members(table, 1), name);
}

}  // namespace bellows
