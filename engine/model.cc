#include <bellows/bellows.h>

#include <algorithm>
#include <utility>

#include "engine/model_state.h"
#include "engine/threads.h"

namespace bellows {
namespace internal {
namespace {

// What a session is reckoned to need to call each step: 3.1 to 3.7 kB were measured.
constexpr std::size_t kStepBytes = 4096;

// What weights may take in oneDNN's orders unless max_bytes says: channels are padded to 16, in
// each group apart, so that groups of one channel each would take 100 times their file. Networks
// that are meant to be run stay far below this.
constexpr std::size_t kMostPadding = 8;
constexpr std::size_t kPaddingSlack = std::size_t{64} << 20;

}  // namespace

ModelState::ModelState(Network description, ModelInfo about, const WeightSet& weights,
                       const ModelOptions& options)
    : network(std::move(description)), info(std::move(about)), loaded(options) {
  // The weights that were read stay until these are packed.
  std::size_t read = 0;
  for (int group = 1; group <= weights.groups(); ++group) read += weights.group_bytes(group).size();
  if (loaded.max_bytes == 0) packed.limit(kMostPadding * read + kPaddingSlack);
  leave_for_weights(1, read);
  // The plan of a single image on one thread decides the layout of the weights.
  first_plan_ = build(&weights, 1, 1);
  plans_[{1, 1}] = first_plan_;
  leave_for_weights(1, 0);
}

void ModelState::leave_for_weights(std::size_t plans, std::size_t besides) {
  if (loaded.max_bytes == 0) return;
  const std::size_t taken = plans * network.operation_bytes() + besides;
  packed.limit(loaded.max_bytes - std::min(taken, loaded.max_bytes));
}

std::shared_ptr<const Plan> ModelState::build(const WeightSet* weights, int batch, int threads) {
  const ThreadCount thread_count(threads);
  const Winograd wanted = loaded.single_images ? Winograd::kInstead : Winograd::kBeside;
  return std::make_shared<const Plan>(
      build_plan(network, weights, packed,
                 {.batch = batch,
                  .groups = network.groups(),
                  .allocated_groups = network.groups(),
                  .winograd = loaded.winograd ? wanted : Winograd::kNo}));
}

std::shared_ptr<const Plan> ModelState::plan(int batch, int threads) {
  if (loaded.single_images && batch > 1) {
    throw Error(ErrorCode::kInvalidArgument,
                "the model was loaded for single images; load it without single_images");
  }
  const std::lock_guard lock(mutex_);
  std::erase_if(plans_, [](const auto& entry) { return entry.second.expired(); });
  const auto found = plans_.find({batch, threads});
  if (found != plans_.end()) {
    if (std::shared_ptr<const Plan> plan = found->second.lock()) return plan;
  }
  const std::size_t operations = (plans_.size() + 1) * network.operation_bytes();
  if (loaded.max_bytes > 0 && operations + packed.bytes() > loaded.max_bytes) {
    throw Error(ErrorCode::kOutOfMemory,
                "operations for this batch size and number of threads take " +
                    std::to_string(network.operation_bytes()) +
                    " bytes more, max_bytes of the model allows " +
                    std::to_string(loaded.max_bytes) + "; use those of another session");
  }
  leave_for_weights(plans_.size() + 1, 0);
  std::shared_ptr<const Plan> plan = build(nullptr, batch, threads);
  plans_[{batch, threads}] = plan;
  return plan;
}

MemoryUse ModelState::memory(const Plan& plan, MemoryMode mode) const {
  const std::size_t scratch = plan.table.scratchpad_bytes();
  std::size_t steps = 0;
  for (const Program& program : plan.programs) steps += program.size();
  // Logits of each width and the probabilities of one are the session's own.
  const std::size_t results = static_cast<std::size_t>(network.groups() + 1) *
                              static_cast<std::size_t>(plan.batch) *
                              static_cast<std::size_t>(network.classes()) * sizeof(float);
  return {.weights = packed.bytes(),
          .activations = plan.placement(mode).bytes - scratch + results,
          .scratch = scratch + steps * kStepBytes,
          .operations = network.operation_bytes()};
}

Width width_of(const Network& network, const ModelInfo& info, int number) {
  Width width;
  width.number = number;
  for (int group = 1; group <= number; ++group) {
    width.parameters += network.parameter_count(group);
    width.macs += network.macs(group);
  }
  width.weight_bytes = width.parameters * static_cast<std::int64_t>(sizeof(float));
  const auto index = static_cast<std::size_t>(number - 1);
  if (index < info.validation_accuracy.size()) {
    width.validation_accuracy = info.validation_accuracy[index];
  }
  if (index < info.test_accuracy.size()) width.test_accuracy = info.test_accuracy[index];
  return width;
}

struct ModelAccess {
  static Model make(std::shared_ptr<ModelState> state) { return Model(std::move(state)); }
  static const std::shared_ptr<ModelState>& state(const Model& model) { return model.state_; }
};

Model make_model(std::shared_ptr<ModelState> state) { return ModelAccess::make(std::move(state)); }

const std::shared_ptr<ModelState>& state_of(const Model& model) {
  return ModelAccess::state(model);
}

}  // namespace internal

Model Model::load(const std::string& path, const ModelOptions& options) {
  const int groups = options.groups;
  if (groups < 0) {
    throw Error(ErrorCode::kInvalidArgument,
                "the first " + std::to_string(groups) + " groups of '" + path +
                    "' were asked for; ask for 1 or more, or 0 for all");
  }
  return internal::with_every_failure_an_error(path, "load fewer groups", [&] {
    ModelFile file = load_model(path, groups == 0 ? std::nullopt : std::optional<int>(groups),
                                {.public_key = options.public_key,
                                 .min_generation = options.min_generation,
                                 .max_bytes = options.max_bytes});
    auto state = std::make_shared<internal::ModelState>(
        std::move(file.network), std::move(file.info), file.weights, options);
    for (int group = 1; group <= state->network.groups(); ++group) {
      state->group_sha256.push_back(file.facts.groups[static_cast<std::size_t>(group - 1)].sha256);
    }
    if (file.facts.signature) state->generation = file.facts.signature->generation;
    return Model(std::move(state));
  });
}

int Model::groups() const { return state_->network.groups(); }
int Model::classes() const { return state_->network.classes(); }
const std::vector<std::string>& Model::class_names() const { return state_->info.classes; }
int Model::image_channels() const { return state_->network.input().channels_of(1); }
int Model::image_height() const { return state_->network.input().height; }
int Model::image_width() const { return state_->network.input().width; }
std::size_t Model::image_elements() const {
  return static_cast<std::size_t>(state_->network.input_elements());
}
std::int64_t Model::generation() const { return state_->generation; }
std::size_t Model::packed_bytes() const { return state_->packed.bytes(); }

MemoryUse Model::memory(SessionOptions options) const {
  return internal::for_session(options, [&] {
    return state_->memory(*state_->plan(options.max_batch, options.threads), options.memory);
  });
}

Width Model::width(int width) const {
  if (width < 1 || width > groups()) {
    throw Error(ErrorCode::kInvalidArgument, "width " + std::to_string(width) +
                                                 " was asked for; the model has widths 1 to " +
                                                 std::to_string(groups()));
  }
  return internal::width_of(state_->network, state_->info, width);
}

std::vector<Width> Model::widths() const {
  std::vector<Width> all;
  for (int number = 1; number <= groups(); ++number) all.push_back(width(number));
  return all;
}

std::vector<std::string> Model::output_names() const {
  std::vector<std::string> names = {"logits", "probabilities"};
  for (int width = 1; width <= groups(); ++width)
    names.push_back("logits." + std::to_string(width));
  return names;
}

const char* version() { return BELLOWS_VERSION; }

}  // namespace bellows
