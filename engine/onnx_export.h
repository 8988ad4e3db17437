// A network at one of its widths as an ONNX model, for ONNX Runtime and whatever else reads the
// format (https://onnx.ai). docs/onnx.md says what such a model looks like.
#pragma once

#include <filesystem>
#include <string>

#include "engine/model_file.h"
#include "engine/network.h"
#include "engine/weight_set.h"

namespace bellows {

/// Version of ONNX's operators that is written; ONNX 1.8 (2020) and newer read it.
inline constexpr int kOnnxOpset = 13;

/// Names of the model's input, f32 [N, C, H, W], and of its output, f32 [N, classes].
inline constexpr const char* kOnnxInput = "images";
inline constexpr const char* kOnnxOutput = "logits";

/// What becomes of the groups of a layer. docs/onnx.md has how fast each is.
enum class OnnxForm {
  kFastest,  ///< the one of the two that ONNX Runtime is expected to be faster with
  kWhole,    ///< one operation a layer, with weights of 0 where a group does not read
  kSplit,    ///< one operation for each group of a layer, joined where several are read
};

struct OnnxOptions {
  int width = 0;           ///< groups 1..width are exported; 0: all
  bool normalise = false;  ///< the input is values in 0..1, normalised inside as `info` says
  OnnxForm form = OnnxForm::kFastest;
};

/// The model as the bytes of an ONNX file; equal arguments give equal bytes. Normalisations are
/// folded into weights and dropout is left out, so the logits equal a Session's up to rounding.
/// Throws Error: kInvalidArgument (a width out of range, weights that do not fit, a normalisation
/// of another number of channels), kUnsupported (more than the 2 GiB that ONNX files can have).
[[nodiscard]] std::string onnx_model(const Network& network, const WeightSet& weights,
                                     const ModelInfo& info, const OnnxOptions& options = {});

/// Writes that to `path`, atomically (see AtomicFile). Throws Error(kIoError) as well.
void save_onnx_model(const std::filesystem::path& path, const Network& network,
                     const WeightSet& weights, const ModelInfo& info,
                     const OnnxOptions& options = {});

}  // namespace bellows
