#include "cli/console.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <sstream>

namespace bellows::cli {
namespace {

TEST(Console, ShowsNoStatusAndNoColoursInAPipe) {
  std::ostringstream out, err;
  const Terminal terminal = detect_terminal(out, err);
  Console console(out, err, terminal);
  console.status("half done", true);
  console.print("result");
  console.note("by the way");
  EXPECT_EQ(out.str(), "result\n");
  EXPECT_EQ(err.str(), "by the way\n");
  EXPECT_STREQ(console.heading_begin(), "");
}

TEST(Console, TakesTheStatusAwayBeforeEveryLine) {
  std::ostringstream out, err;
  Console console(out, err, {.err = true});
  console.status("half done", true);
  console.print("result");
  EXPECT_TRUE(err.str().ends_with("half done\r\x1b[K"));
  const std::string before = err.str();
  console.print("another");
  EXPECT_EQ(err.str(), before);
}

TEST(Console, CutsTheStatusToTheTerminal) {
  std::ostringstream out, err;
  Console console(out, err, {.err = true, .width = 11});
  console.status("0123456789abcdef", true);
  EXPECT_TRUE(err.str().ends_with("0123456789"));
}

TEST(Console, ShowsAStatusAgainOnlyAfterAWhileUnlessToldTo) {
  std::ostringstream out, err;
  Console console(out, err, {.err = true});
  console.status("first");
  EXPECT_FALSE(console.status_due());
  console.status("second");
  EXPECT_EQ(err.str().find("second"), std::string::npos);
  console.status("third", true);
  EXPECT_NE(err.str().find("third"), std::string::npos);
}

TEST(Console, PrintsJsonOnOneLineAndMendsWhatIsNotUtf8) {
  std::ostringstream out, err;
  Console console(out, err, {});
  console.print_json(nlohmann::ordered_json{{"b", "\xff"}, {"a", "x\ny"}});
  EXPECT_EQ(out.str(), "{\"b\":\"\xef\xbf\xbd\",\"a\":\"x\\ny\"}\n");
}

TEST(ProgressBar, FillsFromLeftToRightAndNeverLeavesItsWidth) {
  EXPECT_EQ(progress_bar(0, 12), "[>         ]");
  EXPECT_EQ(progress_bar(0.5, 12), "[=====>    ]");
  EXPECT_EQ(progress_bar(1, 12), "[==========]");
  EXPECT_EQ(progress_bar(7, 12), "[==========]");
  EXPECT_EQ(progress_bar(-1, 12), "[>         ]");
}

}  // namespace
}  // namespace bellows::cli
