#include "layers/config_value.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <cstdlib>
#include <limits>
#include <string>

namespace bellows {
namespace {

using Array = ConfigValue::Array;
using Table = ConfigValue::Table;

ConfigValue integer(std::int64_t value) { return ConfigValue(value); }

TEST(ConfigValue, IsAnEmptyTableAtFirst) {
  EXPECT_EQ(ConfigValue().to_json(), "{}");
  EXPECT_EQ(ConfigValue().where(), "");
}

TEST(ConfigValue, NamesItsTypeInWords) {
  EXPECT_STREQ(ConfigValue(true).type_name(), "a boolean");
  EXPECT_STREQ(integer(1).type_name(), "an integer");
  EXPECT_STREQ(ConfigValue(1.0).type_name(), "a real number");
  EXPECT_STREQ(ConfigValue(std::string("x")).type_name(), "a string");
  EXPECT_STREQ(ConfigValue(Array{}).type_name(), "an array");
  EXPECT_STREQ(ConfigValue(Table{}).type_name(), "a table");
}

TEST(ConfigValue, RemembersWhereItWasWritten) {
  EXPECT_EQ(ConfigValue(true, "run.toml:7").where(), "run.toml:7");
}

TEST(ConfigValue, FindsMembersOfTablesOnly) {
  const ConfigValue table(Table{{"a", integer(1)}, {"b", integer(2)}});
  ASSERT_NE(table.find("b"), nullptr);
  EXPECT_EQ(table.find("b")->to_json(), "2");
  EXPECT_EQ(table.find("c"), nullptr);
  EXPECT_EQ(integer(1).find("a"), nullptr);
  EXPECT_EQ(ConfigValue(Array{integer(1)}).find("a"), nullptr);
}

TEST(ConfigValue, WritesJsonWithKeysInTheOrderOfWriting) {
  const ConfigValue table(Table{{"z", ConfigValue(Array{integer(-3), ConfigValue(false)})},
                                {"a", ConfigValue(Table{{"s", ConfigValue(std::string("t"))}})}});
  EXPECT_EQ(table.to_json(), R"({"z":[-3,false],"a":{"s":"t"}})");
}

TEST(ConfigValue, EscapesWhatJsonCannotHoldInAString) {
  EXPECT_EQ(ConfigValue(std::string("a\"b\\c\n\t\x01")).to_json(),
            R"("a\"b\\c\u000a\u0009\u0001")");
  EXPECT_EQ(ConfigValue(std::string("\xc3\xa9")).to_json(), "\"\xc3\xa9\"");
}

TEST(ConfigValue, WritesRealsThatReadBackAsTheSameRealsAndNotAsIntegers) {
  for (const double value : {0.1, 1.0, -2.0, 1e300, 5e-324, 1.0 / 3, 123456789.0}) {
    const std::string text = ConfigValue(value).to_json();
    EXPECT_EQ(std::strtod(text.c_str(), nullptr), value) << text;
    EXPECT_NE(text.find_first_of(".e"), std::string::npos) << text;
  }
}

TEST(ConfigValue, WritesIntegersWhole) {
  EXPECT_EQ(integer(std::numeric_limits<std::int64_t>::max()).to_json(), "9223372036854775807");
  EXPECT_EQ(integer(std::numeric_limits<std::int64_t>::min()).to_json(), "-9223372036854775808");
}

}  // namespace
}  // namespace bellows
