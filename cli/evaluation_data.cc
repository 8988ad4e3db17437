#include "cli/evaluation_data.h"

#include <bellows/error.h>

#include <array>
#include <utility>

#include "cli/arguments.h"
#include "cli/numbers.h"
#include "engine/json_value.h"
#include "training/run_config.h"
#include "training/trainer.h"

namespace bellows::cli {
namespace {

DataConfig recorded_config(const ModelInfo& info) {
  DataConfig config;
  if (const std::string* value = info.find_extra("data")) {
    const ConfigValue table = read_json(*value, "the model's value 'data'");
    FieldReader reader(table, "data");
    config.visit_fields(reader);
    reader.finish();
  }
  return config;
}

EvaluationData training_part(const DataConfig& config, TrainingData data, bool held_out) {
  if (held_out && config.validation <= 0) {
    throw NoHeldOutImages("the model was trained without held-out images");
  }
  const std::string share = percent_text(config.validation);
  if (held_out) {
    const std::string how = data.validation.neighbours_related()
                                ? "the last ones"
                                : "chosen by seed " + std::to_string(config.split_seed);
    return {std::move(data.validation), share + " of the training images, held out, " + how};
  }
  return {std::move(data.training), config.validation > 0
                                        ? "training images without the " + share + " held out"
                                        : "training images"};
}

// A model that does not say what it was trained on may have been trained on these.
bool was_trained_on(const ModelInfo& info, const Dataset& images) {
  const std::string* hashes = info.find_extra(kTrainingImagesSha256);
  return hashes == nullptr || hashes->find(images.sha256()) != std::string::npos;
}

// The training images as the model's run divided them; nothing where it was trained on others, or
// where these are too few to be divided like that.
std::optional<TrainingData> as_trained(const ModelInfo& info, const DataConfig& config,
                                       const Dataset& all) {
  TrainingData data;
  try {
    data = divide_training_images(all, config);
  } catch (const Error& error) {
    if (error.code() != ErrorCode::kInvalidArgument) throw;
    return std::nullopt;
  }
  if (!was_trained_on(info, data.training)) return std::nullopt;
  return data;
}

}  // namespace

EvaluationData load_evaluation_data(const ModelInfo& info, const Model& model,
                                    const EvaluationRequest& request) {
  constexpr std::array kSplits = {"test", "validation", "train"};
  if (std::find(kSplits.begin(), kSplits.end(), request.split) == kSplits.end()) {
    throw UsageError("--split: '" + request.split + "' is none of test, validation, train");
  }
  DataConfig config = recorded_config(info);
  config.format = request.format.value_or("auto");
  if (!request.data && !request.format) {
    if (info.data_set == kDigitsName) config.format = "digits";
    if (info.data_set == kStreetDigitsName) config.format = "street-digits";
  }
  if (config.format != "auto") {
    try {
      static_cast<void>(parse_format_name(config.format));
    } catch (const Error& error) {
      throw UsageError(std::string("--format: ") + error.what());
    }
  }
  if (config.generated() && request.data) {
    throw UsageError("--data: images of the format " + config.format +
                     " are drawn, not read; leave it out");
  }
  if (!config.generated() && !request.data) {
    throw UsageError((info.data_set.empty()
                          ? std::string("the model does not say what it was trained on")
                          : "the model was trained on " + info.data_set) +
                     "; give the folder of the images with --data DIR");
  }
  const int channels = model.image_channels();
  config.channels = channels == 1 || channels == 3 ? channels : 0;

  const std::string folder = request.data.value_or("");
  const DatasetFormat format =
      config.format == "auto" ? detect_format(folder) : parse_format_name(config.format);
  const LoadOptions options = loading_options(config);
  const bool test = request.split == "test";
  if (test) {
    try {
      return {load_dataset(format, folder, Split::kTest, options), kTestImages};
    } catch (const Error& error) {
      const bool may_lack = format == DatasetFormat::kSvhn || format == DatasetFormat::kFolder;
      if (error.code() != ErrorCode::kNotFound || !may_lack) throw;
    }
  }
  const Dataset all = load_dataset(format, folder, Split::kTrain, options);
  const std::optional<TrainingData> data = as_trained(info, config, all);
  if (!data) {
    if (request.split == "validation") {
      throw NoHeldOutImages(all.name() + " (" + all.provenance() +
                            "): the model was trained on other images, so that none of these were "
                            "held out");
    }
    return {all, std::string(test ? "all of them" : "training images") +
                     ": the model was trained on others"};
  }
  EvaluationData part = training_part(config, *data, request.split != "train");
  if (test) part.part += ", because there are no test images";
  return part;
}

}  // namespace bellows::cli
