// Which images a model is to be measured on.
#pragma once

#include <bellows/bellows.h>

#include <optional>
#include <string>

#include "engine/model_file.h"
#include "training/data/dataset.h"

namespace bellows::cli {

/// Error(kInvalidArgument): no images were held out when the model was trained.
class NoHeldOutImages : public Error {
 public:
  explicit NoHeldOutImages(const std::string& reason)
      : Error(ErrorCode::kInvalidArgument, reason + "; measure on --split train or test"),
        reason_(reason) {}
  /// Without the remedy, which not every verb has.
  [[nodiscard]] const std::string& reason() const { return reason_; }

 private:
  std::string reason_;
};

/// What was asked for on the command line.
struct EvaluationRequest {
  std::optional<std::string> data;    ///< --data
  std::optional<std::string> format;  ///< --format
  std::string split = "test";         ///< test, validation or train
};

/// What `part` says of the data set's own test images.
inline constexpr const char* kTestImages = "test images";

struct EvaluationData {
  Dataset images;
  std::string part;  ///< for people: "test images", "10 % of the training images, held out ..."
};

/// Loads the images. Without a folder, what the model says about its training decides: the built-in
/// generator needs none. The hold-out is made as the model's `extra` value "data" says (JSON of the
/// table `data` of its configuration), else with the defaults. SVHN and PNG folders without test
/// images give the hold-out instead if the model was trained on them, else all their images, and
/// `part` says so. Of images that it was not trained on all are training images, and none are held
/// out (NoHeldOutImages). Throws UsageError when a folder is missing or superfluous, Error
/// as load_dataset does.
EvaluationData load_evaluation_data(const ModelInfo& info, const Model& model,
                                    const EvaluationRequest& request);

}  // namespace bellows::cli
