#include "training/toml_reader.h"

#include <bellows/error.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <string>

namespace bellows {
namespace {

using testing::EndsWith;
using testing::HasSubstr;
using testing::StartsWith;

class TomlReader : public testing::Test {
 protected:
  void SetUp() override {
    const auto* test = testing::UnitTest::GetInstance()->current_test_info();
    folder_ =
        std::filesystem::path(testing::TempDir()) / ("toml_reader_" + std::string(test->name()));
    std::filesystem::create_directories(folder_);
    file_ = folder_ / "run.toml";
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  ConfigValue read(const std::string& text) const {
    std::ofstream(file_, std::ios::binary) << text;
    return read_toml(file_);
  }

  // The message of the error that reading `text` ends in, without the name of the file.
  std::string refusal(const std::string& text) const {
    try {
      read(text);
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::kInvalidArgument);
      const std::string message = error.what();
      EXPECT_THAT(message, StartsWith(file_.string() + ":"));
      EXPECT_EQ(message.find('\n'), std::string::npos) << message;
      return message.substr(file_.string().size());
    }
    return "accepted";
  }

  std::string at_line(int line) const { return file_.string() + ":" + std::to_string(line); }

  std::filesystem::path folder_;
  std::filesystem::path file_;
};

TEST_F(TomlReader, KeepsEveryTypeOfValue) {
  const ConfigValue table = read(
      "yes = true\ncount = -3\nrate = 5e-4\ntext = 'a \"b\"'\nlist = [1, 2.5, [], { x = 'y' }]\n"
      "[inner]\nmore.deep = false\n");
  EXPECT_EQ(table.to_json(),
            R"({"yes":true,"count":-3,"rate":5e-04,"text":"a \"b\"","list":[1,2.5,[],{"x":"y"}],)"
            R"("inner":{"more":{"deep":false}}})");
}

TEST_F(TomlReader, KeepsKeysInTheOrderOfWriting) {
  EXPECT_EQ(read("[z]\nb = 1\na = 2\n[m]\n[a]\n").to_json(),
            R"({"z":{"b":1,"a":2},"m":{},"a":{}})");
}

TEST_F(TomlReader, RemembersTheLineOfEveryValue) {
  const ConfigValue table = read(
      "first = 1\n\nlist = [\n  10,\n  20,\n]\n[table]\nkey = 'x'\n[[rows]]\na = 1\n[[rows]]\na = "
      "2\n");
  EXPECT_EQ(table.where(), file_.string());
  EXPECT_EQ(table.find("first")->where(), at_line(1));
  const auto& list = std::get<ConfigValue::Array>(table.find("list")->data());
  EXPECT_EQ(list.at(0).where(), at_line(4));
  EXPECT_EQ(list.at(1).where(), at_line(5));
  EXPECT_EQ(table.find("table")->where(), at_line(7));
  EXPECT_EQ(table.find("table")->find("key")->where(), at_line(8));
  const auto& rows = std::get<ConfigValue::Array>(table.find("rows")->data());
  EXPECT_EQ(rows.at(1).where(), at_line(11));
  EXPECT_EQ(rows.at(1).find("a")->where(), at_line(12));
}

TEST_F(TomlReader, ReadsAnEmptyFileAsAnEmptyTable) { EXPECT_EQ(read("").to_json(), "{}"); }

TEST_F(TomlReader, NamesFileAndLineOfASyntaxError) {
  EXPECT_THAT(refusal("a = 1\nb = = 2\n"), StartsWith(":2: "));
  EXPECT_THAT(refusal("a = 1\n\nb = \"open\n"), StartsWith(":3: "));
  EXPECT_THAT(refusal("a = 1\na = 2\n"), StartsWith(":2: "));
  EXPECT_THAT(refusal("a = \"\xff\"\n"), StartsWith(":1: "));
  EXPECT_THAT(refusal(std::string("a = \"\0\"\n", 8)), StartsWith(":1: "));
}

TEST_F(TomlReader, RefusesDatesAndTimes) {
  EXPECT_THAT(refusal("a = 1\nday = 2020-01-02\n"), StartsWith(":2: a date or time"));
  EXPECT_THAT(refusal("a = [1, 12:30:00]\n"), HasSubstr("a date or time"));
  EXPECT_THAT(refusal("a = 2020-01-02T12:30:00Z\n"), HasSubstr("a date or time"));
}

TEST_F(TomlReader, RefusesAFileOfMoreThanOneMebibyte) {
  const std::string line = "# a comment\n";
  std::string text;
  while (text.size() <= (1U << 20)) text += line;
  EXPECT_THAT(refusal(text), HasSubstr("larger than 1 MiB"));
}

TEST_F(TomlReader, RefusesValuesNestedTooDeepForTheStack) {
  std::string dotted;
  std::string brackets;
  std::string braces = "a = ";
  for (int i = 0; i < 100000; ++i) {
    dotted += "a.";
    brackets += '[';
    braces += "{a=";
  }
  EXPECT_EQ(refusal("x = 1\n" + dotted + "a = 1\n"), ":2: nested too deep");
  EXPECT_EQ(refusal("a = " + brackets), ":1: nested too deep");
  EXPECT_EQ(refusal(braces), ":1: nested too deep");
  EXPECT_EQ(refusal("[" + dotted + "a]\n"), ":1: nested too deep");
  // The strings before it must not hide it.
  EXPECT_EQ(refusal("s = \"\"\"\n\\\"\"\" \"\"\"\nt = 'x\\'\n" + dotted + "a = 1\n"),
            ":4: nested too deep");
  // One or two quotes more than three end a string with that many in it.
  for (const std::string quotes : {"\'\'\'", "\"\"\""}) {
    for (const std::size_t more : {std::size_t{1}, std::size_t{2}}) {
      const std::string end = quotes + quotes.substr(0, more);
      EXPECT_EQ(refusal("x = { y = " + quotes + "b" + end + ", " + dotted + "a = 1 }\n"),
                ":1: nested too deep");
    }
  }
}

TEST_F(TomlReader, TakesDotsAndBracketsInStringsAndCommentsForWhatTheyAre) {
  const std::string dots(200, '.');
  const std::string open(200, '[');
  const ConfigValue table =
      read("# it's " + dots + open + "\na = \"\\\"" + dots + open + "\"\nb = '" + dots +
           "'\nc = '''\n'" + open + "'''\nd = \"\"\"" + dots + "\"\"\"\n");
  EXPECT_EQ(std::get<std::string>(table.find("a")->data()), "\"" + dots + open);
  EXPECT_EQ(std::get<std::string>(table.find("c")->data()), "'" + open);
  EXPECT_EQ(std::get<std::string>(table.find("d")->data()), dots);
}

TEST_F(TomlReader, SaysThatAMissingFileIsMissing) {
  try {
    (void)read_toml(folder_ / "absent.toml");
    FAIL() << "an absent file was read";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kNotFound);
    EXPECT_THAT(error.what(), HasSubstr("absent.toml"));
  }
}

TEST_F(TomlReader, SaysThatAFolderIsNoFile) {
  try {
    (void)read_toml(folder_);
    FAIL() << "a folder was read";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kIoError);
    EXPECT_THAT(error.what(), EndsWith("is a folder; name a configuration file"));
  }
}

}  // namespace
}  // namespace bellows
