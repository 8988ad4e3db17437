#include "cli/arguments.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <limits>

namespace bellows::cli {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

Usage usage() {
  Usage usage;
  usage.verb = "paint";
  usage.summary = "Paint a wall";
  usage.arguments = "WALL [options]";
  usage.example = "bellows paint north --coats 2";
  usage.least = usage.most = 1;
  usage.wanted = "the wall (WALL)";
  usage.options = {{"coats", "N", "Layers of paint"},
                   {"colour", "NAME", "What to take"},
                   {"share", "X", "How much of it"},
                   {"dry", "", "Without paint"}};
  return usage;
}

std::string refusal(const std::vector<std::string>& typed) {
  try {
    static_cast<void>(parse_arguments(usage(), typed));
  } catch (const UsageError& error) {
    return error.what();
  }
  return "accepted";
}

TEST(Arguments, AreReadInEitherSpellingAndAnyOrder) {
  const Arguments arguments =
      parse_arguments(usage(), {"--coats", "2", "north", "--colour=deep blue", "--dry"});
  EXPECT_THAT(arguments.plain(), ElementsAre("north"));
  EXPECT_EQ(arguments.integer("coats", 1), 2);
  EXPECT_EQ(arguments.text("colour"), "deep blue");
  EXPECT_TRUE(arguments.has("dry"));
  EXPECT_FALSE(arguments.has("share"));
  EXPECT_EQ(arguments.real("share", 0, 1), std::nullopt);
}

TEST(Arguments, RefuseWhatTheVerbDoesNotKnowAndNameWhatWasMeant) {
  EXPECT_THAT(
      refusal({"north", "--coat", "2"}),
      HasSubstr("unknown option '--coat' (did you mean --coats?); see bellows paint --help"));
  EXPECT_THAT(refusal({"north", "-x"}), HasSubstr("x"));
  EXPECT_THAT(refusal({"north", "south"}), HasSubstr("stray argument 'south'"));
}

TEST(Arguments, RefuseMissingArgumentsAndValues) {
  EXPECT_THAT(refusal({}), HasSubstr("missing the wall (WALL)"));
  EXPECT_THAT(refusal({"north", "--coats"}), HasSubstr("--coats needs a value (N)"));
  EXPECT_THAT(refusal({"north", "--coats", "--dry"}), HasSubstr("--coats needs a value (N)"));
  EXPECT_THAT(refusal({"north", "--colour="}), HasSubstr("--colour needs a value (NAME)"));
  EXPECT_THAT(refusal({"north", "--dry=yes"}), HasSubstr("--dry takes no value"));
}

TEST(Arguments, RefuseNumbersThatAreNoneOrOutOfRange) {
  for (const char* text : {"two", "2x", "0", "99999999999", "1.5", "-1", " 2"}) {
    const Arguments arguments = parse_arguments(usage(), {"north", "--coats", text});
    try {
      static_cast<void>(arguments.integer("coats", 1));
      ADD_FAILURE() << text;
    } catch (const UsageError& error) {
      EXPECT_THAT(error.what(), HasSubstr("--coats: '" + std::string(text) + "'"));
    }
  }
  for (const char* text : {"nan", "1.01", "-0.5", "much"}) {
    const Arguments arguments = parse_arguments(usage(), {"north", "--share", text});
    EXPECT_THROW(static_cast<void>(arguments.real("share", 0, 1)), UsageError) << text;
  }
}

TEST(Arguments, CallANumberTooLargeThatIsOne) {
  const auto message = [](const std::string& text) -> std::string {
    try {
      static_cast<void>(parse_arguments(usage(), {"north", "--coats", text}).integer("coats", 1));
    } catch (const UsageError& error) {
      return error.what();
    }
    return "accepted";
  };
  EXPECT_EQ(message("99999999999"), "--coats: '99999999999' is too large; at most 2147483647");
  EXPECT_EQ(message("2147483647"), "accepted");
  EXPECT_THAT(message("-99999999999"), HasSubstr("is not a whole number of at least 1"));
  EXPECT_THAT(message("99999999999x"), HasSubstr("is not a whole number of at least 1"));
}

TEST(Arguments, ReadTimesInSecondsBeyondTheYear2038) {
  const auto number = [](const std::string& text) {
    return parse_arguments(usage(), {"north", "--coats", text}).long_integer("coats", 0);
  };
  EXPECT_EQ(number("4102444800"), 4102444800);  // 2100-01-01
  EXPECT_EQ(number("9223372036854775807"), std::numeric_limits<std::int64_t>::max());
  EXPECT_THROW(static_cast<void>(number("9223372036854775808")), UsageError);
  EXPECT_THROW(static_cast<void>(number("-1")), UsageError);
}

TEST(Arguments, ReadListsOfNumbers) {
  const auto list = [](const char* text) {
    return parse_arguments(usage(), {"north", "--coats", text}).integers("coats", 1);
  };
  EXPECT_THAT(list("3"), ElementsAre(3));
  EXPECT_THAT(list("3,1,12"), ElementsAre(3, 1, 12));
  for (const char* text : {"1,", ",1", "1,,2", "1;2", "0,1"}) {
    EXPECT_THROW(static_cast<void>(list(text)), UsageError) << text;
  }
}

TEST(Arguments, NeedNothingElseBesideHelp) {
  EXPECT_TRUE(parse_arguments(usage(), {"--help"}).help());
  EXPECT_TRUE(parse_arguments(usage(), {"-h"}).help());
}

TEST(Arguments, GiveAHelpPageWithUsageOptionsAndExample) {
  const std::string page = help_page(usage());
  EXPECT_THAT(page, HasSubstr("bellows paint WALL [options]"));
  for (const Option& option : usage().options) {
    EXPECT_THAT(page, HasSubstr("--" + option.name));
    EXPECT_THAT(page, HasSubstr(option.help));
  }
  EXPECT_THAT(page, HasSubstr("Example:\n  bellows paint north --coats 2\n"));
}

TEST(Arguments, AreQuotedOnlyWhereAShellNeedsIt) {
  EXPECT_EQ(shell_line({"bellows", "train", "a/b.toml", "--seed=3"}),
            "bellows train a/b.toml --seed=3");
  EXPECT_EQ(shell_line({"my runs", "it's", "", "$HOME"}), "'my runs' 'it'\\''s' '' '$HOME'");
}

TEST(Arguments, FindTheNearestWordOrNone) {
  const std::vector<std::string> known = {"train", "evaluate", "infer"};
  EXPECT_EQ(nearest("tarin", known), "train");
  EXPECT_EQ(nearest("evalute", known), "evaluate");
  EXPECT_EQ(nearest("zzzzzzzz", known), std::nullopt);
}

}  // namespace
}  // namespace bellows::cli
