#include <bellows/bellows.h>

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>

#include "cli/command.h"
#include "cli/numbers.h"
#include "cli/output_files.h"
#include "cli/signing.h"
#include "cli/verb.h"
#include "engine/input_file.h"
#include "engine/model_header.h"

namespace bellows::cli {
namespace {

using Json = nlohmann::ordered_json;

std::string required(const Arguments& arguments, const std::string& verb, const std::string& option,
                     const std::string& value) {
  const auto text = arguments.text(option);
  if (!text || text->empty()) {
    throw UsageError("missing --" + option + " " + value + "; see bellows " + verb + " --help");
  }
  return *text;
}

// `written`: the key of the file that was written.
Json facts_json(const char* written, const std::string& path, const GrowthFacts& facts) {
  return {{written, path},
          {"base_groups", facts.base_groups},
          {"groups", facts.groups},
          {"growth_bytes", facts.growth_bytes},
          {"model_bytes", facts.model_bytes}};
}

int run_diff(const Arguments& arguments, Console& console) {
  const std::string base = required(arguments, "diff", "base", "DEPLOYED");
  const std::string out = required(arguments, "diff", "out", "GROWTH");
  const LoadLimits limits = load_limits(arguments);
  check_outputs(arguments, {{"out", out}}, {arguments.plain()[0], base});
  const GrowthFacts facts =
      write_growth(arguments.plain()[0], base, out, limits.public_key, limits.min_generation);
  if (arguments.has("json")) {
    console.print_json(facts_json("growth", out, facts));
  } else {
    console.print(out + ": adds " + groups_text(facts.groups - facts.base_groups) +
                  " to a model of " + std::to_string(facts.base_groups) + "; " +
                  bytes_text(facts.growth_bytes) + " instead of the " +
                  bytes_text(facts.model_bytes) + " of the whole model");
  }
  return kDone;
}

int run_apply(const Arguments& arguments, Console& console) {
  const std::string& growth = arguments.plain()[0];
  const std::string& model = arguments.plain()[1];
  if (arguments.has("out")) required(arguments, "apply", "out", "FILE");
  const std::string out = arguments.text("out").value_or("");
  const GrowthFacts facts = apply_growth(growth, model, out, load_limits(arguments).public_key);
  const std::string& result = out.empty() ? model : out;
  if (arguments.has("json")) {
    console.print_json(facts_json("model", result, facts));
  } else {
    console.print(result + ": now has " + groups_text(facts.groups) + ", " +
                  std::to_string(facts.groups - facts.base_groups) + " of them new; " +
                  bytes_text(facts.model_bytes));
  }
  return kDone;
}

int run_trim(const Arguments& arguments, Console& console) {
  const std::string out = required(arguments, "trim", "out", "FILE");
  const auto width = arguments.integer("width", 1);
  if (!width) throw UsageError("missing --width K; see bellows trim --help");
  const std::string& path = arguments.plain()[0];
  const LoadLimits limits = load_limits(arguments);
  const int groups = read_model_header(InputFile(path)).network.groups();
  if (*width >= groups) {
    throw UsageError("--width: the model has " + groups_text(groups) +
                     ", of which some must go; it cannot be trimmed to " + std::to_string(*width));
  }
  trim_model(path, *width, out, limits.public_key, limits.min_generation);
  const auto bytes = static_cast<std::int64_t>(std::filesystem::file_size(out));
  if (arguments.has("json")) {
    console.print_json(Json{{"model", out}, {"groups", *width}, {"model_bytes", bytes}});
  } else {
    console.print(out + ": has " + groups_text(*width) + "; " + bytes_text(bytes));
  }
  return kDone;
}

}  // namespace

std::vector<Verb> growth_verbs() {
  Usage diff;
  diff.verb = "diff";
  diff.summary = "Write a file with the groups that a wider model adds to a deployed one";
  diff.arguments = "WIDE --base DEPLOYED --out GROWTH [options]";
  diff.details =
      "The groups of DEPLOYED must be the first ones of WIDE, byte for byte. `bellows apply` adds\n"
      "those in GROWTH where only DEPLOYED is.";
  diff.example =
      "bellows diff wide.safetensors --base deployed.safetensors --out growth.safetensors";
  diff.least = diff.most = 1;
  diff.wanted = "the wider model (WIDE)";
  diff.options = {{"base", "DEPLOYED", "The model that WIDE was grown from"},
                  {"out", "GROWTH", "The file to write"},
                  {"json", "", "Print one JSON object"}};
  add_signature_options(diff);

  Usage apply;
  apply.verb = "apply";
  apply.summary = "Add the groups of such a file to the deployed model";
  apply.arguments = "GROWTH MODEL [options]";
  apply.details =
      "MODEL becomes the wider model that `bellows diff` was given, byte for byte, at once: "
      "stopped\n"
      "at any moment it is the old one or the new one, whole. The folder needs room for the new "
      "one\n"
      "beside the old. Programs that have loaded MODEL go on with what they have.";
  apply.example = "bellows apply growth.safetensors deployed.safetensors";
  apply.least = apply.most = 2;
  apply.wanted = "a growth file (GROWTH) and the model that it is for (MODEL)";
  apply.options = {{"out", "FILE", "Write the wider model here and leave MODEL as it is"},
                   {"json", "", "Print one JSON object"},
                   // Of generations, the model's own is the least.
                   signature_options().front()};

  Usage trim;
  trim.verb = "trim";
  trim.summary = "Write a model's first groups as a smaller model";
  trim.arguments = "MODEL --width K --out FILE [options]";
  trim.details =
      "The groups keep their bytes: what `bellows diff MODEL --base FILE` writes gives\n"
      "MODEL again.";
  trim.example = "bellows trim wide.safetensors --width 2 --out narrow.safetensors";
  trim.least = trim.most = 1;
  trim.wanted = "a model file (MODEL)";
  trim.options = {{"width", "K", "The widest width to keep"},
                  {"out", "FILE", "The file to write"},
                  {"json", "", "Print one JSON object"}};
  add_signature_options(trim);

  return {{diff, run_diff}, {apply, run_apply}, {trim, run_trim}};
}

}  // namespace bellows::cli
