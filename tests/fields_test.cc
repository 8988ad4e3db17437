#include "layers/fields.h"

#include <bellows/error.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "engine/json_value.h"
#include "tests/refusal.h"

namespace bellows {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

// A field of every type.
struct Everything {
  bool flag = false;
  int count = 3;
  double rate = 0.5;
  std::string mode = "slow";
  Size2 kernel = {3, 3};
  std::vector<int> steps = {1, 2};
  std::vector<double> factors = {};
  std::vector<std::string> names = {"one"};
  std::vector<std::string> modes = {};
  int depth = 1;  // in a table of its own

  void visit_fields(FieldVisitor& visitor) {
    visitor.field("flag", flag, {.help = "a switch"});
    visitor.field("count", count, {.help = "a number", .minimum = 1, .maximum = 9});
    visitor.field("rate", rate, {.help = "a share", .minimum = 0});
    visitor.field("mode", mode, {.help = "a way", .choices = {"slow", "fast"}});
    visitor.field("kernel", kernel, {.help = "a size", .minimum = 1});
    visitor.field("steps", steps, {.help = "numbers", .minimum = 0});
    visitor.field("factors", factors, {.help = "shares", .maximum = 1});
    visitor.field("names", names, {.help = "names"});
    visitor.field("modes", modes, {.help = "ways", .choices = {"slow", "fast"}});
    visitor.table("inner", {}, [this](FieldVisitor& fields) {
      fields.field("depth", depth, {.help = "levels"});
    });
  }
  bool operator==(const Everything&) const = default;
};

Everything read(const std::string& json) {
  const ConfigValue value = read_json(json, "some.json");
  FieldReader reader(value, "top");
  Everything everything;
  everything.visit_fields(reader);
  reader.finish();
  return everything;
}

std::string written(Everything everything) {
  FieldWriter writer;
  everything.visit_fields(writer);
  return writer.value().to_json();
}

std::string refusal(const std::string& json) {
  return bellows::refusal([&] { static_cast<void>(read(json)); });
}

Everything unlike_the_defaults() {
  return {true, 9, 1e-3, "fast", {5, 1}, {}, {0.25, -1}, {"a", "", "\"b\"\n"}, {"fast", "slow"}, 7};
}

TEST(Fields, ReadBackWhatTheyWrite) {
  for (const Everything& everything : {Everything{}, unlike_the_defaults()}) {
    EXPECT_EQ(read(written(everything)), everything) << written(everything);
  }
}

TEST(Fields, KeepTheirDefaultsWhereAKeyIsAbsent) { EXPECT_EQ(read("{}"), Everything{}); }

TEST(Fields, ReplaceTheDefaultOfAnArrayAndDoNotAddToIt) {
  const Everything everything =
      read(R"({"steps": [7], "factors": [1, 0.5], "names": ["x", "y"], "modes": []})");
  EXPECT_THAT(everything.steps, ElementsAre(7));
  EXPECT_THAT(everything.factors, ElementsAre(1, 0.5));
  EXPECT_THAT(everything.names, ElementsAre("x", "y"));
  EXPECT_THAT(everything.modes, ElementsAre());
}

TEST(Fields, WriteASquareSizeAsOneNumberAndReadBothForms) {
  EXPECT_THAT(written({}), HasSubstr(R"("kernel":3)"));
  EXPECT_EQ(read(R"({"kernel": [2, 4]})").kernel, (Size2{2, 4}));
  EXPECT_EQ(read(R"({"kernel": 2})").kernel, (Size2{2, 2}));
}

TEST(Fields, RefuseValuesOfAnotherTypeByKey) {
  EXPECT_THAT(refusal(R"({"flag": 1})"), HasSubstr("'top.flag' is 1, it needs true or false"));
  EXPECT_THAT(refusal(R"({"count": 2.5})"), HasSubstr("'top.count' is 2.5, it needs an integer"));
  EXPECT_THAT(refusal(R"({"rate": "x"})"), HasSubstr("'top.rate' is \"x\", it needs a number"));
  EXPECT_THAT(refusal(R"({"mode": 1})"), HasSubstr("'top.mode' is 1, it needs a string"));
  EXPECT_THAT(refusal(R"({"kernel": [1]})"), HasSubstr("an integer or [height, width]"));
  EXPECT_THAT(refusal(R"({"steps": 1})"), HasSubstr("'top.steps' is 1, it needs an array of int"));
  EXPECT_THAT(refusal(R"({"factors": 1})"), HasSubstr("it needs an array of numbers"));
  EXPECT_THAT(refusal(R"({"names": "x"})"), HasSubstr("it needs an array of strings"));
  EXPECT_THAT(refusal(R"({"names": ["x", 7]})"), HasSubstr("'top.names' is 7, it needs a string"));
  EXPECT_THAT(refusal(R"({"inner": 1})"), HasSubstr("'top.inner' is an integer, a table"));
}

TEST(Fields, RefuseValuesOutOfRangeWithTheRange) {
  EXPECT_THAT(refusal(R"({"count": 10})"), HasSubstr("an integer from 1 to 9"));
  EXPECT_THAT(refusal(R"({"count": 99999999999})"), HasSubstr("an integer from 1 to 9"));
  EXPECT_THAT(refusal(R"({"rate": -0.5})"), HasSubstr("a number of at least 0"));
  EXPECT_THAT(refusal(R"({"steps": [1, -1]})"), HasSubstr("'top.steps' is -1"));
  EXPECT_THAT(refusal(R"({"factors": [2]})"), HasSubstr("a number of at most 1"));
}

TEST(Fields, RefuseStringsThatAreNoChoiceWithTheChoices) {
  EXPECT_THAT(refusal(R"({"mode": "x"})"), HasSubstr("'top.mode' is \"x\", it needs one of slow"));
  EXPECT_THAT(refusal(R"({"modes": ["slow", "x"]})"), HasSubstr("it needs one of slow, fast"));
}

TEST(Fields, RefuseUnknownKeysAtEveryLevelAndNameTheKnownOnes) {
  EXPECT_THAT(refusal(R"({"cuont": 1})"),
              HasSubstr("unknown key 'top.cuont'; known here: flag, c"));
  EXPECT_THAT(refusal(R"({"inner": {"x": 1}})"), HasSubstr("'top.inner.x'; known here: depth"));
}

TEST(Fields, RefuseAMissingRequiredKeyWithItsMeaning) {
  const ConfigValue empty = read_json("{}", "some.json");
  FieldReader reader(empty, "");
  std::vector<std::string> names;
  try {
    reader.field("names", names, {.help = "what to call them", .required = true});
    FAIL() << "accepted";
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("some.json"));
    EXPECT_THAT(error.what(), HasSubstr("key 'names' is missing (what to call them)"));
  }
}

