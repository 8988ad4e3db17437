#include <bellows/bellows.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <numeric>

#include "cli/command.h"
#include "cli/image_files.h"
#include "cli/numbers.h"
#include "cli/signing.h"
#include "cli/verb.h"
#include "engine/model_state.h"

namespace bellows::cli {
namespace {

using Json = nlohmann::ordered_json;

struct Answer {
  int label = 0;
  double probability = 0;
};

// The `count` most probable classes, best first.
std::vector<Answer> best_answers(std::span<const float> probabilities, int count) {
  std::vector<Answer> answers;
  for (std::size_t i = 0; i < probabilities.size(); ++i) {
    answers.push_back({static_cast<int>(i), double{probabilities[i]}});
  }
  std::stable_sort(answers.begin(), answers.end(),
                   [](const Answer& a, const Answer& b) { return a.probability > b.probability; });
  answers.resize(std::min(answers.size(), static_cast<std::size_t>(count)));
  return answers;
}

class Recogniser {
 public:
  Recogniser(const Model& model, Session session, int widest, std::optional<double> threshold,
             int top)
      : model_(model),
        session_(std::move(session)),
        widest_(widest),
        threshold_(threshold),
        top_(top) {}

  void recognise(const std::string& name, std::span<const std::uint8_t> pixels, bool json,
                 Console& console) {
    image_.resize(pixels.size());
    std::transform(pixels.begin(), pixels.end(), image_.begin(),
                   [](std::uint8_t pixel) { return static_cast<float>(pixel) / 255.0F; });
    auto widths = Json::array();
    std::string lines = printable(name) + "\n";
    for (int width = 1; width <= widest_; ++width) {
      if (width == 1) {
        session_.run(image_, 1);
      } else {
        session_.refine();
      }
      const std::vector<Answer> answers = best_answers(session_.probabilities(), top_);
      lines += "  width " + std::to_string(width) + ": " + text(answers) + "\n";
      widths.push_back({{"width", width}, {"answers", answers_json(answers)}});
      if (threshold_ && answers.front().probability >= *threshold_) break;
    }
    if (json) {
      console.print_json(Json{{"image", name}, {"widths", std::move(widths)}});
    } else {
      console.print(lines);
    }
    // Nobody reads any more: the images that are left need not be looked at.
    if (console.broken()) throw Error(ErrorCode::kIoError, kOutputProblem);
  }

 private:
  [[nodiscard]] std::string name_of(int label) const {
    const auto& names = model_.class_names();
    const auto index = static_cast<std::size_t>(label);
    return index < names.size() ? names[index] : std::to_string(label);
  }

  [[nodiscard]] std::string text(const std::vector<Answer>& answers) const {
    std::string line;
    for (const Answer& answer : answers) {
      line += (line.empty() ? "" : ", ") + printable(name_of(answer.label)) + " " +
              percent_text(answer.probability);
    }
    return line;
  }

  [[nodiscard]] Json answers_json(const std::vector<Answer>& answers) const {
    auto list = Json::array();
    for (const Answer& answer : answers) {
      list.push_back({{"label", answer.label},
                      {"class", name_of(answer.label)},
                      {"probability", answer.probability}});
    }
    return list;
  }

  const Model& model_;
  Session session_;
  int widest_;
  std::optional<double> threshold_;
  int top_;
  std::vector<float> image_;
};

int run_infer(const Arguments& arguments, Console& console) {
  const auto width = arguments.integer("width", 1);
  const auto threshold = arguments.real("threshold", 0, 1);
  const int top = arguments.integer("top", 1).value_or(1);
  const Model model = Model::load(arguments.plain()[0], model_options(arguments));
  if (width.value_or(1) > model.groups()) {
    throw UsageError("--width: the model has widths 1 to " + std::to_string(model.groups()) +
                     ", not " + std::to_string(*width));
  }
  if (top > model.classes()) {
    throw UsageError("--top: the model has " + std::to_string(model.classes()) + " classes, not " +
                     std::to_string(top));
  }
  Session session = internal::with_every_failure_an_error(arguments.plain()[0],
                                                          "the model is too large for this machine",
                                                          [&] { return Session(model); });
  Recogniser recogniser(model, std::move(session), width.value_or(model.groups()), threshold, top);
  const ImageShape shape{model.image_channels(), model.image_height(), model.image_width()};
  for (std::size_t i = 1; i < arguments.plain().size(); ++i) {
    visit_images(arguments.plain()[i], shape,
                 [&](const std::string& name, std::span<const std::uint8_t> pixels) {
                   recogniser.recognise(name, pixels, arguments.has("json"), console);
                 });
  }
  return kDone;
}

}  // namespace

Verb infer_verb() {
  Usage usage;
  usage.verb = "infer";
  usage.summary = "Recognise images, refining width by width";
  usage.arguments = "MODEL IMAGE... [options]";
  usage.details =
      "IMAGE is a PNG file, a folder of PNG files, or an idx file of images (also .gz or .xz). An\n"
      "image must have the size that the model takes; grey and colour are converted.";
  usage.example =
      "bellows infer runs/digits-lenet/model.safetensors seven.png --threshold 0.95\n"
      "bellows infer runs/mnist-lenet/model.safetensors t10k-images-idx3-ubyte.gz --json";
  usage.least = 2;
  usage.most = std::numeric_limits<int>::max();
  usage.wanted = "the model file (MODEL) and at least one image (IMAGE)";
  usage.options = {
      {"width", "K", "Stop at this width (default: the widest)"},
      {"threshold", "T",
       "Stop at the first width whose best class is at least this probable, 0..1"},
      {"top", "N", "Print the N most probable classes (default 1)"},
      {"json", "", "Print one JSON object for each image"},
  };
  add_signature_options(usage);
  return {usage, run_infer};
}

}  // namespace bellows::cli
