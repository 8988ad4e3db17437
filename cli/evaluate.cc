#include <bellows/bellows.h>

#include <algorithm>
#include <limits>
#include <nlohmann/json.hpp>

#include "cli/command.h"
#include "cli/evaluation_data.h"
#include "cli/layer_check_onednn.h"
#include "cli/numbers.h"
#include "cli/signing.h"
#include "cli/table.h"
#include "cli/verb.h"
#include "cli/width_report.h"
#include "engine/latency.h"
#include "engine/model_file.h"
#include "engine/model_state.h"
#include "engine/threads.h"
#include "training/evaluator.h"

namespace bellows::cli {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::size_t kLatencyImages = 16;
constexpr std::size_t kCheckedImages = 4;
constexpr double kTolerance = 1e-4;

std::vector<int> widths_wanted(const Arguments& arguments, int groups) {
  std::vector<int> widths = arguments.integers("widths", 1);
  for (const int width : widths) {
    if (width <= groups) continue;
    throw UsageError("--widths: the model has widths 1 to " + std::to_string(groups) + ", not " +
                     std::to_string(width));
  }
  if (widths.empty()) {
    for (int width = 1; width <= groups; ++width) widths.push_back(width);
  }
  std::sort(widths.begin(), widths.end());
  widths.erase(std::unique(widths.begin(), widths.end()), widths.end());
  return widths;
}

std::string confusion_table(const WidthScore& score, const std::vector<std::string>& names,
                            const Console& console) {
  const std::size_t classes = names.size();
  std::vector<Column> columns = {{"right class \\ answer", Column::Align::kLeft}};
  for (std::size_t answer = 0; answer < classes; ++answer)
    columns.push_back({std::to_string(answer)});
  columns.push_back({"right"});
  Table table(std::move(columns));
  for (std::size_t truth = 0; truth < classes; ++truth) {
    std::vector<std::string> cells;
    const std::string number = std::to_string(truth);
    cells.push_back(names[truth] == number ? number : number + " " + names[truth]);
    std::int64_t total = 0;
    for (std::size_t answer = 0; answer < classes; ++answer) {
      const std::int64_t count = score.confusion[truth * classes + answer];
      cells.push_back(count == 0 ? "." : std::to_string(count));
      total += count;
    }
    const auto right = static_cast<double>(score.confusion[truth * classes + truth]);
    cells.push_back(total == 0 ? "-" : percent_text(right / static_cast<double>(total)));
    table.add(std::move(cells));
  }
  return table.text(console.heading_begin(), console.heading_end());
}

Json confusion_json(const WidthScore& score, std::size_t classes) {
  auto rows = Json::array();
  for (std::size_t truth = 0; truth < classes; ++truth) {
    const auto begin = score.confusion.begin() + static_cast<std::ptrdiff_t>(truth * classes);
    rows.push_back(std::vector<std::int64_t>(begin, begin + static_cast<std::ptrdiff_t>(classes)));
  }
  return rows;
}

std::string check_table(const std::vector<LayerDifference>& layers, const Console& console) {
  std::vector<Column> columns = {{"layer", Column::Align::kLeft}};
  for (std::size_t width = 1; width <= layers.front().by_width.size(); ++width) {
    columns.push_back({"width " + std::to_string(width)});
  }
  Table table(std::move(columns));
  for (const LayerDifference& layer : layers) {
    std::vector<std::string> cells = {layer.layer};
    for (const double worst : layer.by_width) {
      cells.push_back(scientific_text(worst) + (worst > kTolerance ? " !" : ""));
    }
    table.add(std::move(cells));
  }
  return table.text(console.heading_begin(), console.heading_end());
}

Json check_json(const std::vector<LayerDifference>& layers, bool passed) {
  auto list = Json::array();
  for (const LayerDifference& layer : layers) {
    list.push_back({{"layer", layer.layer}, {"by_width", layer.by_width}});
  }
  return {{"tolerance", kTolerance}, {"passed", passed}, {"layers", std::move(list)}};
}

bool within_tolerance(const std::vector<LayerDifference>& layers) {
  return std::all_of(layers.begin(), layers.end(), [](const LayerDifference& layer) {
    return std::all_of(layer.by_width.begin(), layer.by_width.end(),
                       [](double worst) { return worst <= kTolerance; });
  });
}

std::vector<std::string> names_of_classes(const Model& model) {
  std::vector<std::string> names = model.class_names();
  for (int label = static_cast<int>(names.size()); label < model.classes(); ++label) {
    names.push_back(std::to_string(label));
  }
  return names;
}

int run_evaluate(const Arguments& arguments, Console& console) {
  const std::string& path = arguments.plain()[0];
  const bool json = arguments.has("json");
  const int batch = arguments.integer("batch", 1, 65536).value_or(128);
  const int threads = arguments.integer("threads", 1, 1024).value_or(available_cores());
  EvaluationRequest request;
  request.data = arguments.text("data");
  request.format = arguments.text("format");
  if (const auto split = arguments.text("split")) request.split = *split;

  const Model model = Model::load(path, model_options(arguments));
  const ModelInfo& info = internal::state_of(model)->info;
  const std::vector<int> widths = widths_wanted(arguments, model.groups());
  console.status("loading images ...", true);
  const EvaluationData data = load_evaluation_data(info, model, request);
  if (data.images.empty()) {
    throw Error(ErrorCode::kInvalidArgument,
                data.images.provenance() + ": no images to evaluate on; choose others");
  }
  // What does not fit at all is refused below, with nothing said before.
  if (!info.classes.empty() && data.images.shape().elements() == model.image_elements() &&
      data.images.classes() <= model.classes() && data.images.class_names() != info.classes) {
    console.note("bellows evaluate: warning: the classes of " + data.images.name() +
                 " have other names than those of the model");
  }

  EvaluationOptions options{.first_width = widths.front(),
                            .last_width = widths.back(),
                            .batch = batch,
                            .threads = threads};
  options.progress = [&](std::size_t done, std::size_t of) {
    if (!console.status_due()) return;
    const double share =
        static_cast<double>(done) / static_cast<double>(std::max<std::size_t>(of, 1));
    console.status("evaluating " + progress_bar(share, 30) + " " +
                   count_text(static_cast<std::int64_t>(done)) + " images");
  };
  std::vector<WidthScore> scores = evaluate(model, data.images, options);
  std::erase_if(scores, [&](const WidthScore& score) {
    return !std::binary_search(widths.begin(), widths.end(), score.width);
  });

  std::vector<WidthRow> rows;
  rows.reserve(scores.size());
  for (const WidthScore& score : scores) {
    rows.push_back({.width = score.width,
                    .cost = model.width(score.width),
                    .accuracy = score.accuracy,
                    .loss = score.loss});
  }
  const LatencyOptions latency_options;
  std::int64_t least_runs = std::numeric_limits<std::int64_t>::max();
  const bool with_latency = !arguments.has("no-latency");
  if (with_latency) {
    Session session(model, {.max_batch = 1, .threads = 1});
    std::vector<float> images;
    for (std::size_t i = 0; i < std::min(kLatencyImages, data.images.size()); ++i) {
      for (const std::uint8_t pixel : data.images.image(i)) {
        images.push_back(static_cast<float>(pixel) / 255.0F);
      }
    }
    for (WidthRow& row : rows) {
      console.status("measuring latency of width " + std::to_string(row.width) + " ...", true);
      const auto latency =
          measure_latency(session, images, model.image_elements(), {row.width}, latency_options);
      row.latency_us = latency.front().p50;
      least_runs = std::min(least_runs, latency.front().runs);
    }
  }
  std::vector<LayerDifference> layers;
  if (arguments.has("check")) {
    console.status("comparing with the reference ...", true);
    // A model keeps its weights packed for oneDNN; the reference wants them as they were.
    layers = check_layers(model, load_model(path, std::nullopt, load_limits(arguments)).weights,
                          data.images.first(kCheckedImages));
  }
  const bool passed = within_tolerance(layers);
  const std::vector<std::string> names = names_of_classes(model);

  if (json) {
    Json result = {{"model", path},
                   {"data_set", data.images.name()},
                   {"part", data.part},
                   {"images", data.images.size()},
                   {"widths", width_json(rows)}};
    if (with_latency) {
      result["latency"] = {{"statistic", "median"},
                           {"batch", 1},
                           {"threads", 1},
                           {"warm_up_runs", latency_options.warm_up_runs},
                           {"least_runs", least_runs}};
    }
    if (arguments.has("confusion")) {
      result["classes"] = names;
      for (std::size_t i = 0; i < scores.size(); ++i) {
        result["widths"][i]["confusion"] = confusion_json(scores[i], names.size());
      }
    }
    if (!layers.empty()) result["check"] = check_json(layers, passed);
    console.print_json(result);
  } else {
    console.print(path + " on " + data.images.name() + ": " +
                  count_text(static_cast<std::int64_t>(data.images.size())) + " images, " +
                  data.part + "\n");
    console.print(width_table(rows, console));
    if (with_latency) {
      console.print("Latency: one image, one thread; median of at least " +
                    std::to_string(least_runs) + " runs after " +
                    std::to_string(latency_options.warm_up_runs) + " to warm up.");
    }
    if (arguments.has("confusion")) {
      for (const WidthScore& score : scores) {
        console.print("\nWidth " + std::to_string(score.width) + ":\n" +
                      confusion_table(score, names, console));
      }
    }
    if (!layers.empty()) {
      console.print(
          "\nLargest difference between oneDNN and the reference, relative to the "
          "layer's largest value,\nin the channels that each width adds:\n" +
          check_table(layers, console));
    }
  }
  if (passed) return kDone;
  console.note("bellows evaluate: error: a layer differs from the reference by more than " +
               scientific_text(kTolerance));
  return kFailed;
}

}  // namespace

