#include "engine/json_value.h"

#include <bellows/error.h>

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <limits>
#include <memory>
#include <nlohmann/json.hpp>
#include <set>
#include <utility>
#include <vector>

namespace bellows {
namespace {

// Receives what nlohmann's parser finds, in order, and builds the tree. That parser keeps no stack
// of its own, so depth costs nothing until here.
class TreeBuilder final : public nlohmann::json_sax<nlohmann::json> {
 public:
  TreeBuilder(std::string_view text, const std::string& source)
      : text_(text), source_(std::make_shared<const std::string>(source)) {}

  ConfigValue take() { return std::move(root_); }

  bool null() override { fail(place() + " is null, which means nothing here"); }
  bool boolean(bool value) override { return add(ConfigValue::Data(value)); }
  bool number_integer(number_integer_t value) override {
    return add(ConfigValue::Data(std::int64_t{value}));
  }
  bool number_unsigned(number_unsigned_t value) override {
    if (value > static_cast<number_unsigned_t>(std::numeric_limits<std::int64_t>::max())) {
      fail(place() + " is " + std::to_string(value) + ", more than 64 bits can hold with a sign");
    }
    return add(ConfigValue::Data(static_cast<std::int64_t>(value)));
  }
  bool number_float(number_float_t /*value*/, const string_t& written) override {
    // The parser reads it as the C library's locale writes numbers, and `written` has that locale's
    // decimal point. Whoever sets one must get the numbers of the file all the same.
    std::string text = written;
    for (char& c : text) {
      if (std::string_view("0123456789+-eE").find(c) == std::string_view::npos) c = '.';
    }
    // The parser makes a real number of an integer that it cannot hold.
    if (text.find_first_of(".eE") == std::string::npos) {
      fail(place() + " is " + in_quotes(text) + ", more than 64 bits can hold with a sign");
    }
    double value = 0;
    const char* end = text.data() + text.size();
    if (std::from_chars(text.data(), end, value).ptr != end) {
      fail(place() + " is " + in_quotes(text) + ", no number");
    }
    return add(ConfigValue::Data(value));
  }
  bool string(string_t& value) override { return add(ConfigValue::Data(std::move(value))); }
  // Only binary formats have these.
  bool binary(binary_t& /*value*/) override { fail(place() + " is binary"); }

  bool start_object(std::size_t /*unknown*/) override { return open(ConfigValue::Table{}); }
  bool start_array(std::size_t /*unknown*/) override { return open(ConfigValue::Array{}); }
  bool end_object() override { return close(); }
  bool end_array() override { return close(); }
  bool key(string_t& name) override {
    Level& level = levels_.back();
    if (!level.keys.insert(name).second)
      fail("key " + in_quotes(name) + " stands twice in one table");
    level.key = std::move(name);
    return true;
  }

  bool parse_error(std::size_t position, const std::string& /*last_token*/,
                   const nlohmann::json::exception& error) override {
    // The parser's own message quotes the text at any length, so the place is shown from here.
    const std::size_t byte = position > 0 ? position - 1 : 0;
    const std::size_t begin = byte > 16 ? byte - 16 : 0;
    const std::string_view seen = text_.substr(begin, byte + 1 - begin);
    constexpr int kOutOfRange = 406;
    throw Error(ErrorCode::kCorruptData,
                *source_ + ": byte " + std::to_string(byte) + ": " +
                    (error.id == kOutOfRange ? "a number that is too large" : "malformed JSON") +
                    (byte >= text_.size() ? " (the text ends too early), after " : " at ") +
                    in_quotes(seen));
  }

 private:
  struct Level {
    ConfigValue value;
    std::string key;             // of the member that comes next, in a table
    std::set<std::string> keys;  // no hash, which a file could be made for
  };

  [[noreturn]] void fail(const std::string& problem) const {
    throw Error(ErrorCode::kCorruptData, *source_ + ": " + problem);
  }

  // Where the next value goes, for messages.
  [[nodiscard]] std::string place() const {
    for (auto level = levels_.rbegin(); level != levels_.rend(); ++level) {
      if (!level->key.empty()) return "a value of key " + in_quotes(level->key);
    }
    return "a value";
  }

  void count() {
    if (++values_ > kMaxJsonValues) {
      fail("holds more than " + std::to_string(kMaxJsonValues) + " values");
    }
  }

  bool add(ConfigValue::Data data) {
    count();
    put(ConfigValue(std::move(data), source_));
    return true;
  }

  void put(ConfigValue value) {
    if (levels_.empty()) {
      root_ = std::move(value);
    } else if (auto* table = std::get_if<ConfigValue::Table>(&levels_.back().value.data())) {
      table->emplace_back(std::move(levels_.back().key), std::move(value));
      levels_.back().key.clear();
    } else {
      std::get<ConfigValue::Array>(levels_.back().value.data()).push_back(std::move(value));
    }
  }

  bool open(ConfigValue::Data empty) {
    count();
    if (levels_.size() == kMaxJsonDepth) {
      fail("is nested deeper than " + std::to_string(kMaxJsonDepth) + " levels");
    }
    levels_.push_back({ConfigValue(std::move(empty), source_), {}, {}});
    return true;
  }

  bool close() {
    ConfigValue value = std::move(levels_.back().value);
    levels_.pop_back();
    put(std::move(value));
    return true;
  }

  std::string_view text_;
  std::shared_ptr<const std::string> source_;
  ConfigValue root_;
  std::vector<Level> levels_;
  std::size_t values_ = 0;
};

}  // namespace

ConfigValue read_json(std::string_view text, const std::string& source) {
  // The parser takes a zero byte for the end and would leave what follows unread.
  if (const std::size_t zero = text.find('\0'); zero != std::string_view::npos) {
    throw Error(ErrorCode::kCorruptData,
                source + ": byte " + std::to_string(zero) + ": malformed JSON (a zero byte)");
  }
  TreeBuilder builder(text, source);
  nlohmann::json::sax_parse(text.begin(), text.end(), &builder);
  return builder.take();
}

std::string in_quotes(std::string_view text) {
  constexpr std::size_t kLongest = 80;
  std::string shown(text.substr(0, kLongest));
  // A message is read on terminals: what is not plain ASCII may be half a character or worse.
  std::replace_if(
      shown.begin(), shown.end(), [](char c) { return c < 0x20 || c > 0x7e; }, '?');
  return '"' + shown + (text.size() > kLongest ? "...\"" : "\"");
}

}  // namespace bellows