TEST(Fields, SayWhichArraysHaveOneEntryForEachGroup) {
  FieldDocumenter documenter("");
  std::vector<int> numbers;
  std::vector<double> reals;
  Size2 size;
  documenter.field("channels", numbers, {.per_group = true});
  documenter.field("others", numbers, {});
  documenter.field("reals", reals, {});
  documenter.field("size", size, {});
  std::vector<std::string> keys;
  for (const FieldDocumentation& entry : documenter.entries()) {
    if (entry.per_group) keys.push_back(entry.key);
  }
  EXPECT_THAT(keys, ElementsAre("channels"));
}

TEST(Fields, DocumentTypeDefaultAndMeaningOfEachKey) {
  FieldDocumenter documenter("top");
  Everything defaults;
  defaults.visit_fields(documenter);
  std::vector<std::string> lines;
  for (const FieldDocumentation& entry : documenter.entries()) {
    lines.push_back(entry.key + ": " + entry.type + " = " + entry.initial + ": " + entry.help);
  }
  EXPECT_THAT(lines,
              ElementsAre("top.flag: boolean = false: a switch", "top.count: integer = 3: a number",
                          "top.rate: number = 0.5: a share",
                          "top.mode: string = \"slow\": a way (slow, fast)",
                          "top.kernel: integer or [height, width] = 3: a size",
                          "top.steps: array of integers = [1,2]: numbers",
                          "top.factors: array of numbers = []: shares",
                          "top.names: array of strings = [\"one\"]: names",
                          "top.modes: array of strings = []: ways (slow, fast)",
                          "top.inner.depth: integer = 1: levels"));
}

}  // namespace
}  // namespace bellows
