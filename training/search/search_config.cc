#include "training/search/search_config.h"

#include <bellows/error.h>

#include <algorithm>
#include <utility>

#include "training/toml_reader.h"

namespace bellows {
namespace {

void visit_search(FieldVisitor& visitor, SearchConfig& config) {
  visitor.field("name", config.name,
                {.help = "of the search: letters, digits, '_', '-', '.'", .required = true});
  visitor.table("network", {.help = "what all networks have in common", .required = true},
                [&](FieldVisitor& inner) { config.task.visit_fields(inner); });
  visitor.table("space", {.help = "what may be chosen", .required = true},
                [&](FieldVisitor& inner) { config.space.visit_fields(inner); });
  visitor.table("constraints", {},
                [&](FieldVisitor& inner) { config.constraints.visit_fields(inner); });
  visitor.table("reference", {.help = "beyond which nothing counts", .required = true},
                [&](FieldVisitor& inner) { config.reference.visit_fields(inner); });
  visitor.table("search", {}, [&](FieldVisitor& inner) { config.settings.visit_fields(inner); });
  visitor.table("data", {}, [&](FieldVisitor& inner) { config.data.visit_fields(inner); });
  visitor.table("training", {}, [&](FieldVisitor& inner) { config.training.visit_fields(inner); });
}

// Where a key was written, or the innermost table of it that was.
std::string place_of(const ConfigValue& table, std::initializer_list<const char*> keys) {
  const ConfigValue* place = &table;
  for (const char* key : keys) {
    const ConfigValue* inner = place->find(key);
    if (inner == nullptr) break;
    place = inner;
  }
  return place->where();
}

[[noreturn]] void fail(const ConfigValue& table, std::initializer_list<const char*> keys,
                       const std::string& problem) {
  std::string name;
  for (const char* key : keys) name += (name.empty() ? "" : ".") + std::string(key);
  throw Error(ErrorCode::kInvalidArgument,
              place_of(table, keys) + ": key '" + name + "' " + problem);
}

// What one field alone cannot tell.
void check(const ConfigValue& table, const SearchConfig& config) {
  const auto most =
      static_cast<std::size_t>(config.space.groups.empty() ? 1 : config.space.groups.back());
  const auto check_epochs = [&](const std::vector<int>& epochs,
                                std::initializer_list<const char*> keys) {
    if (epochs.size() != 1 && epochs.size() != most) {
      fail(table, keys,
           "has " + std::to_string(epochs.size()) +
               " entries, it needs one for all groups or one "
               "for each of the " +
               std::to_string(most) + " groups that a network may have");
    }
  };
  check_epochs(config.training.epochs, {"training", "epochs"});
  if (!config.settings.final_epochs.empty()) {
    check_epochs(config.settings.final_epochs, {"search", "final_epochs"});
  }
  for (std::size_t i = 1; i < config.settings.rungs.size(); ++i) {
    if (config.settings.rungs[i] <= config.settings.rungs[i - 1]) {
      fail(table, {"search", "rungs"}, "must rise");
    }
  }
  if (config.training.joint()) {
    if (!config.settings.rungs.empty()) {
      fail(table, {"search", "rungs"},
           "are set, which need groups that are trained one after the other");
    }
    if (config.training.epochs.size() != 1) {
      fail(table, {"training", "epochs"}, "has several entries, the joint schedule needs one");
    }
  }
  if (config.data.validation <= 0) {
    fail(table, {"data", "validation"}, "is 0, but candidates are judged on held-out images");
  }
}

// As TOML writes it.
std::string quoted(const std::string& text) {
  std::string result = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') result += '\\';
    if (static_cast<unsigned char>(c) < 0x20) {
      constexpr const char* kDigits = "0123456789abcdef";
      result += std::string("\\u00") + kDigits[c / 16] + kDigits[c % 16];
    } else {
      result += c;
    }
  }
  return result + "\"";
}

std::string inline_text(const ConfigValue& value) {
  if (const auto* text = std::get_if<std::string>(&value.data())) return quoted(*text);
  if (const auto* array = std::get_if<ConfigValue::Array>(&value.data())) {
    std::string result;
    for (const ConfigValue& element : *array) {
      result += (result.empty() ? "" : ", ") + inline_text(element);
    }
    return "[" + result + "]";
  }
  if (const auto* table = std::get_if<ConfigValue::Table>(&value.data())) {
    std::string result;
    for (const auto& [key, member] : *table) {
      result += (result.empty() ? " " : ", ") + key + " = " + inline_text(member);
    }
    return "{" + result + " }";
  }
  // Numbers and truth are written as in JSON.
  return value.to_json();
}

bool is_list_of_tables(const ConfigValue& value) {
  const auto* array = std::get_if<ConfigValue::Array>(&value.data());
  return array != nullptr && !array->empty() &&
         std::holds_alternative<ConfigValue::Table>(array->front().data());
}

// What is no table first: it would belong to the table written before it.
void append_table(const ConfigValue::Table& table, const std::string& name, std::string& text) {
  for (const auto& [key, value] : table) {
    if (std::holds_alternative<ConfigValue::Table>(value.data())) continue;
    if (!is_list_of_tables(value)) {
      text += key + " = " + inline_text(value) + "\n";
      continue;
    }
    text += key + " = [\n";
    for (const ConfigValue& element : std::get<ConfigValue::Array>(value.data())) {
      text += "  " + inline_text(element) + ",\n";
    }
    text += "]\n";
  }
  for (const auto& [key, value] : table) {
    const auto* inner = std::get_if<ConfigValue::Table>(&value.data());
    if (inner == nullptr || inner->empty()) continue;
    const std::string path = name.empty() ? key : name + "." + key;
    text += "\n[" + path + "]\n";
    append_table(*inner, path, text);
  }
}

std::vector<int> epochs_for(const std::vector<int>& epochs, int groups) {
  if (epochs.size() == 1) return epochs;
  return {epochs.begin(), epochs.begin() + groups};
}

}  // namespace

