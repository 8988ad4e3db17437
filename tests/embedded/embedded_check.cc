// Checks that a build of the engine alone computes what it should, on the very machine (or
// emulator) it is for. Needs nothing but the engine, so that it is cross-built as easily:
//
//   embedded_check <tests/golden> [model.safetensors...]
//
// Prints one line for each claim, and the instruction set's choices; ends with 1 if one is untrue.
#include <bellows/bellows.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <exception>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "engine/model_file.h"
#include "engine/model_state.h"
#include "tests/golden_logits.h"

namespace {

using Clock = std::chrono::steady_clock;

int untrue = 0;

void claim(bool holds, const std::string& text) {
  std::cout << (holds ? "ok       " : "UNTRUE   ") << text << '\n';
  if (!holds) ++untrue;
}

bool same_bits(std::span<const float> left, std::span<const float> right) {
  return std::ranges::equal(left, right);
}

std::vector<float> logits_of_run(bellows::Session& session, std::span<const float> images,
                                 int width) {
  session.run(images, width);
  return {session.logits().begin(), session.logits().end()};
}

void check_golden_logits(const bellows::Model& model, const std::string& path) {
  const auto expected = bellows::golden::read_logits(path, model.groups(), model.classes());
  const std::vector<float> images = bellows::golden::images(model.image_elements());
  const auto classes = static_cast<std::size_t>(model.classes());
  double worst_of_batch = 0;
  double worst_of_one = 0;
  bellows::Session batch(model, {.max_batch = bellows::golden::kImages});
  bellows::Session one(model);
  for (int width = 1; width <= model.groups(); ++width) {
    const std::vector<double>& of_width = expected[static_cast<std::size_t>(width - 1)];
    const std::vector<float> together = logits_of_run(batch, images, width);
    for (std::size_t i = 0; i < of_width.size(); ++i) {
      worst_of_batch = std::max(worst_of_batch, std::abs(together[i] - of_width[i]));
    }
    for (std::size_t image = 0; image < bellows::golden::kImages; ++image) {
      const std::vector<float> alone = logits_of_run(
          one, std::span(images).subspan(image * model.image_elements(), model.image_elements()),
          width);
      for (std::size_t i = 0; i < classes; ++i) {
        worst_of_one = std::max(worst_of_one, std::abs(alone[i] - of_width[image * classes + i]));
      }
    }
  }
  claim(worst_of_batch < 1e-4, "the logits of a batch are those of the reference, up to " +
                                   std::to_string(worst_of_batch * 1e6) + "e-6");
  claim(worst_of_one < 1e-4, "the logits of single images are those of the reference, up to " +
                                 std::to_string(worst_of_one * 1e6) + "e-6");
}

void check_refining(const bellows::Model& model, int batch) {
  const std::vector<float> drawn = bellows::golden::images(model.image_elements());
  const std::span<const float> images =
      std::span(drawn).first(static_cast<std::size_t>(batch) * model.image_elements());
  bellows::Session refined(model, {.max_batch = batch});
  bellows::Session wide(model, {.max_batch = batch});
  refined.run(images, 1);
  bool equal = true;
  for (int width = 1; width <= model.groups(); ++width) {
    if (width > 1) refined.refine();
    equal = equal && same_bits(refined.logits(), logits_of_run(wide, images, width));
  }
  claim(equal, "refining equals running wide bit for bit, images " + std::to_string(batch));
}

void check_deadlines(const bellows::Model& model) {
  const std::vector<float> drawn = bellows::golden::images(model.image_elements());
  const std::span<const float> image = std::span(drawn).first(model.image_elements());
  bellows::Session session(model);
  const std::vector<float> widest = logits_of_run(session, image, model.groups());
  const int width = session.run_until(image, Clock::now() + std::chrono::hours(1));
  claim(width == model.groups() && same_bits(session.logits(), widest),
        "with time enough, the widest width answers");
  bool refused = false;
  try {
    session.run_until(image, Clock::now() - std::chrono::seconds(1));
  } catch (const bellows::Error& error) {
    refused = error.code() == bellows::ErrorCode::kDeadline;
  }
  claim(refused && same_bits(session.logits(), widest),
        "a deadline that has passed is refused, and the former answer stays");
}

std::string content(const std::filesystem::path& path) {
  std::ifstream stream(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(stream), {}};
}

void check_saving(const std::filesystem::path& path) {
  const bellows::ModelFile file = bellows::load_model(path);
  // Several of these checks may run at once.
  const std::filesystem::path copy =
      "embedded_check_copy-" + std::to_string(::getpid()) + ".safetensors";
  bellows::save_model(copy, file.network, file.weights, file.info);
  claim(content(copy) == content(path), "a model that is loaded and saved has the same bytes");
  std::filesystem::remove(copy);
}

void check_no_reference_code(const bellows::Model& model, int batch) {
  const auto plan = bellows::internal::state_of(model)->plan(batch, 1);
  std::set<std::string> implementations;
  for (const bellows::Program& program : plan->programs) {
    for (const bellows::Step& step : program) {
      implementations.insert(step.kernel ? "bellows" : step.primitive.implementation);
    }
  }
  std::string names;
  for (const std::string& name : implementations) names += ' ' + name;
  for (const std::string& step : plan->reference_steps()) std::cout << "         " << step << '\n';
  claim(plan->reference_steps().empty(),
        "no reference code, images " + std::to_string(batch) + ':' + names);
}

void check_model(const std::string& path) {
  std::cout << path << '\n';
  const auto model = bellows::Model::load(path);
  for (const int batch : {1, bellows::golden::kImages}) {
    check_refining(model, batch);
    check_no_reference_code(model, batch);
  }
  check_deadlines(model);
}

}  // namespace

int main(int argc, char** argv) try {
  const std::vector<std::string> arguments(argv + 1, argv + argc);
  if (arguments.empty()) {
    std::cerr << "usage: embedded_check <tests/golden> [model.safetensors...]\n";
    return 2;
  }
  std::cout << "channels in blocks of " << bellows::channel_block() << '\n';
  const std::filesystem::path golden = arguments[0];
  const std::string every_kind = (golden / "every_kind.safetensors").string();
  check_model(every_kind);
  check_golden_logits(bellows::Model::load(every_kind), (golden / "every_kind.logits").string());
  check_saving(every_kind);
  check_saving(golden / "tiny.safetensors");
  for (std::size_t i = 1; i < arguments.size(); ++i) check_model(arguments[i]);
  return untrue == 0 ? 0 : 1;
} catch (const std::exception& error) {
  std::cerr << "embedded_check: error: " << error.what() << '\n';
  return 1;
}
