#include "training/teacher.h"

#include <bellows/error.h>

#include <cmath>
#include <utility>
#include <vector>

#include "engine/model_file.h"
#include "engine/model_state.h"
#include "engine/sha256.h"
#include "training/trainer.h"

namespace bellows {
namespace {

// Of statistics of the same images.
constexpr double kTolerance = 1e-4;

bool same(const std::vector<double>& of_teacher, const std::vector<float>& here) {
  if (of_teacher.size() != here.size()) return false;
  for (std::size_t i = 0; i < here.size(); ++i) {
    if (std::abs(of_teacher[i] - static_cast<double>(here[i])) > kTolerance) return false;
  }
  return true;
}

}  // namespace

Teacher::Teacher(const std::filesystem::path& file, const LoadLimits& trusted,
                 const Network& network, const Normalisation& normalisation, int batch,
                 int threads) {
  ModelFile found = load_model(file, std::nullopt, trusted);
  const std::string name = "the teacher '" + file.string() + "' ";
  if (found.network.input() != network.input() || found.network.classes() != network.classes()) {
    throw Error(ErrorCode::kInvalidArgument,
                name + "answers for images of " + found.network.input().text() + " and " +
                    std::to_string(found.network.classes()) +
                    " classes, the network to be trained "
                    "for " +
                    network.input().text() + " and " + std::to_string(network.classes()));
  }
  if (!same(found.info.mean, normalisation.mean) ||
      !same(found.info.stddev, normalisation.stddev)) {
    throw Error(ErrorCode::kInvalidArgument,
                name +
                    "has another normalisation of the input; take one that was trained on the "
                    "same images");
  }
  Sha256 digest;
  for (const GroupFacts& group : found.facts.groups) digest.update(group.sha256);
  sha256_ = digest.hex();
  if (const std::string* images = found.info.find_extra(kTrainingImagesSha256)) {
    training_images_ = *images;
  }
  widest_ = found.network.groups();
  // Batches are normalised already.
  found.info.mean.clear();
  found.info.stddev.clear();
  const Model model = internal::make_model(std::make_shared<internal::ModelState>(
      std::move(found.network), std::move(found.info), found.weights));
  session_ =
      std::make_unique<Session>(model, SessionOptions{.max_batch = batch, .threads = threads});
}

std::span<const float> Teacher::answer(std::span<const float> images) {
  session_->run(images, widest_);
  return session_->logits();
}

}  // namespace bellows
