#include "engine/json_value.h"

#include <bellows/error.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <random>
#include <string>

namespace bellows {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

std::string error_of(const std::string& text) {
  try {
    static_cast<void>(read_json(text, "some.json"));
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kCorruptData) << error.what();
    EXPECT_EQ(std::string(error.what()).find('\n'), std::string::npos) << error.what();
    EXPECT_LT(std::string(error.what()).size(), 300U);
    return error.what();
  }
  ADD_FAILURE() << "accepted: " << text.substr(0, 100);
  return "";
}

TEST(ReadJson, KeepsTypesOrderAndSource) {
  const ConfigValue value = read_json(
      R"( {"z": true, "a": -7, "real": 1.0, "text": "\u00e9\n", "list": [1, 2.5, []], "t": {}} )",
      "some.json");
  const auto& table = std::get<ConfigValue::Table>(value.data());
  ASSERT_EQ(table.size(), 6U);
  EXPECT_EQ(table[0].first, "z");
  EXPECT_TRUE(std::get<bool>(table[0].second.data()));
  EXPECT_EQ(std::get<std::int64_t>(table[1].second.data()), -7);
  EXPECT_EQ(std::get<double>(table[2].second.data()), 1.0);
  EXPECT_EQ(std::get<std::string>(table[3].second.data()), "\xc3\xa9\n");
  const auto& list = std::get<ConfigValue::Array>(table[4].second.data());
  ASSERT_EQ(list.size(), 3U);
  EXPECT_EQ(std::get<double>(list[1].data()), 2.5);
  EXPECT_TRUE(std::get<ConfigValue::Array>(list[2].data()).empty());
  EXPECT_TRUE(std::get<ConfigValue::Table>(table[5].second.data()).empty());
  EXPECT_EQ(value.where(), "some.json");
  EXPECT_EQ(list[1].where(), "some.json");
}

TEST(ReadJson, TakesAValueThatIsNoTable) {
  EXPECT_EQ(std::get<std::int64_t>(read_json("12", "x").data()), 12);
  EXPECT_EQ(std::get<std::string>(read_json("\"\"", "x").data()), "");
}

TEST(ReadJson, HoldsEveryInteger64BitsCanHold) {
  for (const std::int64_t value : {std::numeric_limits<std::int64_t>::min(), std::int64_t{0},
                                   std::numeric_limits<std::int64_t>::max()}) {
    EXPECT_EQ(std::get<std::int64_t>(read_json(std::to_string(value), "x").data()), value);
  }
  EXPECT_THAT(error_of(R"({"size": 9223372036854775808})"),
              HasSubstr(R"(a value of key "size" is 9223372036854775808)"));
}

TEST(ReadJson, RefusesIntegersBeyond64BitsAndTakesNoneForAReal) {
  for (const char* integer :
       {"18446744073709551616", "-9223372036854775809", "100000000000000000000000000"}) {
    EXPECT_THAT(error_of(std::string("{\"size\": ") + integer + "}"),
                HasSubstr(std::string("a value of key \"size\" is \"") + integer + "\""));
  }
  for (const char* real : {"18446744073709551616.0", "1e30", "-9E+20"}) {
    EXPECT_EQ(std::get<double>(read_json(real, "x").data()), std::stod(real));
  }
}

// A random tree, with every kind of value in every kind of place.
ConfigValue random_tree(std::mt19937& random, int depth) {
  const auto below = [&random](unsigned bound) { return static_cast<unsigned>(random()) % bound; };
  switch (below(depth > 0 ? 6 : 4)) {
    case 0:
      return ConfigValue(below(2) == 1);
    case 1:
      return ConfigValue((static_cast<std::int64_t>(random()) << 31) - (std::int64_t{1} << 61));
    case 2:
      return ConfigValue((static_cast<double>(random()) - 2e9) / 7);
    case 3: {
      std::string text;
      for (unsigned i = below(6); i > 0; --i) text += static_cast<char>(below(128));
      return ConfigValue(text + "\xe2\x82\xac");
    }
    case 4: {
      ConfigValue::Array array;
      for (unsigned i = below(4); i > 0; --i) array.push_back(random_tree(random, depth - 1));
      return ConfigValue(std::move(array));
    }
    default: {
      ConfigValue::Table table;
      for (unsigned i = below(4); i > 0; --i) {
        table.emplace_back("key " + std::to_string(i), random_tree(random, depth - 1));
      }
      return ConfigValue(std::move(table));
    }
  }
}

