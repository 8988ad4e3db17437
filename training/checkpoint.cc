#include "training/checkpoint.h"

#include <bellows/error.h>

#include <utility>

#include "engine/json_value.h"

namespace bellows {
namespace {

constexpr ArrayFileKind kCheckpoint = {.format = "bellows-checkpoint-1",
                                       .name = "checkpoint",
                                       .remedy = "begin anew with --overwrite"};

}  // namespace

void CheckpointState::visit_fields(FieldVisitor& visitor) {
  visitor.field("config", config, {.required = true});
  visitor.field("data", data, {.required = true});
  visitor.field("base", base, {.required = true});
  visitor.field("teacher", teacher, {.required = true});
  visitor.field("threads", threads, {.required = true, .minimum = 1});
  visitor.field("ranks", ranks, {.minimum = 1});
  visitor.field("first_group", first_group, {.required = true, .minimum = 1});
  visitor.field("last_group", last_group, {.required = true, .minimum = 1});
  visitor.field("epoch", epoch, {.required = true, .minimum = 0});
  visitor.field("batch", batch, {.required = true, .minimum = 0});
  visitor.field("updates", updates, {.required = true, .minimum = 0});
  visitor.field("seconds", seconds, {.required = true, .minimum = 0});
  visitor.field("epoch_loss", epoch_loss, {.required = true});
  visitor.field("epoch_correct", epoch_correct, {.required = true});
  visitor.field("validation", validation, {.required = true});
  visitor.field("mean", mean, {.required = true});
  visitor.field("stddev", stddev, {.required = true});
}

const std::vector<float>& Checkpoint::array(const std::string& name, std::size_t size) const {
  for (const NamedArray& candidate : arrays) {
    if (candidate.name == name && candidate.values.size() == size) return candidate.values;
  }
  throw Error(ErrorCode::kCorruptData, "the checkpoint has no array '" + name + "' of " +
                                           std::to_string(size) +
                                           " values; begin anew with --overwrite");
}

void save_checkpoint(const std::filesystem::path& path, const Checkpoint& checkpoint) {
  FieldWriter state;
  // Visiting takes a mutable state because readers assign; a writer only looks.
  const_cast<CheckpointState&>(checkpoint.state).visit_fields(state);
  save_array_file(path, kCheckpoint,
                  {.state = state.value().to_json(), .arrays = checkpoint.arrays});
}

Checkpoint load_checkpoint(const std::filesystem::path& path) {
  ArrayFile file = load_array_file(path, kCheckpoint);
  Checkpoint checkpoint;
  checkpoint.arrays = std::move(file.arrays);
  try {
    const ConfigValue state = read_json(file.state, path.string());
    FieldReader reader(state, "state");
    checkpoint.state.visit_fields(reader);
    reader.finish();
  } catch (const Error& error) {
    throw Error(ErrorCode::kCorruptData, "checkpoint '" + path.string() +
                                             "' has a state of another version (" + error.what() +
                                             "); begin anew with --overwrite");
  }
  return checkpoint;
}

}  // namespace bellows
