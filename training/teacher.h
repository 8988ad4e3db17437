// A trained model whose answers another network learns from.
#pragma once

#include <bellows/bellows.h>

#include <filesystem>
#include <memory>
#include <span>
#include <string>

#include "engine/model_file.h"
#include "engine/network.h"
#include "training/data/augmentation.h"

namespace bellows {

/// Answers with its widest width. Not thread safe.
class Teacher {
 public:
  /// For batches of `batch` images that were normalised by `normalisation`. Throws Error as
  /// Model::load does, for what is not as `trusted` asks, too, and kInvalidArgument for a model of
  /// other images or classes than `network`'s, or of another normalisation.
  Teacher(const std::filesystem::path& file, const LoadLimits& trusted, const Network& network,
          const Normalisation& normalisation, int batch, int threads);

  /// Logits [N, classes] for normalised images [N, C, H, W]. Valid until the next call.
  [[nodiscard]] std::span<const float> answer(std::span<const float> images);

  /// SHA-256 of its groups' SHA-256.
  [[nodiscard]] const std::string& sha256() const { return sha256_; }
  /// Of the images that it was trained on, see kTrainingImagesSha256; or empty.
  [[nodiscard]] const std::string& training_images() const { return training_images_; }

 private:
  std::string sha256_;
  std::string training_images_;
  int widest_ = 1;
  std::unique_ptr<Session> session_;
};

}  // namespace bellows