TEST(ReadJson, IsTheInverseOfWriting) {
  std::mt19937 random(1);
  for (int i = 0; i < 300; ++i) {
    const std::string text = random_tree(random, 4).to_json();
    EXPECT_EQ(read_json(text, "x").to_json(), text);
  }
}

TEST(ReadJson, NamesTheByteWhereTheTextIsNoJson) {
  EXPECT_THAT(error_of(R"({"a": 1,})"), StartsWith("some.json: byte 8: malformed JSON"));
  EXPECT_THAT(error_of(R"({"a": tru})"), StartsWith("some.json: byte 9: malformed JSON"));
  EXPECT_THAT(error_of("[1] x"), StartsWith("some.json: byte 4: malformed JSON"));
  EXPECT_THAT(error_of("[1e999]"), HasSubstr("too large"));
  EXPECT_THAT(error_of("[nan]"), HasSubstr("malformed"));
  EXPECT_THAT(error_of("[\"\xff\"]"), StartsWith("some.json: byte 2: malformed JSON"));
  EXPECT_THAT(error_of("[\"a\nb\"]"), StartsWith("some.json: byte 3: malformed JSON"));
  EXPECT_THAT(error_of(std::string("{}\0{", 4)), HasSubstr("byte 2: malformed JSON (a zero byte)"));
}

TEST(ReadJson, SaysWhenTheTextEndsTooEarly) {
  const std::string text = R"({"key": [1, 2.5, "text", true], "other": {}})";
  for (std::size_t length = 0; length < text.size(); ++length) {
    EXPECT_THAT(error_of(text.substr(0, length)), HasSubstr("ends too early")) << length;
  }
}

TEST(ReadJson, RefusesNullByKey) {
  EXPECT_THAT(error_of(R"({"table": {"list": [1, null]}})"),
              HasSubstr(R"(a value of key "list" is null)"));
  EXPECT_THAT(error_of("null"), HasSubstr("a value is null"));
}

TEST(ReadJson, RefusesAKeyTwiceInOneTable) {
  EXPECT_THAT(error_of(R"({"a": 1, "b": {"a": 2}, "a": 3})"), HasSubstr(R"(key "a" stands twice)"));
  EXPECT_THAT(error_of(R"({"a": 1, "\u0061": 3})"), HasSubstr(R"(key "a" stands twice)"));
  EXPECT_THAT(error_of("{\"\\n\": 1, \"\\n\": 3}"), HasSubstr(R"(key "?" stands twice)"));
}

TEST(ReadJson, LimitsDepth) {
  const auto nested = [](std::size_t depth) {
    return std::string(depth, '[') + std::string(depth, ']');
  };
  EXPECT_EQ(read_json(nested(kMaxJsonDepth), "x").to_json(), nested(kMaxJsonDepth));
  EXPECT_THAT(error_of(nested(kMaxJsonDepth + 1)), HasSubstr("nested deeper than 64"));
  EXPECT_THAT(error_of(std::string(1000000, '[')), HasSubstr("nested deeper than 64"));
}

TEST(ReadJson, LimitsTheNumberOfValues) {
  std::string text = "[0";
  for (std::size_t i = 2; i < kMaxJsonValues; ++i) text += ",0";
  const ConfigValue value = read_json(text + "]", "x");
  EXPECT_EQ(std::get<ConfigValue::Array>(value.data()).size(), kMaxJsonValues - 1);
  EXPECT_THAT(error_of(text + ",0]"), HasSubstr("more than 1048576 values"));
}

TEST(InQuotes, ShowsAnyTextShortAndOnOneLine) {
  EXPECT_EQ(in_quotes("plain"), "\"plain\"");
  EXPECT_EQ(in_quotes("a\nb\xff"), "\"a?b?\"");
  EXPECT_EQ(in_quotes(std::string(100, 'x')), '"' + std::string(80, 'x') + "...\"");
}

}  // namespace
}  // namespace bellows
