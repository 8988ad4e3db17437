#include "training/run_config.h"

#include <bellows/error.h>

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <functional>
#include <limits>
#include <utility>

#include "layers/head.h"
#include "layers/layer.h"
#include "training/data/dataset.h"
#include "training/toml_reader.h"

namespace bellows {
namespace {

// Fields are doubles. A float becomes the double of its shortest decimal text, so that 0.1 is
// written as 0.1.
void float_field(FieldVisitor& visitor, const char* key, float& value, const FieldInfo& info) {
  char text[32];
  const char* end = std::to_chars(text, text + sizeof text, value).ptr;
  double wide = 0;
  std::from_chars(text, end, wide);
  visitor.field(key, wide, info);
  // A number beyond all floats becomes the largest, which is beyond every limit too.
  value = static_cast<float>(std::min(wide, double{std::numeric_limits<float>::max()}));
}

void visit_augmentation(AugmentationOptions& options, FieldVisitor& visitor) {
  visitor.field("crop_padding", options.crop_padding,
                {.help = "pixels added on each side before cropping back to size", .minimum = 0});
  visitor.field("flip", options.flip, {.help = "mirror left to right, every second time"});
  visitor.field("cutout", options.cutout,
                {.help = "side of an erased square in pixels", .minimum = 0});
  float_field(
      visitor, "rotation_degrees", options.rotation_degrees,
      {.help = "largest rotation to either side", .minimum = 0, .maximum = kMaxRotationDegrees});
  float_field(visitor, "shift_pixels", options.shift_pixels,
              {.help = "largest shift in each direction", .minimum = 0});
  float_field(visitor, "scale", options.scale,
              {.help = "factor of size is within 1 +- this", .minimum = 0, .maximum = kMaxScale});
}

// How a configuration begins that is made of another one.
constexpr const char* kBaseKey = "base";
constexpr const char* kPlainWidthKey = "plain_width";
struct Derivation {
  std::string base;
  int plain_width = 0;

