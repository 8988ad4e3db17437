#include "training/search/space.h"

#include <bellows/error.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <utility>

#include "engine/number_text.h"

namespace bellows {
namespace {

constexpr int kMostBlocks = 16;
constexpr std::size_t kMostStages = 16;

// "conv3" is a convolution with a window of 3, "sep5" one that first looks at each channel by
// itself and then mixes channels, "max3" and "avg3" are pools that keep the map's size.
const std::vector<std::string> kOperations = {"identity", "conv1", "conv3", "conv5", "conv7",
                                              "sep3",     "sep5",  "sep7",  "max3",  "avg3"};

bool is_convolution(const std::string& operation) {
  return operation.starts_with("conv") || operation.starts_with("sep");
}

int kernel_of(const std::string& operation) { return operation.back() - '0'; }

std::string block_key(std::size_t stage, int block) {
  return "stage" + std::to_string(stage + 1) + ".operation" + std::to_string(block + 1);
}
std::string stage_key(std::size_t stage, const char* what) {
  return "stage" + std::to_string(stage + 1) + "." + what;
}
std::string share_key(int group) { return "share" + std::to_string(group); }

ConfigValue text_value(const std::string& text) { return ConfigValue(text); }
ConfigValue number_value(std::int64_t number) { return ConfigValue(number); }

template <class Number>
std::vector<double> as_positions(const std::vector<Number>& numbers) {
  return {numbers.begin(), numbers.end()};
}
// Twice as many channels are one step, however many.
std::vector<double> as_logarithms(const std::vector<int>& numbers) {
  std::vector<double> positions;
  positions.reserve(numbers.size());
  for (const int number : numbers) positions.push_back(std::log2(1.0 + number));
  return positions;
}

template <class Value>
void require_choices(const std::vector<Value>& values, const std::string& key, bool rising) {
  if (values.empty()) {
    throw Error(ErrorCode::kInvalidArgument, "key '" + key + "' is empty, it needs a choice");
  }
  for (std::size_t i = 1; i < values.size(); ++i) {
    for (std::size_t j = 0; j < i; ++j) {
      if (values[i] == values[j]) {
        throw Error(ErrorCode::kInvalidArgument, "key '" + key + "' names a choice twice");
      }
    }
    if (rising && values[i] < values[i - 1]) {
      throw Error(ErrorCode::kInvalidArgument,
                  "key '" + key + "' must rise, the smallest number first");
    }
  }
}

}  // namespace

void TaskConfig::visit_fields(FieldVisitor& visitor) {
  visitor.field("input", input,
                {.help = "shape of an image: [channels, height, width]",
                 .required = true,
                 .minimum = 1,
                 .maximum = kMaxMapLength});
  visitor.field("classes", classes,
                {.help = "number of classes", .required = true, .minimum = 2, .maximum = 65536});
}

void StemSpace::visit_fields(FieldVisitor& visitor) {
  visitor.field("kernels", kernels,
                {.help = "windows of the first convolution", .minimum = 1, .maximum = 15});
  visitor.field("channels", channels,
                {.help = "its channels in group 1", .minimum = 1, .maximum = 4096});
  visitor.field("strides", strides, {.help = "its steps", .minimum = 1, .maximum = 8});
}

void StageSpace::visit_fields(FieldVisitor& visitor) {
  visitor.field(
      "blocks", blocks,
      {.help = "how many blocks follow each other", .minimum = 0, .maximum = kMostBlocks});
  visitor.field(
      "operations", operations,
      {.help = "what each block does: a convolution, one that is separable into depthwise "
               "and pointwise, a pool that keeps the size, or nothing",
       .choices = kOperations});
  visitor.field("channels", channels,
                {.help = "channels of group 1 that the stage's convolutions give",
                 .minimum = 1,
                 .maximum = 4096});
  visitor.field(
      "shortcuts", shortcuts,
      {.help = "around each block that is a convolution", .choices = {"none", "residual"}});
  visitor.field("pools", pools,
                {.help = "how the stage ends: a pool by two, or its first convolution has a stride "
                         "of two",
                 .choices = {"none", "max2", "avg2", "stride2"}});
}

void SpaceConfig::visit_fields(FieldVisitor& visitor) {
  visitor.field("groups", groups,
                {.help = "numbers of groups, and so of widths", .minimum = 1, .maximum = 64});
  visitor.field(
      "connectivity", connectivity,
      {.help = "what a group reads of the layer before", .choices = {"triangular", "grouped"}});
  visitor.field("heads", heads,
                {.help = "modes of the head", .choices = {"per_width", "additive"}});
  visitor.field("shares", shares,
                {.help = "channels of each further group, by those of group 1; chosen for each "
                         "group",
                 .minimum = 0.01,
                 .maximum = 64});
  visitor.field("multiple", multiple,
                {.help = "channels are rounded to multiples of this, which machines like",
                 .minimum = 1,
                 .maximum = 256});
  visitor.table("stem", {}, [this](FieldVisitor& inner) { stem.visit_fields(inner); });
  visitor.tables(
      "stages", {.help = "the stages, in order", .required = true},
      [this](const ConfigValue& table) {
        StageSpace stage;
        FieldReader reader(table, "space.stages");
        stage.visit_fields(reader);
        reader.finish();
        stages.push_back(std::move(stage));
      },
      [this] {
        ConfigValue::Array array;
        for (StageSpace& stage : stages) {
          FieldWriter writer;
          stage.visit_fields(writer);
          array.push_back(writer.value());
        }
        return array;
      });
  visitor.field("ends", ends,
                {.help = "what becomes of the last map: its mean, or all its pixels",
                 .choices = {"average", "flatten"}});
  visitor.field("hidden", hidden,
                {.help = "features, in group 1, of a linear layer before the head; 0: none",
                 .minimum = 0,
                 .maximum = 65536});
}

ArchitectureSpace::ArchitectureSpace(TaskConfig task, SpaceConfig config)
    : task_(std::move(task)), config_(std::move(config)) {
  if (task_.input.size() != 3) {
    throw Error(ErrorCode::kInvalidArgument, "key 'network.input' has " +
                                                 std::to_string(task_.input.size()) +
                                                 " entries, it needs [channels, height, width]");
  }
  require_choices(config_.groups, "space.groups", true);
  require_choices(config_.connectivity, "space.connectivity", false);
  require_choices(config_.heads, "space.heads", false);
  require_choices(config_.shares, "space.shares", true);
  require_choices(config_.stem.kernels, "space.stem.kernels", true);
  require_choices(config_.stem.channels, "space.stem.channels", true);
  require_choices(config_.stem.strides, "space.stem.strides", true);
  require_choices(config_.ends, "space.ends", false);
  require_choices(config_.hidden, "space.hidden", true);
  if (config_.stages.empty() || config_.stages.size() > kMostStages) {
    throw Error(ErrorCode::kInvalidArgument,
                "key 'space.stages' has " + std::to_string(config_.stages.size()) +
                    " stages, a space has 1 to " + std::to_string(kMostStages));
  }
  add("groups", as_positions(config_.groups));
  add("connectivity", config_.connectivity.size());
  add("head", config_.heads.size());
  for (int group = 2; group <= most_groups(); ++group) {
    add(share_key(group), as_positions(config_.shares));
  }
  add("stem.kernel", as_positions(config_.stem.kernels));
  add("stem.channels", as_logarithms(config_.stem.channels));
  add("stem.stride", as_positions(config_.stem.strides));
  for (std::size_t i = 0; i < config_.stages.size(); ++i) {
    const StageSpace& stage = config_.stages[i];
    const std::string at = "space.stages[" + std::to_string(i + 1) + "].";
    require_choices(stage.blocks, at + "blocks", true);
    require_choices(stage.operations, at + "operations", false);
    require_choices(stage.channels, at + "channels", true);
    require_choices(stage.shortcuts, at + "shortcuts", false);
    require_choices(stage.pools, at + "pools", false);
    add(stage_key(i, "blocks"), as_positions(stage.blocks));
    for (int block = 0; block < stage.blocks.back(); ++block) {
      add(block_key(i, block), stage.operations.size());
    }
    add(stage_key(i, "channels"), as_logarithms(stage.channels));
    add(stage_key(i, "shortcut"), stage.shortcuts.size());
    add(stage_key(i, "pool"), stage.pools.size());
  }
  add("end", config_.ends.size());
  add("hidden", as_logarithms(config_.hidden));
  if (dimensions_.empty()) {
    throw Error(ErrorCode::kInvalidArgument,
                "table 'space' leaves no choice: every list has one entry");
  }
}

void ArchitectureSpace::add(const std::string& name, std::vector<double> positions) {
  if (positions.size() < 2) return;
  const int choices = static_cast<int>(positions.size());
  dimensions_.push_back({.name = name,
                         .kind = Dimension::Kind::kOrdered,
                         .choices = choices,
                         .positions = std::move(positions)});
}

void ArchitectureSpace::add(const std::string& name, std::size_t choices) {
  if (choices < 2) return;
  dimensions_.push_back(
      {.name = name, .kind = Dimension::Kind::kUnordered, .choices = static_cast<int>(choices)});
}

std::size_t ArchitectureSpace::choice(const SearchPoint& point, const std::string& name) const {
  for (std::size_t d = 0; d < dimensions_.size(); ++d) {
    if (dimensions_[d].name == name) return static_cast<std::size_t>(point[d]);
  }
  return 0;
}

void ArchitectureSpace::set(SearchPoint& point, const std::string& name, std::size_t value) const {
  for (std::size_t d = 0; d < dimensions_.size(); ++d) {
    if (dimensions_[d].name == name) point[d] = static_cast<double>(value);
  }
}

int ArchitectureSpace::groups(const SearchPoint& point) const {
  return config_.groups[choice(point, "groups")];
}

int ArchitectureSpace::most_groups() const { return config_.groups.back(); }

std::vector<std::string> ArchitectureSpace::operations(const SearchPoint& point,
                                                       std::size_t stage) const {
  const StageSpace& choices = config_.stages[stage];
  const int blocks = choices.blocks[choice(point, stage_key(stage, "blocks"))];
  std::vector<std::string> chosen;
  chosen.reserve(static_cast<std::size_t>(blocks));
  for (int block = 0; block < blocks; ++block) {
    chosen.push_back(choices.operations[choice(point, block_key(stage, block))]);
  }
  return chosen;
}

void ArchitectureSpace::settle(SearchPoint& point) const {
  const int groups_here = groups(point);
  if (groups_here == 1) {
    set(point, "connectivity", 0);
    set(point, "head", 0);
  }
  for (int group = groups_here + 1; group <= most_groups(); ++group) {
    set(point, share_key(group), 0);
  }
  for (std::size_t stage = 0; stage < config_.stages.size(); ++stage) {
    const StageSpace& choices = config_.stages[stage];
    // Blocks that do nothing are none, where there may be so few; else they come last.
    std::vector<std::string> chosen = operations(point, stage);
    std::stable_partition(chosen.begin(), chosen.end(),
                          [](const std::string& one) { return one != "identity"; });
    const auto real =
        std::ranges::count_if(chosen, [](const std::string& one) { return one != "identity"; });
    const auto fewer = std::ranges::find_if(choices.blocks, [&](int b) { return b >= real; });
    set(point, stage_key(stage, "blocks"),
        static_cast<std::size_t>(fewer - choices.blocks.begin()));
    for (int block = 0; block < choices.blocks.back(); ++block) {
      const auto index = static_cast<std::size_t>(block);
      const bool used = block < *fewer;
      const auto position =
          used ? std::ranges::find(choices.operations, chosen[index]) - choices.operations.begin()
               : 0;
      set(point, block_key(stage, block), static_cast<std::size_t>(position));
    }
    if (std::ranges::none_of(chosen, is_convolution)) {
      set(point, stage_key(stage, "channels"), 0);
      set(point, stage_key(stage, "shortcut"), 0);
      // Without a convolution that could have a stride, a pool stands for it.
      const auto position = [&](const char* pool) {
        return static_cast<std::size_t>(std::ranges::find(choices.pools, pool) -
                                        choices.pools.begin());
      };
      const std::size_t pool = position("max2");
      if (pool < choices.pools.size() &&
          choice(point, stage_key(stage, "pool")) == position("stride2")) {
        set(point, stage_key(stage, "pool"), pool);
      }
    }
  }
}

// Writes the layers of one point, one after the other.
class ArchitectureSpace::Builder {
 public:
  Builder(std::vector<double> shares, int multiple)
      : shares_(std::move(shares)), multiple_(multiple) {}

