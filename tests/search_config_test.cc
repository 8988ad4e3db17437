#include "training/search/search_config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/data_fixtures.h"
#include "tests/refusal.h"
#include "tests/search_fixtures.h"

namespace bellows {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

TEST(SearchConfig, IsReadWithItsDefaultsAndWrittenWhole) {
  const SearchConfig config = small_search();
  EXPECT_EQ(config.name, "small");
  EXPECT_EQ(config.space.stages.size(), 1U);
  EXPECT_EQ(config.space.ends, (std::vector<std::string>{"average"}));
  EXPECT_EQ(config.settings.keep, 0.5);
  const SearchConfig again = read_search_config(config.write());
  EXPECT_EQ(again.write().to_json(), config.write().to_json());
}

TEST(SearchConfig, WhatIsWrongIsRefusedByFileLineAndKey) {
  const auto refused = [](const std::string& changes) {
    return refusal([&] { static_cast<void>(small_search(changes)); });
  };
  EXPECT_THAT(refused("[constraints]\nlatency = 3\n"),
              AllOf(HasSubstr("small.toml:40"), HasSubstr("'constraints.latency'")));
  EXPECT_THAT(refused("[unknown]\nkey = 3\n"), HasSubstr("'unknown'"));
  const auto replaced = [](const std::string& from, const std::string& to) {
    std::string text = kSmallSearch;
    text.replace(text.find(from), from.size(), to);
    return refusal([&] { static_cast<void>(read_search_config(parse_toml(text, "small.toml"))); });
  };
  EXPECT_THAT(replaced("epochs = [2]", "epochs = [2, 3, 4]"),
              AllOf(HasSubstr("small.toml:34"), HasSubstr("'training.epochs'")));
  EXPECT_THAT(replaced("validation = 0.25", "validation = 0.0"), HasSubstr("held-out"));
  EXPECT_THAT(replaced("\"sep3\"", "\"sep4\""), HasSubstr("operations"));
  EXPECT_THAT(replaced("random_first = 4", "rungs = [0.5, 0.2]"), HasSubstr("must rise"));
  EXPECT_THAT(replaced("name = \"small\"", "name = \"a/b\""), HasSubstr("letters"));
}

// What the search writes is what training reads.
TEST(SearchConfig, ACandidateIsARunThatATomlFileDescribes) {
  const SearchConfig config = small_search();
  const ArchitectureSpace space(config.task, config.space);
  const SearchDomain domain = search_domain(config, space);
  data::KeyedRandom random(3);
  const std::filesystem::path folder = fresh_folder();
  for (int i = 0; i < 20; ++i) {
    const RunConfig run =
        candidate_run(config, space, domain.random(random), "small-001", config.training.epochs);
    ConfigValue table = run.write();
    std::erase_if(std::get<ConfigValue::Table>(table.data()),
                  [](const auto& member) { return member.first == "expected"; });
    write_file(folder / "run.toml", bytes_of(toml_text(table)));
    const RunConfig read = read_run_config(folder / "run.toml");
    EXPECT_EQ(read.write().to_json(), run.write().to_json());
  }
}

TEST(SearchConfig, EpochsAreThoseOfTheGroupsThatACandidateHas) {
  SearchConfig config = small_search();
  config.training.epochs = {5, 3};
  const ArchitectureSpace space(config.task, config.space);
  SearchPoint one(space.dimensions().size(), 0);
  EXPECT_EQ(candidate_run(config, space, one, "x", config.training.epochs).training.epochs,
            (std::vector<int>{5}));
  one[0] = 1;
  EXPECT_EQ(candidate_run(config, space, one, "x", config.training.epochs).training.epochs,
            (std::vector<int>{5, 3}));
}

TEST(TomlText, KeepsWordsWithQuotesAndControlCharacters) {
  const ConfigValue table(ConfigValue::Table{
      {"text", ConfigValue(std::string("a \"b\" \\ \t \x01"))},
      {"inner",
       ConfigValue(ConfigValue::Table{{"number", ConfigValue(0.1)}, {"on", ConfigValue(true)}})}});
  EXPECT_EQ(parse_toml(toml_text(table), "text").to_json(), table.to_json());
}

}  // namespace
}  // namespace bellows