Verb evaluate_verb() {
  Usage usage;
  usage.verb = "evaluate";
  usage.summary = "Measure accuracy, cost and latency of every width";
  usage.arguments = "MODEL [options]";
  usage.details =
      "Latency is the median over single images on one thread. A data set without test images is\n"
      "measured on the images held out from training, or on all if it is not the one trained on,\n"
      "and the output says so. --check ends with exit code 1 when a layer differs from the\n"
      "reference by more than 1e-4 of its largest value.";
  usage.example =
      "bellows evaluate runs/digits-lenet/model.safetensors --confusion\n"
      "bellows evaluate runs/mnist-lenet/model.safetensors --data DATA/mnist --widths 1,4 --json";
  usage.least = usage.most = 1;
  usage.wanted = "the model file (MODEL)";
  usage.options = {
      {"data", "DIR", "Folder of the images; not needed for a model of the built-in digits"},
      {"format", "F",
       "mnist, fashion-mnist, cifar10, svhn, folder, digits, street-digits; else told by the "
       "files"},
      {"split", "PART", "test (default), validation or train"},
      {"widths", "K,..", "Only these widths"},
      {"batch", "N", "Images computed together for the accuracy (default 128)"},
      {"threads", "N", "Threads for the accuracy (default: one for each core)"},
      {"confusion", "", "Print which class was taken for which"},
      {"no-latency", "", "Do not measure the latency"},
      {"check", "", "Compare oneDNN with the reference, layer by layer, on 4 images"},
      {"json", "", "Print one JSON object"},
  };
  add_signature_options(usage);
  return {usage, run_evaluate};
}

}  // namespace bellows::cli