  void visit_fields(FieldVisitor& visitor) {
    visitor.field(kBaseKey, base,
                  {.help = "another configuration, whose path is relative to this one; what stands "
                           "here replaces or completes what stands there"});
    visitor.field(kPlainWidthKey, plain_width,
                  {.help = "with a base: its channels of this width as a plain network, one group "
                           "where all read all; 0: the base's groups",
                   .minimum = 0,
                   .maximum = 1000});
  }
};

// All of a run but the network's own fields; that its table is known, and needed, is said here.
void visit_run(FieldVisitor& visitor, std::string& name, DataConfig& data, TrainingConfig& training,
               ExpectedConfig& expected) {
  visitor.field("name", name,
                {.help = "of the run: letters, digits, '_', '-', '.'", .required = true});
  visitor.table("network", {.help = "the table of the network", .required = true},
                [](FieldVisitor&) {});
  visitor.table("data", {}, [&data](FieldVisitor& inner) { data.visit_fields(inner); });
  visitor.table("training", {}, [&training](FieldVisitor& inner) { training.visit_fields(inner); });
  visitor.table("expected", {}, [&expected](FieldVisitor& inner) { expected.visit_fields(inner); });
}

// The table without what is inside `network`, which reads its own fields.
ConfigValue with_empty_network(const ConfigValue& table) {
  const auto* members = std::get_if<ConfigValue::Table>(&table.data());
  if (members == nullptr) return table;
  ConfigValue::Table copy = *members;
  for (auto& [key, value] : copy) {
    if (key == "network") value = ConfigValue(ConfigValue::Table{}, value.where());
  }
  return ConfigValue(std::move(copy), table.where());
}

// Fails at the place where the dotted `key` was written, or the innermost table of it that was.
[[noreturn]] void fail(const ConfigValue& table, const std::string& key,
                       const std::string& problem) {
  const ConfigValue* place = &table;
  for (std::size_t begin = 0; begin < key.size();) {
    const std::size_t end = std::min(key.find('.', begin), key.size());
    const ConfigValue* inner = place->find(key.substr(begin, end - begin));
    if (inner == nullptr) break;
    place = inner;
    begin = end + 1;
  }
  throw Error(ErrorCode::kInvalidArgument, place->where() + ": key '" + key + "' " + problem);
}

// Images that the network cannot take are refused before any is loaded.
void check_images(const ConfigValue& table, const RunConfig& run) {
  const MapShape& input = run.network.input();
  const int channels = run.data.channels;
  if (channels == 2) {
    fail(table, "data.channels", "is 2, it must be 1, 3, or 0 for those of the images");
  }
  if (channels != 0 && channels != input.channels_of(1)) {
    fail(table, "data.channels",
         "is " + std::to_string(channels) + ", key 'network.input' has " +
             std::to_string(input.channels_of(1)) + " channels");
  }
  if (const auto problem = find_problem(run.data.augmentation, input.height, input.width)) {
    fail(table, "data.augmentation." + problem->option, problem->text);
  }
}

void check_stacking(const ConfigValue& table, const RunConfig& run) {
  const char* key = "training.stacking";
  const auto& head = static_cast<const Head&>(*run.network.nodes().back().layer);
  if (head.mode() != HeadMode::kPerWidth) {
    fail(table, key, "is true, which needs the head's 'mode' to be \"per_width\"");
  }
  if (run.training.joint()) {
    fail(table, key, "is true, which needs key 'training.schedule' to be \"incremental\"");
  }
  if (run.data.validation == 0) {
    fail(table, key, "is true, which needs held-out images: set 'data.validation' above 0");
  }
}

void check_distillation(const ConfigValue& table, const RunConfig& run) {
  const DistillationConfig& distillation = run.training.distillation;
  const std::string key = "training.distillation";
  if ((distillation.teacher == "model") == distillation.model.empty()) {
    fail(table, key + ".model", "and 'teacher' \"model\" need each other");
  }
  const bool of_widths = distillation.teacher == "widest" || distillation.teacher == "ensemble";
  if (of_widths && !run.training.joint()) {
    fail(table, key + ".teacher",
         "is \"" + distillation.teacher +
             "\", which needs key 'training.schedule' to be \"joint\"; a group that is trained "
             "after others learns from a \"model\"");
  }
}

void check_width_weights(const ConfigValue& table, const RunConfig& run) {
  const std::string key = "training.width_weights";
  const std::vector<double>& weights = run.training.width_weights;
  if (!run.training.joint()) {
    fail(table, key, "is set, which needs key 'training.schedule' to be \"joint\"");
  }
  if (run.training.selector.alpha) {
    fail(table, key, "is set, which cannot go with 'training.selector': that weighs the widths");
  }
  if (weights.size() != static_cast<std::size_t>(run.network.groups())) {
    fail(table, key,
         "has " + std::to_string(weights.size()) + " entries, the network has " +
             std::to_string(run.network.groups()) + " widths");
  }
  if (std::ranges::all_of(weights, [](double weight) { return weight == 0; })) {
    fail(table, key, "is 0 for every width, which leaves nothing to learn");
  }
}

// What one field alone cannot tell.
void check(const ConfigValue& table, const RunConfig& run) {
  check_run_name(table, run.name);
  check_images(table, run);
  const std::size_t groups = static_cast<std::size_t>(run.network.groups());
  const std::size_t epochs = run.training.epochs.size();
  if (run.training.joint() && epochs != 1) {
    fail(table, "training.epochs",
         "has " + std::to_string(epochs) + " entries, the joint schedule needs one");
  }
  if (epochs != 1 && epochs != groups) {
    fail(table, "training.epochs",
         "has " + std::to_string(epochs) + " entries, it needs one for all " +
             std::to_string(groups) + " groups or one for each");
  }
  if (run.training.stacking) check_stacking(table, run);
  check_distillation(table, run);
  if (run.training.look_ahead > 0 && (run.training.joint() || run.training.stacking)) {
    fail(table, "training.look_ahead",
         "is set, which needs groups that are trained one after the other, without "
         "'training.stacking'");
  }
  if (!run.training.width_weights.empty()) check_width_weights(table, run);
  if (run.training.selector.alpha) {
    if (!run.training.joint()) {
      fail(
          table, "training.selector.alpha",
          "is set, which needs key 'training.schedule' to be \"joint\"; selectors of frozen groups "
          "are learned by 'bellows tune'");
    }
    if (groups < 2) {
      fail(table, "training.selector.alpha", "is set, which needs a network of at least 2 groups");
    }
  }
  if (!run.training.selector.alpha && run.training.selector.share != JointSelectorConfig().share) {
    fail(table, "training.selector.share", "is set, which needs key 'training.selector.alpha'");
  }
  const std::size_t accuracies = run.expected.test_accuracy.size();
  if (accuracies != 0 && accuracies != groups) {
    fail(table, "expected.test_accuracy",
         "has " + std::to_string(accuracies) + " entries, the network has " +
             std::to_string(groups) + " widths");
  }
  if ((accuracies != 0) == run.expected.measured.empty()) {
    fail(table, "expected.measured", "and 'expected.test_accuracy' need each other");
  }
}

// The element of an array of tables that has this name, also inside of others (residual blocks).
ConfigValue* find_named(ConfigValue::Array& array, const std::string& name) {
  for (ConfigValue& element : array) {
    const ConfigValue* found = element.find("name");
    const auto* text = found == nullptr ? nullptr : std::get_if<std::string>(&found->data());
    if (text != nullptr && *text == name) return &element;
    auto* table = std::get_if<ConfigValue::Table>(&element.data());
    if (table == nullptr) continue;
    for (auto& [key, value] : *table) {
      auto* inner = std::get_if<ConfigValue::Array>(&value.data());
      ConfigValue* nested = inner == nullptr ? nullptr : find_named(*inner, name);
      if (nested != nullptr) return nested;
    }
  }
  return nullptr;
}

// Tables are gone into, everything else is replaced.
void set_in(ConfigValue& base, const ConfigValue& changes) {
  const auto* members = std::get_if<ConfigValue::Table>(&changes.data());
  if (members == nullptr) {
    base = changes;
    return;
  }
  if (auto* array = std::get_if<ConfigValue::Array>(&base.data())) {
    for (const auto& [name, value] : *members) {
      ConfigValue* element = find_named(*array, name);
      if (element == nullptr) {
        throw Error(ErrorCode::kInvalidArgument,
                    value.where() + ": there is no layer '" + name + "' to be changed");
      }
      set_in(*element, value);
    }
    return;
  }
  auto* table = std::get_if<ConfigValue::Table>(&base.data());
  if (table == nullptr) {
    base = changes;
    return;
  }
  for (const auto& [key, value] : *members) {
    const auto found = std::ranges::find(*table, key, &ConfigValue::Table::value_type::first);
    if (found == table->end()) {
      table->emplace_back(key, value);
    } else {
      set_in(found->second, value);
    }
  }
}

// Takes the keys out of `table` that its new kind does not have. `fields` writes those of a kind.
void drop_keys_of_other_kinds(ConfigValue& base, const ConfigValue& changes, const char* table,
                              const std::function<ConfigValue(const std::string&)>& fields) {
  const ConfigValue* training = changes.find("training");
  const ConfigValue* changed_table = training == nullptr ? nullptr : training->find(table);
  const ConfigValue* kind = changed_table == nullptr ? nullptr : changed_table->find("kind");
  const auto* text = kind == nullptr ? nullptr : std::get_if<std::string>(&kind->data());
  if (text == nullptr) return;
  const ConfigValue known = fields(*text);
  for (auto& [key, value] : std::get<ConfigValue::Table>(base.data())) {
    if (key != "training") continue;
    for (auto& [name, members] : std::get<ConfigValue::Table>(value.data())) {
      if (name != table) continue;
      std::erase_if(std::get<ConfigValue::Table>(members.data()),
                    [&known](const auto& member) { return known.find(member.first) == nullptr; });
    }
  }
}

template <class Options>
ConfigValue fields_of_kind(const std::string& kind) {
  Options options;
  options.kind = kind;
  FieldWriter writer;
  options.visit_fields(writer);
  return writer.value();
}

// The run of a file that has a base.
RunConfig derived(const ConfigValue& table, const std::filesystem::path& path) {
  Derivation derivation;
  ConfigValue::Table own;
  ConfigValue::Table changes;
  for (const auto& member : std::get<ConfigValue::Table>(table.data())) {
    const bool of_derivation = member.first == kBaseKey || member.first == kPlainWidthKey;
    (of_derivation ? own : changes).push_back(member);
  }
  const ConfigValue own_table(std::move(own), table.where());
  FieldReader reader(own_table, "");
  derivation.visit_fields(reader);
  reader.finish();
  if (derivation.base.empty()) fail(table, kPlainWidthKey, "needs key 'base'");
  if (table.find("name") == nullptr)
    fail(table, "name", "is missing; the base's is the base's own");
  const std::filesystem::path base_path = path.parent_path() / derivation.base;
  const ConfigValue base_table = read_toml(base_path);
  if (base_table.find(kBaseKey) != nullptr) {
    fail(table, kBaseKey, "names '" + base_path.string() + "', which has a base itself; name that");
  }
  RunConfig base = read_run_config(base_table);
  const int width = derivation.plain_width;
  if (width > base.network.groups()) {
    fail(table, kPlainWidthKey,
         "is " + std::to_string(width) + ", the base has " + std::to_string(base.network.groups()) +
             " widths");
  }
  if (width > 0) {
    base.network = base.network.first_groups(width).as_one_group();
    base.training.epochs = {base.training.joint() ? base.training.epochs_of(1)
                                                  : base.training.epochs_of(width)};
    base.training.schedule = "incremental";
    base.training.stacking = false;
    base.training.look_ahead = 0;
    base.training.width_weights.clear();
    base.training.selector = {};
    base.training.distillation = {};
  }
  return changed(base, ConfigValue(std::move(changes), table.where()));
}

void append(std::vector<FieldDocumentation>& entries, const std::vector<FieldDocumentation>& more) {
  entries.insert(entries.end(), more.begin(), more.end());
}

std::string table_of(const std::string& key) { return key.substr(0, key.rfind('.')); }

// Inserts entries that are not there yet behind the last one of the same table.
void merge(std::vector<FieldDocumentation>& entries, const std::vector<FieldDocumentation>& more) {
  for (const FieldDocumentation& entry : more) {
    const auto same_key = [&entry](const auto& other) { return other.key == entry.key; };
    if (std::any_of(entries.begin(), entries.end(), same_key)) continue;
    const auto same_table = [&entry](const auto& other) {
      return table_of(other.key) == table_of(entry.key);
    };
    const auto last = std::find_if(entries.rbegin(), entries.rend(), same_table);
    entries.insert(last.base(), entry);
  }
}

// Which fields a run has depends on its kinds of optimiser and schedule.
std::vector<FieldDocumentation> document_run(const std::string& optimiser,
                                             const std::string& schedule) {
  std::string name;
  DataConfig data;
  TrainingConfig training;
  training.optimiser.kind = optimiser;
  training.learning_rate_schedule.kind = schedule;
  ExpectedConfig expected;
  FieldDocumenter documenter("");
  Derivation().visit_fields(documenter);
  visit_run(documenter, name, data, training, expected);
  return documenter.entries();
}

}  // namespace

void check_run_name(const ConfigValue& table, const std::string& name) {
  const bool plain = std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '-' || c == '.';
  });
  if (plain && !name.empty() && name.front() != '.') return;
  throw Error(ErrorCode::kInvalidArgument,
              table.find("name")->where() + ": key 'name' is " + table.find("name")->to_json() +
                  ", it needs letters, digits, '_', '-' or '.', and no '.' in front");
}