void ConstraintsConfig::visit_fields(FieldVisitor& visitor) {
  visitor.field("parameters", parameters,
                {.help = "of the widest width, at most; 0: any number", .minimum = 0});
  visitor.field(
      "macs", macs,
      {.help = "multiply-accumulates of the widest width, at most; 0: any number", .minimum = 0});
  visitor.field("latency_us", latency_us,
                {.help = "measured at the narrowest width, at most; 0: any", .minimum = 0});
  visitor.field(
      "memory_bytes", memory_bytes,
      {.help = "weights, activations and scratch of a session, at most; 0: any", .minimum = 0});
}

void ReferenceConfig::visit_fields(FieldVisitor& visitor) {
  visitor.field("error", error,
                {.help = "share of wrong answers on the held-out images",
                 .required = true,
                 .minimum = 1e-6,
                 .maximum = 1});
  visitor.field(
      "latency_us", latency_us,
      {.help = "microseconds of one image", .required = true, .minimum = 1e-3, .maximum = 1e12});
  visitor.field(
      "energy_uj", energy_uj,
      {.help = "microjoules of one image", .required = true, .minimum = 1e-6, .maximum = 1e15});
}

SearchMethod SearchSettings::search_method() const {
  if (method == "random") return SearchMethod::kRandom;
  return method == "evolution" ? SearchMethod::kEvolution : SearchMethod::kBayesian;
}

