// What configs/ ships: every file is read, and its page is compared with the code.
#include <bellows/error.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <numeric>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "layers/layer.h"
#include "tests/shipped_runs.h"
#include "training/run_config.h"
#include "training/search/search_config.h"
#include "training/toml_reader.h"

namespace bellows {
namespace {

const std::filesystem::path kFolder = std::filesystem::path(BELLOWS_SOURCE_DIR) / "configs";

std::string text_of(const std::filesystem::path& path) {
  std::ostringstream text;
  text << std::ifstream(path).rdbuf();
  return text.str();
}

// "| `key` | type | `default` | meaning |"
std::string row_of(const FieldDocumentation& entry) {
  const std::string initial = entry.initial == "required" ? "required" : "`" + entry.initial + "`";
  return "| `" + entry.key + "` | " + entry.type + " | " + initial + " | " + entry.help + " |";
}

// The rows of every table of keys on the page.
std::multiset<std::string> rows_of_page() {
  std::multiset<std::string> rows;
  std::istringstream lines(text_of(kFolder / "README.md"));
  bool table_of_keys = false;
  for (std::string line; std::getline(lines, line);) {
    if (line.rfind('|', 0) != 0) table_of_keys = false;
    if (table_of_keys && line.rfind("| `", 0) == 0) rows.insert(line);
    if (line == "| key | type | default | meaning |") table_of_keys = true;
  }
  return rows;
}

TEST(Configs, EveryShippedRunIsReadAndHasTheGroupsItIsNamedFor) {
  const auto files = shipped_runs();
  ASSERT_GE(files.size(), 7U);
  for (const auto& file : files) {
    SCOPED_TRACE(file.string());
    try {
      const RunConfig run = read_run_config(file);
      const bool plain = run.name.find("-plain") != std::string::npos || run.name.ends_with("-big");
      const int groups = run.name.ends_with("-eight") ? 8 : plain ? 1 : 4;
      // What a search has found has what it has.
      if (run.name.find("-found-") == std::string::npos) {
        EXPECT_EQ(run.network.groups(), groups);
      }
      EXPECT_EQ(run.network.classes(), 10);
      const bool joint = run.name.ends_with("-joint") || run.name.ends_with("-alone");
      EXPECT_EQ(run.training.schedule, joint ? "joint" : "incremental");
    } catch (const Error& error) {
      ADD_FAILURE() << error.what();
    }
  }
}

TEST(Configs, NamesOfRunsTellThemApart) {
  std::set<std::string> names;
  for (const auto& file : shipped_runs()) {
    const std::string name = read_run_config(file).name;
    EXPECT_TRUE(names.insert(name).second) << name;
    EXPECT_EQ(name, file.parent_path().filename().string() + "-" + file.stem().string());
  }
}

// The digits' first groups are small to be simple, not fast; the page of that run says so. Others
// are for hardware that has no blocks.
TEST(Configs, GroupsOfShippedRunsOnRealImagesFillSimdBlocks) {
  for (const auto& file : shipped_runs()) {
    const RunConfig run = read_run_config(file);
    if (run.data.format == "digits" || run.name.find("-growing") != std::string::npos) {
      continue;
    }
    for (const Node& node : run.network.nodes()) {
      if (node.layer->kind() == LayerKind::kHead) continue;
      for (const int channels : node.site.dst.channels) {
        EXPECT_EQ(channels % 16, 0) << file << " " << node.layer->name();
      }
    }
  }
}

TEST(Configs, ShippedRunsNeedNoPathOfAnyMachine) {
  for (const auto& file : shipped_runs()) {
    EXPECT_EQ(read_run_config(file).data.path, "") << file;
  }
}

TEST(Configs, DigitsAndMnistTrainTheSameLayersInOtherSizes) {
  const Network digits = read_run_config(kFolder / "digits/lenet.toml").network;
  const Network mnist = read_run_config(kFolder / "mnist/lenet.toml").network;
  ASSERT_EQ(digits.nodes().size(), mnist.nodes().size());
  for (std::size_t i = 0; i < digits.nodes().size(); ++i) {
    EXPECT_EQ(digits.nodes()[i].layer->kind(), mnist.nodes()[i].layer->kind());
    EXPECT_EQ(digits.nodes()[i].layer->name(), mnist.nodes()[i].layer->name());
  }
}

TEST(Configs, ThePlainVggHasTheChannelsOfTheJointOnesWidestWidth) {
  const Network joint = read_run_config(kFolder / "cifar10/vgg-joint.toml").network;
  EXPECT_EQ(read_run_config(kFolder / "cifar10/vgg-plain.toml").network.write().to_json(),
            joint.as_one_group().write().to_json());
}

TEST(Configs, SvhnAndCifarTrainTheSameConvnet) {
  EXPECT_EQ(read_run_config(kFolder / "svhn/convnet.toml").network.write().to_json(),
            read_run_config(kFolder / "cifar10/convnet.toml").network.write().to_json());
}

TEST(Configs, EveryShippedSearchIsReadAndNamedForItsFile) {
  EXPECT_GE(shipped_searches().size(), 3U);
  for (const auto& file : shipped_searches()) {
    SCOPED_TRACE(file.string());
    const SearchConfig search = read_search_config(file);
    EXPECT_EQ(search.name, "search-" + file.stem().string());
    EXPECT_EQ(search.data.path, "");
    EXPECT_NE(text_of(kFolder / "README.md").find("`search/" + file.filename().string() + "`"),
              std::string::npos);
  }
}

// Which would otherwise show after hours, when its turn comes.
TEST(Configs, EveryVariantOfAComparisonIsReadWithItsKeys) {
  std::size_t variants = 0;
  for (const auto& entry : std::filesystem::directory_iterator(kFolder / "comparisons")) {
    std::set<std::string> names;
    std::vector<std::string> teachers;
    std::istringstream lines(text_of(entry.path()));
    for (std::string line; std::getline(lines, line);) {
      if (line.empty() || line.front() == '#') continue;
      SCOPED_TRACE(entry.path().filename().string() + ": " + line);
      const std::size_t first = line.find('|');
      const std::size_t second = line.find('|', first + 1);
      ASSERT_NE(second, std::string::npos);
      const auto trimmed = [&](std::size_t begin, std::size_t end) {
        const std::string part = line.substr(begin, end - begin);
        const std::size_t from = part.find_first_not_of(' ');
        return from == std::string::npos ? std::string()
                                         : part.substr(from, part.find_last_not_of(' ') + 1 - from);
      };
      EXPECT_TRUE(names.insert(trimmed(0, first)).second);
      std::string keys = trimmed(second + 1, line.size());
      if (const std::size_t at = keys.find("'@"); at != std::string::npos) {
        teachers.push_back(keys.substr(at + 2, keys.find('\'', at + 1) - at - 2));
      }
      std::ranges::replace(keys, ';', '\n');
      try {
        static_cast<void>(changed(read_run_config(kFolder / trimmed(first + 1, second)),
                                  parse_toml(keys, "keys")));
      } catch (const Error& error) {
        ADD_FAILURE() << error.what();
      }
      ++variants;
    }
    for (const std::string& teacher : teachers) {  // NAME-SEED
      EXPECT_TRUE(names.contains(teacher.substr(0, teacher.rfind('-')))) << teacher;
    }
  }
  EXPECT_GT(variants, 50U);
}

TEST(ConfigsPage, ListsEveryKeyAsTheCodeHasItAndNoOther) {
  std::multiset<std::string> page = rows_of_page();
  std::vector<FieldDocumentation> entries = run_config_documentation();
  for (const FieldDocumentation& entry : search_config_documentation()) entries.push_back(entry);
  for (const FieldDocumentation& entry : entries) {
    const auto found = page.find(row_of(entry));
    if (found == page.end()) {
      ADD_FAILURE() << "configs/README.md lacks this row:\n" << row_of(entry);
    } else {
      page.erase(found);
    }
  }
  for (const std::string& row : page) {
    ADD_FAILURE() << "configs/README.md has a row that the code does not know:\n" << row;
  }
}

// Channels or features of all groups together, layer by layer, each number once where it repeats.
std::string all_channels(const std::filesystem::path& file) {
  const Network network = read_run_config(file).network;
  std::string text;
  int last = 0;
  for (const Node& node : network.nodes()) {
    if (node.layer->kind() != LayerKind::kConv && node.layer->kind() != LayerKind::kLinear)
      continue;
    const std::vector<int>& channels = node.site.dst.channels;
    const int sum = std::accumulate(channels.begin(), channels.end(), 0);
    if (sum != last) text += (text.empty() ? "" : "-") + std::to_string(sum);
    last = sum;
  }
  return text;
}

TEST(ConfigsPage, NamesEveryKindOfLayerAndEveryFile) {
  const std::string page = text_of(kFolder / "README.md");
  for (const LayerKind kind : all_layer_kinds()) {
    const std::string name = layer_kind_name(kind);
    EXPECT_TRUE(page.find("\n### " + name + "\n") != std::string::npos ||
                page.find("`" + name + "`") != std::string::npos)
        << name;
  }
  for (const auto& file : shipped_runs()) {
    const std::string name = std::filesystem::relative(file, kFolder).generic_string();
    const std::string row = "| `" + name + "` | " + all_channels(file) + " |";
    EXPECT_NE(page.find(row), std::string::npos) << row;
  }
}

}  // namespace
}  // namespace bellows