void DigitsConfig::visit_fields(FieldVisitor& visitor) {
  visitor.field("seed", seed, {.help = "other seeds draw other digits", .minimum = 0});
  visitor.field("difficulty", difficulty,
                {.help = "strength of the distortions; 0: clean", .minimum = 0, .maximum = 2});
  visitor.field("train_images", train_images,
                {.help = "training images drawn", .minimum = 1, .maximum = 10000000});
  visitor.field("test_images", test_images,
                {.help = "test images drawn", .minimum = 1, .maximum = 10000000});
}

void StreetDigitsConfig::visit_fields(FieldVisitor& visitor) {
  visitor.field("seed", seed, {.help = "other seeds draw other house numbers", .minimum = 0});
  visitor.field("train_images", train_images,
                {.help = "training images drawn", .minimum = 1, .maximum = 10000000});
  visitor.field("test_images", test_images,
                {.help = "test images drawn", .minimum = 1, .maximum = 10000000});
  visitor.field("fonts", fonts, {.help = "folder of the type faces, searched with all below"});
}

bool DataConfig::generated() const {
  return format != "auto" && is_generated(parse_format_name(format));
}

void DataConfig::visit_fields(FieldVisitor& visitor) {
  visitor.field("format", format,
                {.help = "of the data set; auto looks at the files",
                 .choices = {"auto", "digits", "street-digits", "mnist", "fashion-mnist", "cifar10",
                             "svhn", "folder"}});
  visitor.field("path", path,
                {.help = "folder of the data set; the command line's --data goes before it"});
  visitor.field(
      "validation", validation,
      {.help = "share of the training images held out; 0: none", .minimum = 0, .maximum = 0.9});
  visitor.field("split_seed", split_seed,
                {.help = "chooses which images are held out", .minimum = 0});
  visitor.field("train_limit", train_limit,
                {.help = "training images used of those not held out; 0: all", .minimum = 0});
  visitor.field("channels", channels,
                {.help = "of a folder of PNGs: 1, 3, or 0 for those of its first image",
                 .minimum = 0,
                 .maximum = 3});
  visitor.table("digits", {}, [this](FieldVisitor& inner) { digits.visit_fields(inner); });
  visitor.table("street_digits", {},
                [this](FieldVisitor& inner) { street_digits.visit_fields(inner); });
  visitor.table("augmentation", {},
                [this](FieldVisitor& inner) { visit_augmentation(augmentation, inner); });
}

