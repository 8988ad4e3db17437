#include <bellows/bellows.h>

#include <nlohmann/json.hpp>
#include <utility>

#include "cli/command.h"
#include "cli/numbers.h"
#include "cli/operation_report.h"
#include "cli/signing.h"
#include "cli/table.h"
#include "cli/verb.h"
#include "cli/width_report.h"
#include "engine/model_file.h"
#include "engine/model_state.h"
#include "training/device_config.h"
#include "training/run_config.h"

namespace bellows::cli {
namespace {

using Json = nlohmann::ordered_json;

// What building a configuration's network for a look at it may take. Larger ones are known by their
// shapes alone.
constexpr std::int64_t kMostBytesBuilt = 500'000'000;

// A model file, or the untrained network of a configuration.
struct Subject {
  std::string path;
  std::optional<RunConfig> config;              // of a configuration
  std::optional<ModelFileFacts> facts;          // of a model
  std::shared_ptr<internal::ModelState> state;  // null when it is too large to be built

  [[nodiscard]] const Network& network() const { return config ? config->network : state->network; }
  [[nodiscard]] ModelInfo info() const { return state ? state->info : ModelInfo{}; }
  [[nodiscard]] int groups() const { return network().groups(); }
};

Subject load_subject(const std::string& path, const LoadLimits& limits) {
  Subject subject;
  subject.path = path;
  if (path.ends_with(".toml")) {
    subject.config = read_run_config(path);
    const Network& network = subject.config->network;
    std::int64_t parameters = 0;
    for (int group = 1; group <= network.groups(); ++group) {
      parameters += network.parameter_count(group);
      if (parameters > kMostBytesBuilt / 4) return subject;
    }
    // The implementations do not depend on the values of the weights.
    const WeightSet weights(network, network.groups());
    subject.state = internal::with_every_failure_an_error(path, "free some", [&] {
      return std::make_shared<internal::ModelState>(network.first_groups(network.groups()),
                                                    ModelInfo{}, weights);
    });
    return subject;
  }
  ModelFile file = load_model(path, std::nullopt, limits);
  subject.facts = std::move(file.facts);
  subject.state = internal::with_every_failure_an_error(path, "free some", [&] {
    return std::make_shared<internal::ModelState>(std::move(file.network), std::move(file.info),
                                                  file.weights);
  });
  return subject;
}

int rounded_up(int number, int block) { return (number + block - 1) / block * block; }

MapShape padded(MapShape shape, int block) {
  for (int& channels : shape.channels) channels = rounded_up(channels, block);
  return shape;
}

// Multiply-accumulates that one group of one layer really takes on this machine.
std::int64_t padded_macs(const Node& node, int group, bool plain_input) {
  LayerSite site = node.site;
  const int block = channel_block();
  if (!site.src_is_input || !plain_input) site.src = padded(site.src, block);
  site.dst = padded(site.dst, block);
  site.classes = rounded_up(site.classes, block);
  return node.layer->macs(site, group);
}

struct LayerCost {
  std::int64_t parameters = 0;
  std::int64_t macs = 0;
  std::int64_t padded_macs = 0;
};

// [node][group - 1]: of that group alone. Nothing is said of padding when the network is not built.
std::vector<std::vector<LayerCost>> layer_costs(const Subject& subject) {
  const Network& network = subject.network();
  const bool plain = subject.state && subject.state->plan(1, 1)->input.layout.plain();
  std::vector<std::vector<LayerCost>> costs;
  for (const Node& node : network.nodes()) {
    auto& of_node = costs.emplace_back();
    for (int group = 1; group <= network.groups(); ++group) {
      LayerCost cost;
      for (const ParameterSpec& spec : node.layer->parameters(node.site, group)) {
        cost.parameters += spec.elements();
      }
      cost.macs = node.layer->macs(node.site, group);
      if (subject.state) cost.padded_macs = padded_macs(node, group, plain);
      of_node.push_back(cost);
    }
  }
  return costs;
}

// `[width - 1]`: of groups 1..width.
std::vector<LayerCost> up_to_width(const std::vector<LayerCost>& of_groups) {
  std::vector<LayerCost> sums;
  LayerCost sum;
  for (const LayerCost& cost : of_groups) {
    sum.parameters += cost.parameters;
    sum.macs += cost.macs;
    sum.padded_macs += cost.padded_macs;
    sums.push_back(sum);
  }
  return sums;
}

// [width - 1]: what a network of its own would cost that has the channels of the width. None where
// one would be too large.
std::vector<LayerCost> separate_costs(const Network& network) {
  std::vector<LayerCost> costs;
  try {
    for (int width = 1; width <= network.groups(); ++width) {
      const Network separate = network.first_groups(width).as_one_group();
      costs.push_back({.parameters = separate.parameter_count(1), .macs = separate.macs(1)});
    }
  } catch (const Error&) {
    costs.clear();
  }
  return costs;
}

// Of a session of one image on one thread. REQUIRES: the network was built.
MemoryUse session_memory(const Subject& subject, MemoryMode mode) {
  return subject.state->memory(*subject.state->plan(1, 1), mode);
}

std::vector<WidthRow> width_rows(const Subject& subject) {
  const ModelInfo info = subject.info();
  std::vector<WidthRow> rows;
  for (int number = 1; number <= subject.groups(); ++number) {
    const Width width = internal::width_of(subject.network(), info, number);
    WidthRow row{.width = number,
                 .cost = width,
                 .validation_accuracy = width.validation_accuracy,
                 .test_accuracy = width.test_accuracy};
    const auto index = static_cast<std::size_t>(number - 1);
    if (subject.config && index < subject.config->expected.test_accuracy.size()) {
      row.test_accuracy = subject.config->expected.test_accuracy[index];
    }
    rows.push_back(row);
  }
  return rows;
}

const Tensor& output_of(const Network& network, const Node& node) {
  return network.tensors()[static_cast<std::size_t>(node.dst)];
}

std::string numbers_text(const std::vector<double>& numbers) {
  std::string text;
  for (const double number : numbers) text += (text.empty() ? "" : ", ") + fixed_text(number, 4);
  return text;
}

// What the model says about itself, as rows of name and value.
std::vector<std::pair<std::string, std::string>> facts_about(const Subject& subject) {
  const Network& network = subject.network();
  const ModelInfo& info = subject.info();
  std::vector<std::pair<std::string, std::string>> facts;
  const auto add = [&](const char* name, const std::string& value) {
    if (!value.empty()) facts.emplace_back(name, value);
  };
  add("input", network.input().text());
  add("classes", std::to_string(network.classes()));
  add("groups",
      std::to_string(network.groups()) + ", " +
          (network.connectivity() == Connectivity::kTriangular ? "triangular" : "grouped"));
  if (subject.config) {
    add("run", subject.config->name);
    add("schedule", subject.config->training.schedule);
    add("accuracy", subject.config->expected.measured);
    return facts;
  }
  std::string classes;
  for (const std::string& name : info.classes) classes += (classes.empty() ? "" : ", ") + name;
  add("class names", classes);
  add("mean", numbers_text(info.mean));
  add("stddev", numbers_text(info.stddev));
  add("trained on", info.data_set);
  add("schedule", info.schedule);
  add("epochs", info.epochs);
  add("seed", std::to_string(info.seed));
  add("made with", info.created_with);
  if (subject.facts && subject.facts->signature) {
    const Signature& signature = *subject.facts->signature;
    add("signed by", signature.public_key + ", generation " + std::to_string(signature.generation));
  }
  for (const auto& [key, value] : info.extra) add(key.c_str(), value);
  add("file", bytes_text(subject.facts->total_bytes) + ", " +
                  bytes_text(subject.facts->header_bytes) + " of it header");
  return facts;
}

Json json_of(const Subject& subject, const std::optional<DeviceModel>& device, bool with_layers) {
  const Network& network = subject.network();
  const ModelInfo& info = subject.info();
  const auto costs = layer_costs(subject);
  Json result = {
      {subject.config ? "configuration" : "model", subject.path},
      {"input", {network.input().channels_of(1), network.input().height, network.input().width}},
      {"classes", network.classes()},
      {"groups", network.groups()},
      {"connectivity",
       network.connectivity() == Connectivity::kTriangular ? "triangular" : "grouped"}};
  result["widths"] = width_json(width_rows(subject));
  const std::vector<StepCounts> steps = count_operations(network);
  const std::vector<Cache> caches = machine_caches(Sysfs());
  for (Json& width : result["widths"]) {
    width["operations"] = operation_json(steps, width.at("width").get<int>(), caches);
  }
  result["caches"] = Json::array();
  for (const Cache& cache : caches) {
    result["caches"].push_back({{"name", cache.name}, {"size_bytes", cache.size_bytes}});
  }
  if (device) result["device"] = energy_json(*device, steps);
  result["separate_networks"] = Json::array();
  for (const LayerCost& cost : separate_costs(network)) {
    result["separate_networks"].push_back({{"parameters", cost.parameters}, {"macs", cost.macs}});
  }
  result["built"] = subject.state != nullptr;
  for (int width = 1; subject.state && width <= network.groups(); ++width) {
    std::int64_t macs = 0;
    for (const auto& of_node : costs) {
      macs += up_to_width(of_node)[static_cast<std::size_t>(width - 1)].padded_macs;
    }
    result["widths"][static_cast<std::size_t>(width - 1)]["padded_macs"] = macs;
  }
  result["channel_block"] = channel_block();
  if (subject.state) {
    result["packed_bytes"] = subject.state->packed.bytes();
    for (const auto& [key, mode] : {std::pair{"refinable", MemoryMode::kRefinable},
                                    std::pair{"one_shot", MemoryMode::kOneShot}}) {
      const MemoryUse use = session_memory(subject, mode);
      result["session_bytes"][key] = {{"activations", use.activations}, {"scratch", use.scratch}};
    }
    result["operation_bytes"] = subject.network().operation_bytes();
    result["reference_steps"] = subject.state->plan(1, 1)->reference_steps();
  }
  if (subject.facts) {
    result["class_names"] = info.classes;
    result["normalisation"] = {{"mean", info.mean}, {"stddev", info.stddev}};
    result["provenance"] = {{"data_set", info.data_set},
                            {"seed", info.seed},
                            {"schedule", info.schedule},
                            {"epochs", info.epochs},
                            {"created_with", info.created_with}};
    for (const auto& [key, value] : info.extra) result["extra"][key] = value;
    result["file_bytes"] = subject.facts->total_bytes;
    result["header_bytes"] = subject.facts->header_bytes;
    if (const auto& signature = subject.facts->signature) {
      result["signature"] = {{"generation", signature->generation},
                             {"public_key", signature->public_key}};
    }
    result["group_files"] = Json::array();
    for (const GroupFacts& group : subject.facts->groups) {
      result["group_files"].push_back({{"bytes", group.bytes}, {"sha256", group.sha256}});
    }
  }
  if (!with_layers) return result;
  result["layers"] = Json::array();
  for (std::size_t i = 0; i < network.nodes().size(); ++i) {
    const Node& node = network.nodes()[i];
    const MapShape& shape = output_of(network, node).shape;
    Json layer = {
        {"name", node.layer->name()}, {"kind", layer_kind_name(node.layer->kind())},
        {"channels", shape.channels}, {"padded_channels", padded(shape, channel_block()).channels},
        {"height", shape.height},     {"width", shape.width}};
    for (const LayerCost& cost : up_to_width(costs[i])) {
      layer["parameters_by_width"].push_back(cost.parameters);
      layer["macs_by_width"].push_back(cost.macs);
      if (subject.state) layer["padded_macs_by_width"].push_back(cost.padded_macs);
    }
    result["layers"].push_back(std::move(layer));
  }
  result["steps"] = steps_json(steps);
  if (!subject.state) return result;
  result["implementations"] = Json::array();
  for (const Program& program : subject.state->plan(1, 1)->programs) {
    for (const Step& step : program) {
      result["implementations"].push_back(
          {{"step", step.label},
           {"implementation", step.kernel ? "bellows" : step.primitive.implementation}});
    }
  }
  return result;
}

void print_padding(const Subject& subject, Console& console) {
  const auto costs = layer_costs(subject);
  LayerCost all;
  for (const auto& of_node : costs) {
    const LayerCost widest = up_to_width(of_node).back();
    all.parameters += widest.parameters;
    all.macs += widest.macs;
    all.padded_macs += widest.padded_macs;
  }
  const std::string in_memory =
      bytes_text(static_cast<std::int64_t>(subject.state->packed.bytes())) + " in memory.";
  if (channel_block() == 1) {
    console.print("\nThis machine computes channels unblocked, without padding; all weights take " +
                  in_memory);
    return;
  }
  const double more = static_cast<double>(all.padded_macs) /
                          static_cast<double>(std::max<std::int64_t>(all.macs, 1)) -
                      1;
  console.print("\nThis machine computes channels in blocks of " + std::to_string(channel_block()) +
                ". Padding takes the widest width from " + scaled_text(all.macs) + " to " +
                scaled_text(all.padded_macs) + " MACs (+" + percent_text(more) +
                "),\nand all weights from " + bytes_text(4 * all.parameters) + " to " + in_memory);
}

void print_session_memory(const Subject& subject, Console& console) {
  const MemoryUse kept = session_memory(subject, MemoryMode::kRefinable);
  const MemoryUse one_shot = session_memory(subject, MemoryMode::kOneShot);
  const auto text = [](std::size_t bytes) { return bytes_text(static_cast<std::int64_t>(bytes)); };
  console.print("A session of one image on one thread takes " + text(kept.activations) +
                " for activations, " + text(one_shot.activations) + " if it is\none-shot, and " +
                text(kept.scratch) + " of scratch; operations are reckoned as " +
                text(kept.operations) + ".");
}

void print_separate(const Subject& subject, Console& console) {
  const std::vector<LayerCost> costs = separate_costs(subject.network());
  if (costs.size() < 2) return;
  Table table({{"width"}, {"parameters"}, {"MACs"}, {"weights"}});
  std::int64_t all = 0;
  for (std::size_t i = 0; i < costs.size(); ++i) {
    const std::int64_t parameters = costs[i].parameters;
    all += parameters;
    table.add({std::to_string(i + 1), count_text(parameters), scaled_text(costs[i].macs),
               bytes_text(4 * parameters)});
  }
  const std::int64_t own =
      internal::width_of(subject.network(), subject.info(), subject.groups()).parameters;
  const auto ratio = [own](std::int64_t parameters) {
    return fixed_text(static_cast<double>(own) / static_cast<double>(parameters), 2);
  };
  const std::int64_t pair = costs.front().parameters + costs.back().parameters;
  console.print("\nThe channels of each width as a network of its own, where all read all:\n" +
                table.text(console.heading_begin(), console.heading_end()) + "All of these take " +
                bytes_text(4 * all) + ", the narrowest and the widest " + bytes_text(4 * pair) +
                "; the weights above, for\nevery width, " + bytes_text(4 * own) + ": " +
                ratio(all) + " and " + ratio(pair) + " of that.");
}

std::string caches_text(const std::vector<Cache>& caches) {
  if (caches.empty()) return "This machine does not tell its caches.";
  std::string text = "This machine's caches: ";
  for (const Cache& cache : caches) {
    text += (&cache == caches.data() ? "" : ", ") + cache.name + " " + bytes_text(cache.size_bytes);
  }
  return text + ".";
}

void print_operations(const Subject& subject, const std::optional<DeviceModel>& device,
                      Console& console) {
  const std::vector<StepCounts> steps = count_operations(subject.network());
  const std::vector<Cache> caches = machine_caches(Sysfs());
  console.print(
      "\nOne image: weights, activations read and written, and the cache with room for all "
      "weights\nand for the activations of the largest layer.\n" +
      caches_text(caches) + "\n" + operation_table(steps, caches, console));
  if (!device) return;
  console.print("\nEnergy of one image, modelled: operations (" + device->name + ")\n" +
                device->description + "\n" + energy_table(*device, steps, console));
}

using CostText = std::string (*)(const LayerCost& cost);

void print_by_width(const Subject& subject, const char* title, CostText text, Console& console) {
  const auto costs = layer_costs(subject);
  std::vector<Column> columns = {{"layer", Column::Align::kLeft}};
  for (int width = 1; width <= subject.groups(); ++width) {
    columns.push_back({"width " + std::to_string(width)});
  }
  Table table(std::move(columns));
  for (std::size_t i = 0; i < costs.size(); ++i) {
    const std::vector<LayerCost> sums = up_to_width(costs[i]);
    if (sums.back().parameters == 0 && sums.back().macs == 0) continue;
    std::vector<std::string> cells = {subject.network().nodes()[i].layer->name()};
    for (const LayerCost& sum : sums) cells.push_back(text(sum));
    table.add(std::move(cells));
  }
  console.print(std::string("\n") + title + "\n" +
                table.text(console.heading_begin(), console.heading_end()));
}

void print_layers(const Subject& subject, Console& console) {
  const Network& network = subject.network();
  Table layers({{"layer", Column::Align::kLeft},
                {"kind", Column::Align::kLeft},
                {"channels x height x width", Column::Align::kLeft},
                {"channels in memory"}});
  for (const Node& node : network.nodes()) {
    const MapShape& shape = output_of(network, node).shape;
    const int real = shape.channels_in({1, shape.groups()});
    const int stored = padded(shape, channel_block()).channels_in({1, shape.groups()});
    layers.add({node.layer->name(), layer_kind_name(node.layer->kind()), shape.text(),
                std::to_string(stored) +
                    (stored == real ? "" : " (+" + std::to_string(stored - real) + ")")});
  }
  console.print("\n" + layers.text(console.heading_begin(), console.heading_end()));
  print_by_width(
      subject, "Multiply-accumulates of one image:",
      [](const LayerCost& cost) { return scaled_text(cost.macs); }, console);
  print_by_width(
      subject, "Parameters:", [](const LayerCost& cost) { return count_text(cost.parameters); },
      console);
  print_by_width(
      subject,
      "Bytes of weights:", [](const LayerCost& cost) { return bytes_text(4 * cost.parameters); },
      console);
  console.print("\nBytes of activations read and written for one image:\n" +
                step_table(count_operations(network), console));
  if (!subject.state) return;
  Table steps({{"step", Column::Align::kLeft}, {"implementation", Column::Align::kLeft}});
  for (const Program& program : subject.state->plan(1, 1)->programs) {
    for (const Step& step : program) {
      steps.add({step.label, step.kernel ? "bellows" : step.primitive.implementation});
    }
  }
  console.print("\nWhat runs for one image, in order:\n" +
                steps.text(console.heading_begin(), console.heading_end()));
}

int run_inspect(const Arguments& arguments, Console& console) {
  std::optional<DeviceModel> device;
  if (const auto name = arguments.text("device")) device = find_device_model(*name);
  const Subject subject = load_subject(arguments.plain()[0], load_limits(arguments));
  const bool with_layers = arguments.has("layers");
  if (arguments.has("json")) {
    console.print_json(json_of(subject, device, with_layers));
    return kDone;
  }
  console.print(subject.path + (subject.config ? ": configuration, not trained" : ": model") +
                "\n");
  Table facts({{"", Column::Align::kLeft}, {"", Column::Align::kLeft}});
  for (const auto& [name, value] : facts_about(subject)) facts.add({name, value});
  const std::string lines = facts.text();
  console.print(lines.substr(lines.find('\n') + 1));
  console.print("\n" + width_table(width_rows(subject), console));
  if (subject.state) {
    print_padding(subject, console);
    print_session_memory(subject, console);
  } else {
    console.print(
        "\nIts weights take more than " + bytes_text(kMostBytesBuilt) +
        ", so it was not built: nothing is said of padding and of the code that runs it.");
  }
  print_separate(subject, console);
  print_operations(subject, device, console);
  if (with_layers) print_layers(subject, console);
  if (subject.state) {
    for (const std::string& step : subject.state->plan(1, 1)->reference_steps()) {
      console.print("slow: " + step + " is oneDNN's reference code");
    }
  }
  if (subject.facts) {
    Table groups({{"group"}, {"bytes"}, {"SHA-256", Column::Align::kLeft}});
    int group = 0;
    for (const GroupFacts& each : subject.facts->groups) {
      groups.add({std::to_string(++group), count_text(each.bytes), each.sha256});
    }
    console.print("\n" + groups.text(console.heading_begin(), console.heading_end()));
  }
  return kDone;
}

}  // namespace

Verb inspect_verb() {
  std::string names;
  for (const std::string& name : shipped_device_models()) {
    names += (names.empty() ? "" : ", ") + name;
  }
  Usage usage;
  usage.verb = "inspect";
  usage.summary = "Show what a model or a configuration consists of and costs";
  usage.arguments = "MODEL|CONFIG.toml [options]";
  usage.details =
      "A model is checked as a whole: lengths, shapes and the hash of every group.\n"
      "A configuration of more than 500 MB of weights is not built: its costs are counted from\n"
      "its shapes.\n"
      "Device models: " +
      names + ".";
  usage.example =
      "bellows inspect runs/digits-lenet/model.safetensors\n"
      "bellows inspect configs/cifar10/vgg.toml --layers\n"
      "bellows inspect configs/mnist/lenet.toml --device small-accelerator";
  usage.least = usage.most = 1;
  usage.wanted = "a model file (MODEL) or a configuration (CONFIG.toml)";
  usage.options = {
      {"device", "NAME|FILE.toml", "Also the energy of an image on this device model"},
      {"layers", "", "Also every layer, its cost by width, and the code that runs it"},
      {"json", "", "Print one JSON object"},
  };
  add_signature_options(usage);
  return {usage, run_inspect};
}

}  // namespace bellows::cli
