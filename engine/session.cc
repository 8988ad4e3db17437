#include <bellows/bellows.h>

#include <algorithm>
#include <utility>

#include "engine/bound_plan_onednn.h"
#include "engine/model_state.h"
#include "engine/softmax.h"
#include "engine/threads.h"

namespace bellows {
namespace internal {

struct SessionState {
  SessionState(std::shared_ptr<ModelState> of, SessionOptions wanted)
      : model(std::move(of)),
        options(wanted),
        bound(model->plan(options.max_batch, options.threads)) {
    const auto& network = model->network;
    const auto values =
        static_cast<std::size_t>(network.classes()) * static_cast<std::size_t>(options.max_batch);
    logits.assign(static_cast<std::size_t>(network.groups()), std::vector<float>(values));
    probabilities.resize(values);
    const auto channels = static_cast<std::size_t>(network.input().channels_of(1));
    mean.assign(channels, 0.0F);
    stddev.assign(channels, 1.0F);
    std::copy(model->info.mean.begin(), model->info.mean.end(), mean.begin());
    std::copy(model->info.stddev.begin(), model->info.stddev.end(), stddev.begin());
  }

  // Runs programs width + 1 .. `wanted` and reads their logits.
  void continue_to(int wanted) {
    const ThreadCount threads(options.threads);
    bound.run({width + 1, wanted});
    while (width < wanted) read_logits(++width);
    const auto classes = static_cast<std::size_t>(model->network.classes());
    const std::vector<float>& last = logits[static_cast<std::size_t>(width - 1)];
    for (std::size_t i = 0; i < static_cast<std::size_t>(batch); ++i) {
      softmax(last.data() + i * classes, classes, probabilities.data() + i * classes);
    }
  }

  void read_logits(int group) {
    const ActivationLayout& layout = bound.plan().logits.layout;
    const float* from = bound.logits(group);
    std::vector<float>& to = logits[static_cast<std::size_t>(group - 1)];
    std::size_t i = 0;
    for (int sample = 0; sample < batch; ++sample) {
      for (int label = 0; label < model->network.classes(); ++label) {
        to[i++] = from[layout.index(sample, label, 0)];
      }
    }
  }

  std::shared_ptr<ModelState> model;
  SessionOptions options;
  BoundPlan bound;
  std::vector<float> mean;
  std::vector<float> stddev;
  std::vector<std::vector<float>> logits;  // [width - 1], [max_batch, classes]
  std::vector<float> probabilities;
  int width = 0;
  int batch = 0;
};

}  // namespace internal

namespace {

const SessionOptions& checked(const SessionOptions& options) {
  if (options.max_batch < 1 || options.max_batch > 65536) {
    throw Error(ErrorCode::kInvalidArgument, "max_batch is " + std::to_string(options.max_batch) +
                                                 ", it must be from 1 to 65536");
  }
  if (options.threads < 1 || options.threads > 1024) {
    throw Error(ErrorCode::kInvalidArgument,
                "threads is " + std::to_string(options.threads) + ", it must be from 1 to 1024");
  }
  return options;
}

void require_result(const internal::SessionState& state) {
  if (state.width == 0) {
    throw Error(ErrorCode::kInvalidArgument, "the session has no result yet; call run first");
  }
}

}  // namespace

Session::Session(const Model& model, SessionOptions options)
    : state_(internal::with_every_failure_an_error(
          "session with max_batch " + std::to_string(checked(options).max_batch),
          "use a smaller max_batch or load fewer groups",
          [&] { return std::make_unique<internal::SessionState>(model.state_, options); })) {}
Session::~Session() = default;
Session::Session(Session&&) noexcept = default;
Session& Session::operator=(Session&&) noexcept = default;

void Session::run(std::span<const float> images, int width) {
  internal::SessionState& state = *state_;
  const Network& network = state.model->network;
  const auto elements = static_cast<std::size_t>(network.input_elements());
  if (width < 1 || width > network.groups()) {
    throw Error(ErrorCode::kInvalidArgument, "width " + std::to_string(width) +
                                                 " was asked for; the model has widths 1 to " +
                                                 std::to_string(network.groups()));
  }
  const std::size_t count = images.size() / elements;
  if (images.size() % elements != 0 || count < 1 ||
      count > static_cast<std::size_t>(state.options.max_batch)) {
    throw Error(ErrorCode::kInvalidArgument,
                "the session takes 1 to " + std::to_string(state.options.max_batch) +
                    " images of " + std::to_string(elements) + " values (" +
                    network.input().text() + "), it was given " + std::to_string(images.size()) +
                    " values");
  }
  state.batch = static_cast<int>(count);
  load_images(state.bound.plan(), images.data(), state.batch, state.mean, state.stddev,
              state.bound.input());
  state.width = 0;
  state.continue_to(width);
}

void Session::refine() {
  require_result(*state_);
  if (state_->width == state_->model->network.groups()) {
    throw Error(ErrorCode::kInvalidArgument, "refine was called at width " +
                                                 std::to_string(state_->width) +
                                                 ", the widest; start again with run");
  }
  state_->continue_to(state_->width + 1);
}

int Session::width() const { return state_->width; }
int Session::batch() const { return state_->batch; }

std::span<const float> Session::logits() const { return logits(state_->width); }

std::span<const float> Session::logits(int width) const {
  require_result(*state_);
  if (width < 1 || width > state_->width) {
    throw Error(ErrorCode::kInvalidArgument,
                "logits of width " + std::to_string(width) +
                    " were asked for; the last result has widths 1 to " +
                    std::to_string(state_->width));
  }
  return std::span(state_->logits[static_cast<std::size_t>(width - 1)])
      .first(static_cast<std::size_t>(state_->batch) *
             static_cast<std::size_t>(state_->model->network.classes()));
}

std::span<const float> Session::probabilities() const {
  require_result(*state_);
  return std::span(state_->probabilities)
      .first(static_cast<std::size_t>(state_->batch) *
             static_cast<std::size_t>(state_->model->network.classes()));
}

Prediction Session::best(int index) const {
  require_result(*state_);
  if (index < 0 || index >= state_->batch) {
    throw Error(ErrorCode::kInvalidArgument, "image " + std::to_string(index) +
                                                 " was asked for; the last run had " +
                                                 std::to_string(state_->batch));
  }
  const auto classes = static_cast<std::size_t>(state_->model->network.classes());
  const auto all = probabilities().subspan(static_cast<std::size_t>(index) * classes, classes);
  const auto largest = std::max_element(all.begin(), all.end());
  return {static_cast<int>(largest - all.begin()), *largest};
}

std::size_t Session::activation_bytes() const { return state_->bound.bytes(); }

}  // namespace bellows