int TrainingConfig::epochs_of(int group) const {
  return epochs.size() == 1 ? epochs.front() : epochs.at(static_cast<std::size_t>(group - 1));
}

void TrainingConfig::visit_fields(FieldVisitor& visitor) {
  visitor.field("schedule", schedule,
                {.help = "group after group, earlier ones frozen; or all widths together",
                 .choices = {"incremental", "joint"}});
  visitor.field("epochs", epochs,
                {.help = "passes over the training images: one number for every group, or one for "
                         "each; a single one when joint",
                 .minimum = 1,
                 .maximum = 100000});
  visitor.field("batch_size", batch_size,
                {.help = "images to an update", .minimum = 1, .maximum = 65536});
  visitor.field("seed", seed,
                {.help = "of initial weights, order, augmentation and dropout", .minimum = 0});
  visitor.field("threads", threads,
                {.help = "that compute; 0: one for each core", .minimum = 0, .maximum = 1024});
  visitor.field(
      "precision", precision,
      {.help = "of the products in convolutions while training; bf16: 8 bits of mantissa, "
               "where the processor has fast instructions for that, else f32; all else "
               "is f32",
       .choices = {"f32", "bf16"}});
  visitor.field("label_smoothing", label_smoothing,
                {.help = "share of the target spread evenly over the classes",
                 .minimum = 0,
                 .maximum = 0.99});
  visitor.field("stacking", stacking,
                {.help = "a new group learns to answer alone; then its answer and the narrower "
                         "width's are added with weights fitted on the held-out images"});
  visitor.field("gradient_clip", gradient_clip,
                {.help = "largest norm of all gradients together; 0: no limit", .minimum = 0});
  visitor.field(
      "checkpoint_every", checkpoint_every,
      {.help = "batches from one checkpoint to the next; 0: only between groups", .minimum = 0});
  visitor.field("average", average,
                {.help = "decay, per update, of a moving average of the weights, which takes their "
                         "place when a group is finished; 0: none",
                 .minimum = 0,
                 .maximum = 0.999999});
  visitor.field("lateral", lateral,
                {.help = "factor of the initial weights by which convolutions and linear layers "
                         "read narrower groups",
                 .minimum = 0,
                 .maximum = 10});
  visitor.field("look_ahead", look_ahead,
                {.help = "groups that learn along with the one that is trained and are thrown away "
                         "before it is frozen, so that it serves those to come",
                 .minimum = 0,
                 .maximum = 100});
  visitor.field("width_weights", width_weights,
                {.help = "what each width's loss counts when joint; empty: 1 for all",
                 .minimum = 0,
                 .maximum = 1000});
  visitor.field("synchronised_normalisation", synchronised_normalisation,
                {.help = "with several ranks: statistics of batch_norm over the whole batch, not "
                         "over each rank's share"});
  visitor.field("decorrelation", decorrelation,
                {.help = "weight of a loss that keeps what the head reads of a new group different "
                         "from what it reads of earlier ones",
                 .minimum = 0,
                 .maximum = 1e6});
  visitor.table("distillation", {},
                [this](FieldVisitor& inner) { distillation.visit_fields(inner); });
  visitor.table("selector", {}, [this](FieldVisitor& inner) { selector.visit_fields(inner); });
  visitor.table("optimiser", {}, [this](FieldVisitor& inner) { optimiser.visit_fields(inner); });
  visitor.table("learning_rate_schedule", {},
                [this](FieldVisitor& inner) { learning_rate_schedule.visit_fields(inner); });
}