  void convolution(const std::string& name, int first_channels, int kernel, int stride,
                   bool activated, ConfigValue::Array& layers) const {
    ConfigValue::Table conv = {{"kind", text_value("conv")}, {"name", text_value(name)}};
    conv.emplace_back("channels", sizes(first_channels));
    append_window(conv, kernel, stride);
    layers.emplace_back(std::move(conv));
    normalise(name, activated, layers);
  }

  static void depthwise(const std::string& name, int kernel, int stride,
                        ConfigValue::Array& layers) {
    ConfigValue::Table conv = {
        {"kind", text_value("conv")}, {"name", text_value(name)}, {"depthwise", ConfigValue(true)}};
    append_window(conv, kernel, stride);
    layers.emplace_back(std::move(conv));
    normalise(name, true, layers);
  }

  static void pool(const std::string& name, const char* kind, int kernel, int stride, int padding,
                   ConfigValue::Array& layers) {
    layers.emplace_back(ConfigValue::Table{{"kind", text_value(kind)},
                                           {"name", text_value(name)},
                                           {"kernel", number_value(kernel)},
                                           {"stride", number_value(stride)},
                                           {"padding", number_value(padding)}});
  }

  static void simple(const std::string& name, const char* kind, ConfigValue::Array& layers) {
    layers.emplace_back(ConfigValue::Table{{"kind", text_value(kind)}, {"name", text_value(name)}});
  }

