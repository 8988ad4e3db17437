#include <bellows/bellows.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "cli/command.h"
#include "cli/numbers.h"
#include "cli/output_files.h"
#include "cli/signing.h"
#include "cli/verb.h"
#include "engine/model_file.h"
#include "engine/onnx_export.h"

namespace bellows::cli {
namespace {

using Json = nlohmann::ordered_json;

OnnxForm form_of(const Arguments& arguments) {
  const std::string name = arguments.text("form").value_or("fastest");
  if (name == "fastest") return OnnxForm::kFastest;
  if (name == "whole") return OnnxForm::kWhole;
  if (name == "split") return OnnxForm::kSplit;
  throw UsageError("--form: '" + name + "' is neither fastest, whole nor split");
}

int run_export(const Arguments& arguments, Console& console) {
  const std::string& path = arguments.plain()[0];
  const auto out = arguments.text("out");
  if (!out) throw UsageError("missing --out FILE.onnx; see bellows export --help");
  const OnnxForm form = form_of(arguments);
  const auto asked = arguments.integer("width", 1);
  // The first groups alone would do, but only the whole file tells which widths there are.
  const ModelFile file = load_model(path, std::nullopt, load_limits(arguments));
  const int width = asked.value_or(file.network.groups());
  if (width > file.network.groups()) {
    throw UsageError("--width: the model has widths 1 to " + std::to_string(file.network.groups()) +
                     ", not " + std::to_string(width));
  }
  const bool normalise = arguments.has("normalise");
  if (normalise && file.info.mean.empty()) {
    throw UsageError("--normalise: the model knows no normalisation of its input; leave it out");
  }
  check_outputs(arguments, {{"out", *out}}, {path});
  save_onnx_model(*out, file.network, file.weights, file.info,
                  {.width = width, .normalise = normalise, .form = form});
  const auto bytes = static_cast<std::int64_t>(std::filesystem::file_size(*out));
  const MapShape& input = file.network.input();
  if (arguments.has("json")) {
    console.print_json(Json{{"model", path},
                            {"onnx", *out},
                            {"width", width},
                            {"opset", kOnnxOpset},
                            {"input", {input.channels_of(1), input.height, input.width}},
                            {"classes", file.network.classes()},
                            {"normalised_inside", normalise},
                            {"file_bytes", bytes}});
    return kDone;
  }
  console.print(*out + ": width " + std::to_string(width) + " of " +
                std::to_string(file.network.groups()) + ", " + bytes_text(bytes) + "\n" + "  " +
                kOnnxInput + "  f32 [N, " + std::to_string(input.channels_of(1)) + ", " +
                std::to_string(input.height) + ", " + std::to_string(input.width) + "], " +
                (normalise || file.info.mean.empty() ? "values 0..1" : "normalised already") +
                "\n  " + kOnnxOutput + "  f32 [N, " + std::to_string(file.network.classes()) + "]");
  return kDone;
}

}  // namespace

Verb export_verb() {
  Usage usage;
  usage.verb = "export";
  usage.summary = "Write one width of a model as an ONNX file";
  usage.arguments = "MODEL --out FILE.onnx [options]";
  usage.details =
      "The file gives the logits of that width in ONNX Runtime and whatever else reads ONNX. "
      "Without\n"
      "--normalise it takes images that are normalised already, with the mean and the deviation "
      "that\n"
      "`bellows inspect MODEL` shows; with it, values in 0..1. An older FILE.onnx is replaced.";
  usage.example =
      "bellows export runs/mnist-lenet/model.safetensors --out lenet.onnx --normalise\n"
      "bellows export runs/mnist-lenet/model.safetensors --width 2 --out lenet2.onnx";
  usage.least = usage.most = 1;
  usage.wanted = "the model file (MODEL)";
  usage.options = {
      {"out", "FILE.onnx", "The file to write"},
      {"width", "K", "The width to export (default: the widest)"},
      {"normalise", "", "Normalise the input inside"},
      {"form", "F", "whole: one operation a layer; split: one a group; fastest (default): either"},
      {"json", "", "Print one JSON object"},
  };
  add_signature_options(usage);
  return {usage, run_export};
}

}  // namespace bellows::cli