void ExpectedConfig::visit_fields(FieldVisitor& visitor) {
  visitor.field("test_accuracy", test_accuracy,
                {.help = "share of right answers on the test images that this run has reached, for "
                         "each width",
                 .minimum = 0,
                 .maximum = 1});
  visitor.field("measured", measured, {.help = "how that was measured"});
}

ConfigValue RunConfig::write() const {
  // Visiting takes mutable values because readers assign; a writer only looks.
  RunConfig& self = const_cast<RunConfig&>(*this);
  FieldWriter writer;
  visit_run(writer, self.name, self.data, self.training, self.expected);
  ConfigValue table = writer.value();
  for (auto& [key, value] : std::get<ConfigValue::Table>(table.data())) {
    if (key == "network") value = network.write();
  }
  return table;
}

RunConfig read_run_config(const std::filesystem::path& path) {
  const ConfigValue table = read_toml(path);
  const bool has_base = table.find(kBaseKey) != nullptr || table.find(kPlainWidthKey) != nullptr;
  RunConfig run = has_base ? derived(table, path) : read_run_config(table);
  run.source = path.string();
  return run;
}

RunConfig read_run_config(const ConfigValue& table) {
  std::string name;
  DataConfig data;
  TrainingConfig training;
  ExpectedConfig expected;
  const ConfigValue outer = with_empty_network(table);
  FieldReader reader(outer, "");
  visit_run(reader, name, data, training, expected);
  reader.finish();
  RunConfig run{std::move(name), Network::read(*table.find("network")), std::move(data),
                std::move(training), std::move(expected)};
  check(table, run);
  return run;
}