  // One number for each group, of a layer that has `first` in group 1.
  [[nodiscard]] ConfigValue sizes(int first) const {
    ConfigValue::Array all;
    for (const double share : shares_) {
      const auto steps = static_cast<std::int64_t>(std::llround(share * first / multiple_));
      all.push_back(
          number_value(share == 1 ? first : std::max<std::int64_t>(1, steps) * multiple_));
    }
    return ConfigValue(std::move(all));
  }

 private:
  static void append_window(ConfigValue::Table& conv, int kernel, int stride) {
    conv.emplace_back("kernel", number_value(kernel));
    if (stride != 1) conv.emplace_back("stride", number_value(stride));
    if (kernel > 1) conv.emplace_back("padding", number_value(kernel / 2));
    conv.emplace_back("bias", ConfigValue(false));
  }

  static void normalise(const std::string& name, bool activated, ConfigValue::Array& layers) {
    simple(name + "_norm", "batch_norm", layers);
    if (activated) simple(name + "_relu", "relu", layers);
  }

  std::vector<double> shares_;
  int multiple_;
};

ConfigValue ArchitectureSpace::describe(const SearchPoint& point) const {
  const int groups_here = groups(point);
  std::vector<double> shares = {1};
  for (int group = 2; group <= groups_here; ++group) {
    shares.push_back(config_.shares[choice(point, share_key(group))]);
  }
  const Builder builder(shares, config_.multiple);
  ConfigValue::Array layers;
  int channels_before = config_.stem.channels[choice(point, "stem.channels")];
  builder.convolution("stem", channels_before, config_.stem.kernels[choice(point, "stem.kernel")],
                      config_.stem.strides[choice(point, "stem.stride")], true, layers);
  for (std::size_t stage = 0; stage < config_.stages.size(); ++stage) {
    const StageSpace& choices = config_.stages[stage];
    const int channels = choices.channels[choice(point, stage_key(stage, "channels"))];
    const bool residual = choices.shortcuts[choice(point, stage_key(stage, "shortcut"))] != "none";
    const std::string& ending = choices.pools[choice(point, stage_key(stage, "pool"))];
    int stride = ending == "stride2" ? 2 : 1;
    const std::vector<std::string> chosen = operations(point, stage);
    for (std::size_t block = 0; block < chosen.size(); ++block) {
      const std::string& operation = chosen[block];
      const std::string name = "s" + std::to_string(stage + 1) + "b" + std::to_string(block + 1);
      if (operation == "identity") continue;
      const int kernel = kernel_of(operation);
      if (!is_convolution(operation)) {
        Builder::pool(name, operation == "max3" ? "max_pool" : "avg_pool", kernel, 1, kernel / 2,
                      layers);
        continue;
      }
      ConfigValue::Array body;
      if (operation.starts_with("sep")) {
        Builder::depthwise(name + "_depthwise", kernel, stride, body);
        builder.convolution(name + "_pointwise", channels, 1, 1, !residual, body);
      } else {
        builder.convolution(name + "_conv", channels, kernel, stride, !residual, body);
      }
      if (residual) {
        const bool same = channels == channels_before && stride == 1;
        layers.emplace_back(
            ConfigValue::Table{{"kind", text_value("residual")},
                               {"name", text_value(name)},
                               {"shortcut", text_value(same ? "identity" : "projected")},
                               {"body", ConfigValue(std::move(body))}});
        Builder::simple(name + "_relu", "relu", layers);
      } else {
        for (ConfigValue& layer : body) layers.push_back(std::move(layer));
      }
      stride = 1;
      channels_before = channels;
    }
    const std::string name = "s" + std::to_string(stage + 1) + "_pool";
    // Without a convolution that could have taken the stride, a pool does.
    if (ending == "max2" || stride == 2) Builder::pool(name, "max_pool", 2, 2, 0, layers);
    if (ending == "avg2") Builder::pool(name, "avg_pool", 2, 2, 0, layers);
  }
  if (config_.ends[choice(point, "end")] == "average") {
    Builder::simple("end", "global_avg_pool", layers);
  }
  const int hidden = config_.hidden[choice(point, "hidden")];
  if (hidden > 0) {
    layers.emplace_back(ConfigValue::Table{{"kind", text_value("linear")},
                                           {"name", text_value("hidden")},
                                           {"features", builder.sizes(hidden)}});
    Builder::simple("hidden_relu", "relu", layers);
  }
  layers.emplace_back(
      ConfigValue::Table{{"kind", text_value("head")},
                         {"name", text_value("head")},
                         {"mode", text_value(config_.heads[choice(point, "head")])}});

  ConfigValue::Array input;
  for (const int length : task_.input) input.push_back(number_value(length));
  return ConfigValue(ConfigValue::Table{
      {"input", ConfigValue(std::move(input))},
      {"classes", number_value(task_.classes)},
      {"groups", number_value(groups_here)},
      {"connectivity", text_value(config_.connectivity[choice(point, "connectivity")])},
      {"layers", ConfigValue(std::move(layers))}});
}

std::string ArchitectureSpace::text(const SearchPoint& point) const {
  const int groups_here = groups(point);
  std::string line = std::to_string(groups_here) + (groups_here == 1 ? " group" : " groups");
  if (groups_here > 1) {
    line += " (1";
    for (int group = 2; group <= groups_here; ++group) {
      line += ":" + number_text(config_.shares[choice(point, share_key(group))]);
    }
    line += "), " + config_.connectivity[choice(point, "connectivity")] + ", " +
            config_.heads[choice(point, "head")];
  }
  line += "; conv" + std::to_string(config_.stem.kernels[choice(point, "stem.kernel")]) + " " +
          std::to_string(config_.stem.channels[choice(point, "stem.channels")]);
  const int stride = config_.stem.strides[choice(point, "stem.stride")];
  if (stride != 1) line += " by " + std::to_string(stride);
  for (std::size_t stage = 0; stage < config_.stages.size(); ++stage) {
    const StageSpace& choices = config_.stages[stage];
    line += ";";
    const std::vector<std::string> chosen = operations(point, stage);
    for (const std::string& operation : chosen) line += " " + operation;
    if (std::ranges::any_of(chosen, is_convolution)) {
      line += " " + std::to_string(choices.channels[choice(point, stage_key(stage, "channels"))]);
      if (choices.shortcuts[choice(point, stage_key(stage, "shortcut"))] != "none") {
        line += " residual";
      }
    }
    const std::string& ending = choices.pools[choice(point, stage_key(stage, "pool"))];
    if (ending != "none") line += " " + ending;
  }
  line += "; " + config_.ends[choice(point, "end")];
  const int hidden = config_.hidden[choice(point, "hidden")];
  if (hidden > 0) line += ", hidden " + std::to_string(hidden);
  return line;
}

}  // namespace bellows
