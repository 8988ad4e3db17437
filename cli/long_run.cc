#include "cli/long_run.h"

#include <algorithm>
#include <chrono>
#include <nlohmann/json.hpp>
#include <thread>
#include <vector>

#include "cli/command.h"

namespace bellows::cli {
namespace {

std::string resume_command(const Arguments& arguments) {
  std::vector<std::string> words;
  for (const std::string& word : arguments.command()) {
    if (word != "--overwrite" && word != "--resume") words.push_back(word);
  }
  // What follows "--" is no option.
  words.insert(std::ranges::find(words, "--"), "--resume");
  return shell_line(words);
}

}  // namespace

std::string image_folder(const Arguments& arguments, const DataConfig& data) {
  const auto given = arguments.text("data");
  if (data.generated()) {
    if (given) {
      throw UsageError("--data: '" + arguments.plain()[0] +
                       "' draws its images and reads none; leave it out");
    }
    return "";
  }
  std::string folder = given.value_or(data.path);
  if (folder.empty()) {
    throw UsageError("'" + arguments.plain()[0] + "' names no images (format '" + data.format +
                     "'); give their folder with --data DIR or with the key 'data.path'");
  }
  return folder;
}

void print_stopped(const Arguments& arguments, const Ranks& ranks, double seconds,
                   Console& console) {
  const std::string command = resume_command(arguments);
  if (arguments.has("json")) {
    console.print_json(
        nlohmann::ordered_json{{"event", "stopped"}, {"seconds", seconds}, {"resume", command}});
  } else {
    console.print(std::string("stopped; go on with") +
                  (ranks.alone() ? "" : ", by the same mpirun") + ":\n  " + command);
  }
}

int patience_ms(const Ranks& ranks) {
  constexpr int kPatienceMs = 700;
  return ranks.alone() ? 0 : kPatienceMs;
}

int run_as_ranks(const std::function<int(const Ranks&)>& act) {
  const Ranks ranks = Ranks::world();
  if (ranks.alone()) return act(ranks);
  const auto give_up = [&ranks](int exit_code) {
    ranks.abandon(exit_code);
    if (!ranks.first()) std::this_thread::sleep_for(std::chrono::seconds(1));
  };
  try {
    return act(ranks);
  } catch (const UsageError&) {
    give_up(kBadUsage);
    throw;
  } catch (...) {
    give_up(kFailed);
    throw;
  }
}

}  // namespace bellows::cli
