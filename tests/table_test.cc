#include "cli/table.h"

#include <gtest/gtest.h>

namespace bellows::cli {
namespace {

TEST(Table, AlignsNumbersRightAndWordsLeftWithoutTrailingSpaces) {
  Table table({{"what", Column::Align::kLeft}, {"count"}, {"note", Column::Align::kLeft}});
  table.add({"a", "1,000", "much"});
  table.add({"longer", "7"});
  EXPECT_EQ(table.text(),
            "what    count  note\n"
            "a       1,000  much\n"
            "longer      7\n");
}

TEST(Table, CountsCharactersAndNotBytes) {
  Table table({{"name", Column::Align::kLeft}, {"n"}});
  table.add({"M\u00fcller", "1"});
  table.add({"Miller", "2"});
  EXPECT_EQ(table.text(), "name    n\nM\u00fcller  1\nMiller  2\n");
}

TEST(Table, SetsTheTitlesOffWithoutMovingColumns) {
  Table table({{"n"}});
  table.add({"123"});
  EXPECT_EQ(table.text("<", ">"), "<  n>\n123\n");
}

TEST(Table, LetsNoCellDisturbTheTerminal) {
  Table table({{"name", Column::Align::kLeft}});
  table.add({"a\x1b[31mb\nc"});
  EXPECT_EQ(table.text(), "name\na?[31mb?c\n");
}

}  // namespace
}  // namespace bellows::cli
