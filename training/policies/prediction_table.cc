#include "training/policies/prediction_table.h"

#include <algorithm>
#include <cmath>
#include <set>
#include <string_view>
#include <utility>

#include "engine/json_value.h"
#include "engine/model_state.h"
#include "layers/fields.h"
#include "training/array_file.h"

namespace bellows {
namespace {

constexpr ArrayFileKind kTable = {.format = "bellows-predictions-1",
                                  .name = "prediction table",
                                  .remedy = "remove it: 'bellows tune' makes it anew"};

struct TableState {
  std::vector<std::string> group_sha256;
  std::string data_name;
  std::string part;
  std::string images_sha256;
  int classes = 0;

  void visit_fields(FieldVisitor& visitor) {
    visitor.field("group_sha256", group_sha256, {.required = true});
    visitor.field("data", data_name, {.required = true});
    visitor.field("part", part, {.required = true});
    visitor.field("images_sha256", images_sha256, {.required = true});
    visitor.field("classes", classes, {.required = true, .minimum = 2, .maximum = 65536});
  }
};

[[noreturn]] void corrupt(const std::filesystem::path& path, const std::string& what) {
  throw Error(ErrorCode::kCorruptData,
              std::string(kTable.name) + " '" + path.string() + "' " + what + "; " + kTable.remedy);
}

const NamedArray& array_of(const ArrayFile& file, const std::string& name, std::size_t values,
                           const std::filesystem::path& path) {
  const auto found = std::ranges::find(file.arrays, name, &NamedArray::name);
  if (found == file.arrays.end() || found->values.size() != values) {
    corrupt(path, "has no array '" + name + "' of " + std::to_string(values) + " values");
  }
  return *found;
}

}  // namespace

PredictionTable predict(const Model& model, const Dataset& images, const std::string& part,
                        const EvaluationOptions& options) {
  PredictionTable table{.group_sha256 = internal::state_of(model)->group_sha256,
                        .data_name = images.name(),
                        .part = part,
                        .images_sha256 = images.sha256(),
                        .classes = model.classes(),
                        .labels = {images.labels().begin(), images.labels().end()},
                        .logits = collect_logits(model, images, options)};
  if (table.group_sha256.empty()) {
    throw Error(ErrorCode::kInvalidArgument,
                "a prediction table of a model that was not loaded from a file: nothing would say "
                "whose it is");
  }
  return table;
}

void check_table(const PredictionTable& table, const Model& model, const std::string& name) {
  const std::vector<std::string>& hashes = internal::state_of(model)->group_sha256;
  if (table.group_sha256 == hashes) return;
  throw Error(ErrorCode::kInvalidArgument,
              name + ": was made by another model, of " +
                  std::to_string(table.group_sha256.size()) + " groups whose last has SHA-256 " +
                  (table.group_sha256.empty() ? "" : table.group_sha256.back()) +
                  "; this one has " + std::to_string(hashes.size()) + " and " +
                  (hashes.empty() ? "" : hashes.back()) +
                  "; remove the table, or name another file");
}

void save_table(const std::filesystem::path& path, const PredictionTable& table) {
  TableState state{.group_sha256 = table.group_sha256,
                   .data_name = table.data_name,
                   .part = table.part,
                   .images_sha256 = table.images_sha256,
                   .classes = table.classes};
  FieldWriter writer;
  state.visit_fields(writer);
  ArrayFile file{.state = writer.value().to_json(), .arrays = {}};
  file.arrays.push_back({.name = "labels", .values = {table.labels.begin(), table.labels.end()}});
  const auto classes = static_cast<std::size_t>(table.classes);
  for (int width = 1; width <= table.widths(); ++width) {
    file.arrays.push_back({.name = "logits." + std::to_string(width),
                           .values = table.logits[static_cast<std::size_t>(width - 1)],
                           .shape = {table.size(), classes}});
  }
  save_array_file(path, kTable, file);
}

PredictionTable load_table(const std::filesystem::path& path) {
  const ArrayFile file = load_array_file(path, kTable);
  TableState state;
  try {
    const ConfigValue value = read_json(file.state, path.string());
    FieldReader reader(value, "state");
    state.visit_fields(reader);
    reader.finish();
  } catch (const Error& error) {
    corrupt(path, std::string("is of another version (") + error.what() + ")");
  }
  PredictionTable table{.group_sha256 = state.group_sha256,
                        .data_name = state.data_name,
                        .part = state.part,
                        .images_sha256 = state.images_sha256,
                        .classes = state.classes};
  const auto labels = std::ranges::find(file.arrays, "labels", &NamedArray::name);
  if (labels == file.arrays.end() || labels->values.empty()) corrupt(path, "has no labels");
  for (const float label : labels->values) {
    if (!(label >= 0 && label < static_cast<float>(table.classes)) || label != std::floor(label)) {
      corrupt(path, "has a label that is no class");
    }
    table.labels.push_back(static_cast<std::int32_t>(label));
  }
  const std::size_t values = table.size() * static_cast<std::size_t>(table.classes);
  for (std::size_t width = 1; width <= table.group_sha256.size(); ++width) {
    table.logits.push_back(array_of(file, "logits." + std::to_string(width), values, path).values);
    if (!std::ranges::all_of(table.logits.back(), [](float x) { return std::isfinite(x); })) {
      corrupt(path, "has logits that are no numbers");
    }
  }
  if (table.logits.empty()) corrupt(path, "has no widths");
  return table;
}

std::vector<std::uint32_t> shared_images(const Dataset& images, const Dataset& others) {
  if (images.shape() != others.shape()) return {};
  const auto bytes = [](std::span<const std::uint8_t> image) {
    return std::string_view(reinterpret_cast<const char*>(image.data()), image.size());
  };
  std::set<std::string_view> known;
  for (std::size_t i = 0; i < others.size(); ++i) known.insert(bytes(others.image(i)));
  std::vector<std::uint32_t> shared;
  for (std::size_t i = 0; i < images.size(); ++i) {
    if (known.contains(bytes(images.image(i)))) shared.push_back(static_cast<std::uint32_t>(i));
  }
  return shared;
}

}  // namespace bellows
