#include "training/evaluator.h"

#include <bellows/error.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <string>

namespace bellows {
namespace {

void require_fit(const Model& model, const Dataset& images, const EvaluationOptions& options) {
  const ImageShape& shape = images.shape();
  if (shape.channels != model.image_channels() || shape.height != model.image_height() ||
      shape.width != model.image_width()) {
    const auto text = [](int channels, int height, int width) {
      return std::to_string(channels) + " x " + std::to_string(height) + " x " +
             std::to_string(width);
    };
    throw Error(ErrorCode::kInvalidArgument,
                "the images of " + images.name() + " are " +
                    text(shape.channels, shape.height, shape.width) + ", the model takes " +
                    text(model.image_channels(), model.image_height(), model.image_width()));
  }
  if (images.classes() > model.classes()) {
    throw Error(ErrorCode::kInvalidArgument,
                images.name() + " has " + std::to_string(images.classes()) +
                    " classes, the model knows " + std::to_string(model.classes()));
  }
  if (options.first_width < 1 || options.first_width > options.last_width ||
      options.last_width > model.groups()) {
    throw Error(ErrorCode::kInvalidArgument, "widths " + std::to_string(options.first_width) +
                                                 " to " + std::to_string(options.last_width) +
                                                 " were asked for; the model has widths 1 to " +
                                                 std::to_string(model.groups()));
  }
}

// The cross-entropy of one answer: log of the sum of exponentials, less the label's logit.
double cross_entropy(std::span<const float> logits, std::size_t label) {
  const double largest = *std::ranges::max_element(logits);
  double sum = 0;
  for (const float logit : logits) sum += std::exp(double{logit} - largest);
  return std::log(sum) + largest - double{logits[label]};
}

void score(std::span<const float> logits, std::span<const std::int32_t> labels, std::size_t classes,
           WidthScore& width) {
  for (std::size_t i = 0; i < labels.size(); ++i) {
    const auto row = logits.subspan(i * classes, classes);
    const auto label = static_cast<std::size_t>(labels[i]);
    const auto answer = static_cast<std::size_t>(std::ranges::max_element(row) - row.begin());
    width.loss += cross_entropy(row, label);
    width.accuracy += answer == label ? 1 : 0;
    ++width.confusion[label * classes + answer];
  }
}

// Runs all images through options.last_width; told the session after every batch, how many images
// were done before and how many are in it.
using OnBatch = std::function<void(const Session& session, std::size_t done, std::size_t count)>;

void run_batches(const Model& model, const Dataset& images, const EvaluationOptions& options,
                 const OnBatch& on_batch) {
  std::array<float, 256> as_float{};
  for (std::size_t i = 0; i < as_float.size(); ++i) as_float[i] = static_cast<float>(i) / 255.0F;
  Session session(model, {.max_batch = options.batch, .threads = options.threads});
  const std::size_t elements = model.image_elements();
  std::vector<float> batch(elements * static_cast<std::size_t>(options.batch));
  for (std::size_t done = 0; done < images.size();) {
    const std::size_t count =
        std::min(images.size() - done, static_cast<std::size_t>(options.batch));
    for (std::size_t i = 0; i < count; ++i) {
      const auto image = images.image(done + i);
      std::ranges::transform(image, batch.begin() + static_cast<std::ptrdiff_t>(i * elements),
                             [&](std::uint8_t value) { return as_float[value]; });
    }
    session.run(std::span(batch).first(count * elements), options.last_width);
    on_batch(session, done, count);
    done += count;
    if (options.progress) options.progress(done, images.size());
  }
}

EvaluationOptions checked(const Model& model, const Dataset& images,
                          const EvaluationOptions& options) {
  EvaluationOptions wanted = options;
  if (wanted.last_width == 0) wanted.last_width = model.groups();
  // Memory is taken for a whole batch, however few images there are.
  const auto images_at_most = static_cast<int>(std::min<std::size_t>(images.size(), 1U << 20));
  wanted.batch = std::min(wanted.batch, std::max(1, images_at_most));
  require_fit(model, images, wanted);
  return wanted;
}

}  // namespace

std::vector<WidthScore> evaluate(const Model& model, const Dataset& images,
                                 const EvaluationOptions& options) {
  const EvaluationOptions wanted = checked(model, images, options);
  const auto classes = static_cast<std::size_t>(model.classes());
  std::vector<WidthScore> scores;
  for (int width = wanted.first_width; width <= wanted.last_width; ++width) {
    scores.push_back({.width = width, .confusion = std::vector<std::int64_t>(classes * classes)});
  }
  run_batches(
      model, images, wanted, [&](const Session& session, std::size_t done, std::size_t count) {
        for (WidthScore& width : scores) {
          score(session.logits(width.width), images.labels().subspan(done, count), classes, width);
        }
      });
  const auto count = static_cast<double>(std::max<std::size_t>(1, images.size()));
  for (WidthScore& width : scores) {
    width.accuracy /= count;
    width.loss /= count;
  }
  return scores;
}

std::vector<std::vector<float>> collect_logits(const Model& model, const Dataset& images,
                                               const EvaluationOptions& options) {
  const EvaluationOptions wanted = checked(model, images, options);
  std::vector<std::vector<float>> logits(
      static_cast<std::size_t>(wanted.last_width - wanted.first_width + 1));
  run_batches(model, images, wanted, [&](const Session& session, std::size_t, std::size_t) {
    for (int width = wanted.first_width; width <= wanted.last_width; ++width) {
      const auto batch = session.logits(width);
      auto& all = logits[static_cast<std::size_t>(width - wanted.first_width)];
      all.insert(all.end(), batch.begin(), batch.end());
    }
  });
  return logits;
}

}  // namespace bellows