void SearchSettings::visit_fields(FieldVisitor& visitor) {
  visitor.field("method", method,
                {.help = "what proposes candidates: Gaussian processes and the expected growth of "
                         "the hypervolume, NSGA-II, or chance",
                 .choices = {"bayesian", "evolution", "random"}});
  visitor.field("evaluations", evaluations,
                {.help = "candidates, unless the command line says otherwise",
                 .minimum = 1,
                 .maximum = 100000});
  visitor.field("random_first", random_first,
                {.help = "candidates at random before others; 0: by the number of choices",
                 .minimum = 0,
                 .maximum = 100000});
  visitor.field("seed", seed, {.help = "of proposals", .minimum = 0});
  visitor.field(
      "rungs", rungs,
      {.help = "shares of a group's epochs after which a candidate may be stopped; empty: "
               "all are trained to the end",
       .minimum = 0.01,
       .maximum = 0.99});
  visitor.field("keep", keep,
                {.help = "share of those that were judged on a rung that goes on",
                 .minimum = 0.05,
                 .maximum = 1});
  visitor.field("least", least,
                {.help = "candidates that were judged on a rung before any is stopped there",
                 .minimum = 1,
                 .maximum = 100000});
  visitor.field("final_epochs", final_epochs,
                {.help = "of the configurations that the search writes; empty: as in training",
                 .minimum = 1,
                 .maximum = 100000});
}

ConfigValue SearchConfig::write() const {
  FieldWriter writer;
  // Visiting takes mutable values because readers assign; a writer only looks.
  visit_search(writer, const_cast<SearchConfig&>(*this));
  return writer.value();
}

SearchConfig read_search_config(const std::filesystem::path& path) {
  SearchConfig config = read_search_config(read_toml(path));
  config.source = path.string();
  return config;
}

SearchConfig read_search_config(const ConfigValue& table) {
  SearchConfig config;
  FieldReader reader(table, "");
  visit_search(reader, config);
  reader.finish();
  check_run_name(table, config.name);
  check(table, config);
  return config;
}

std::vector<FieldDocumentation> search_config_documentation() {
  SearchConfig config;
  FieldDocumenter documenter("");
  visit_search(documenter, config);
  FieldDocumenter stage("space.stages");
  StageSpace().visit_fields(stage);
  std::vector<FieldDocumentation> entries;
  for (const FieldDocumentation& entry : documenter.entries()) {
    if (entry.key.starts_with("data.") || entry.key.starts_with("training.")) continue;
    entries.push_back(entry);
  }
  entries.insert(entries.end(), stage.entries().begin(), stage.entries().end());
  return entries;
}

RunConfig candidate_run(const SearchConfig& config, const ArchitectureSpace& space,
                        const SearchPoint& point, const std::string& name,
                        const std::vector<int>& epochs) {
  ConfigValue table = config.write();
  auto& members = std::get<ConfigValue::Table>(table.data());
  std::erase_if(members, [](const auto& member) {
    return member.first != "name" && member.first != "network" && member.first != "data" &&
           member.first != "training";
  });
  const int groups = space.groups(point);
  for (auto& [key, value] : members) {
    if (key == "name") value = ConfigValue(name);
    if (key == "network") value = space.describe(point);
    if (key != "training") continue;
    for (auto& [inner, setting] : std::get<ConfigValue::Table>(value.data())) {
      if (inner != "epochs") continue;
      ConfigValue::Array numbers;
      for (const int count : epochs_for(epochs, groups)) {
        numbers.emplace_back(std::int64_t{count});
      }
      setting = ConfigValue(std::move(numbers));
    }
  }
  return read_run_config(table);
}

SearchDomain search_domain(const SearchConfig& config, const ArchitectureSpace& space) {
  return SearchDomain(
      space.dimensions(), [&space](SearchPoint& point) { space.settle(point); },
      [&config, &space](const SearchPoint& point) {
        try {
          const Network network = Network::read(space.describe(point));
          std::int64_t parameters = 0;
          std::int64_t macs = 0;
          for (int group = 1; group <= network.groups(); ++group) {
            parameters += network.parameter_count(group);
            macs += network.macs(group);
          }
          const ConstraintsConfig& most = config.constraints;
          return (most.parameters == 0 || parameters <= most.parameters) &&
                 (most.macs == 0 || macs <= most.macs);
        } catch (const Error&) {
          return false;  // a map vanishes
        }
      });
}

std::string toml_text(const ConfigValue& table) {
  std::string text;
  append_table(std::get<ConfigValue::Table>(table.data()), "", text);
  return text;
}

}  // namespace bellows
