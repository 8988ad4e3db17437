#include "cli/command.h"

#include <bellows/bellows.h>

#include <algorithm>
#include <exception>
#include <new>
#include <ostream>

#include "cli/table.h"
#include "cli/verb.h"

namespace bellows::cli {
namespace {

std::vector<Verb> all_verbs() {
  std::vector<Verb> verbs = {train_verb(),   evaluate_verb(), infer_verb(),
                             inspect_verb(), profile_verb(),  tune_verb(),
                             run_verb(),     search_verb(),   export_verb()};
  for (Verb& verb : growth_verbs()) verbs.push_back(std::move(verb));
  verbs.push_back(sign_verb());
  verbs.push_back(report_verb());
  for (Verb& verb : data_verbs()) verbs.push_back(std::move(verb));
  return verbs;
}

// The verbs that begin with `family` ("data"), or all.
std::string overview(const std::vector<Verb>& verbs, const std::string& family) {
  const std::string program = family.empty() ? "bellows" : "bellows " + family;
  std::string page = family.empty()
                         ? "Trains one convolutional network that runs at several widths, and runs "
                           "it at any of them.\n\n"
                         : "";
  page += "Usage:\n  " + program + " VERB [arguments]\n\nVerbs:\n";
  Table table({{"", Column::Align::kLeft}, {"", Column::Align::kLeft}});
  std::string example;
  for (const Verb& verb : verbs) {
    if (!family.empty() && !verb.usage.verb.starts_with(family + " ")) continue;
    table.add({"  " + verb.usage.verb, verb.usage.summary});
    if (example.empty()) example = verb.usage.example;
  }
  const std::string rows = table.text();
  page += rows.substr(rows.find('\n') + 1);
  page += "\n`" + program + " VERB --help` tells what a verb takes.";
  if (family.empty()) page += " `bellows --version` tells the version.";
  return page + "\n\nExample:\n  " + example.substr(0, example.find('\n')) + "\n";
}

// Splits `arguments` into verb and rest. Returns null when the help or the version was printed.
const Verb* find_verb(const std::vector<Verb>& verbs, const std::vector<std::string>& arguments,
                      std::string& typed_verb, std::size_t& rest, Console& console) {
  if (arguments.empty()) throw UsageError("missing verb; see bellows --help");
  const std::string& first = arguments[0];
  if (first == "--help" || first == "-h" || first == "help") {
    console.print(overview(verbs, ""));
    return nullptr;
  }
  if (first == "--version") {
    console.print(std::string("bellows ") + version());
    return nullptr;
  }
  std::vector<std::string> known;
  for (const Verb& verb : verbs) {
    const std::size_t space = verb.usage.verb.find(' ');
    const std::string word = verb.usage.verb.substr(0, space);
    if (std::find(known.begin(), known.end(), word) == known.end()) known.push_back(word);
    if (word != first) continue;
    typed_verb = first;
    rest = 1;
    if (space == std::string::npos) return &verb;
    if (arguments.size() == 1) {
      throw UsageError("missing verb behind '" + first + "'; see bellows " + first + " --help");
    }
    if (arguments[1] == "--help" || arguments[1] == "-h") {
      console.print(overview(verbs, first));
      return nullptr;
    }
    rest = 2;
    if (verb.usage.verb.substr(space + 1) != arguments[1]) continue;
    typed_verb = verb.usage.verb;
    return &verb;
  }
  std::string unknown = first;
  if (!typed_verb.empty()) {
    unknown = arguments[1];
    known.clear();
    for (const Verb& verb : verbs) {
      if (verb.usage.verb.starts_with(first + " ")) {
        known.push_back(verb.usage.verb.substr(first.size() + 1));
      }
    }
  }
  const auto meant = nearest(unknown, known);
  throw UsageError("unknown verb '" + unknown + "'" +
                   (meant ? " (did you mean '" + *meant + "'?)" : std::string()) +
                   "; see bellows " + (typed_verb.empty() ? "" : typed_verb + " ") + "--help");
}

}  // namespace

std::vector<std::string> command_verbs() {
  std::vector<std::string> names;
  for (const Verb& verb : all_verbs()) names.push_back(verb.usage.verb);
  return names;
}

int run_command(const std::vector<std::string>& arguments, std::ostream& out, std::ostream& err,
                const std::string& program) {
  std::string typed_verb;
  std::string input;  // the first of what the verb works on
  Console console(out, err, detect_terminal(out, err));
  const auto failed = [&](const std::string& message, int code) {
    console.note("bellows" + (typed_verb.empty() ? "" : " " + typed_verb) + ": error: " + message);
    return code;
  };
  try {
    const std::vector<Verb> verbs = all_verbs();
    std::size_t rest = 0;
    const Verb* verb = find_verb(verbs, arguments, typed_verb, rest, console);
    int code = kDone;
    if (verb != nullptr) {
      const Arguments parsed = parse_arguments(
          verb->usage, {arguments.begin() + static_cast<std::ptrdiff_t>(rest), arguments.end()},
          program);
      if (!parsed.plain().empty()) input = parsed.plain()[0];
      if (parsed.help()) {
        console.print(help_page(verb->usage));
      } else {
        code = verb->run(parsed, console);
      }
    }
    out.flush();
    if (console.broken()) return failed(kOutputProblem, kFailed);
    return code;
  } catch (const UsageError& error) {
    return failed(error.what(), kBadUsage);
  } catch (const Error& error) {
    return failed(error.what(), kFailed);
  } catch (const std::bad_alloc&) {
    return failed("not enough memory" + (input.empty() ? "" : " for '" + input + "'") +
                      "; end other programs, or ask for less at a time",
                  kFailed);
  } catch (const std::exception& error) {
    return failed(error.what(), kFailed);
  }
}

}  // namespace bellows::cli