RunConfig changed(const RunConfig& run, const ConfigValue& changes) {
  ConfigValue table = run.write();
  std::erase_if(std::get<ConfigValue::Table>(table.data()),
                [](const auto& member) { return member.first == "expected"; });
  drop_keys_of_other_kinds(table, changes, "optimiser", fields_of_kind<OptimiserOptions>);
  drop_keys_of_other_kinds(table, changes, "learning_rate_schedule",
                           fields_of_kind<LearningRateSchedule>);
  set_in(table, changes);
  try {
    RunConfig result = read_run_config(table);
    result.source = run.source;
    return result;
  } catch (const Error& error) {
    // What was there before has no place of its own.
    const std::string message = error.what();
    if (!message.starts_with(": ")) throw;
    throw Error(error.code(), changes.where() + message);
  }
}

std::vector<FieldDocumentation> run_config_documentation() {
  std::vector<FieldDocumentation> entries = document_run("sgd", "cosine");
  for (const char* optimiser : {"sgd", "adamw"}) {
    for (const char* schedule : {"cosine", "constant", "step", "one_cycle"}) {
      merge(entries, document_run(optimiser, schedule));
    }
  }
  append(entries, Network::documentation());
  std::string kinds;
  for (const LayerKind kind : all_layer_kinds()) {
    kinds += (kinds.empty() ? "" : ", ") + std::string(layer_kind_name(kind));
  }
  entries.push_back({"network.layers.kind", "string", "required", "what it does (" + kinds + ")"});
  std::vector<FieldDocumentation> of_kinds;
  for (const LayerKind kind : all_layer_kinds()) {
    FieldDocumenter documenter(layer_kind_name(kind));
    make_layer(kind)->visit_fields(documenter);
    for (const FieldDocumentation& entry : documenter.entries()) {
      if (entry.key != std::string(layer_kind_name(kind)) + ".name") {
        of_kinds.push_back(entry);
      } else if (kind == LayerKind::kConv) {
        entries.push_back({"network.layers.name", entry.type, entry.initial, entry.help});
      }
    }
  }
  append(entries, of_kinds);
  return entries;
}

}  // namespace bellows
