#include "cli/signing.h"

#include <bellows/bellows.h>
#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <nlohmann/json.hpp>
#include <system_error>

#include "cli/command.h"
#include "cli/console.h"
#include "cli/verb.h"
#include "engine/input_file.h"
#include "engine/signature.h"

namespace bellows::cli {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::size_t kMostKeyBytes = 1000;
constexpr std::size_t kKeyDigits = 64;  // of a public key

// The text of a key's file without the line's end.
std::string read_key(const std::string& path) {
  const InputFile file(path);
  if (file.size() > kMostKeyBytes) {
    throw Error(ErrorCode::kInvalidArgument, path + ": is too long for a key");
  }
  std::string text(file.size(), '\0');
  file.read(0, {reinterpret_cast<std::uint8_t*>(text.data()), text.size()});
  while (!text.empty() && (text.back() == '\n' || text.back() == '\r')) text.pop_back();
  return text;
}

// Never in the place of another key, and readable for its owner only where it is secret.
void write_key(const std::string& path, const std::string& key, mode_t mode) {
  const int file = ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
  const std::string line = key + "\n";
  const bool written =
      file >= 0 && ::write(file, line.data(), line.size()) == static_cast<ssize_t>(line.size()) &&
      ::fsync(file) == 0;
  const int error = errno;
  if (file >= 0) ::close(file);
  if (written) return;
  if (file >= 0) ::unlink(path.c_str());
  throw Error(ErrorCode::kIoError,
              path + ": cannot be written: " + std::generic_category().message(error) +
                  (error == EEXIST ? "; a key is never replaced, choose another name"
                                   : "; choose another folder"));
}

int make_key(const std::string& name, const Arguments& arguments, Console& console) {
  const SigningKey key = make_signing_key();
  const std::string secret_path = name + ".secret";
  const std::string public_path = name + ".public";
  write_key(secret_path, key.secret_key, 0600);
  try {
    write_key(public_path, key.public_key, 0644);
  } catch (...) {
    ::unlink(secret_path.c_str());
    throw;
  }
  if (arguments.has("json")) {
    console.print_json(Json{{"secret_key_file", secret_path},
                            {"public_key_file", public_path},
                            {"public_key", key.public_key}});
  } else {
    console.print(secret_path + ": signs models; keep it where nobody else can read it\n" +
                  public_path + ": tells them from others: " + key.public_key);
  }
  return kDone;
}

int run_sign(const Arguments& arguments, Console& console) {
  const auto& plain = arguments.plain();
  if (const auto name = arguments.text("new-key")) {
    if (!plain.empty() || name->empty()) {
      throw UsageError("--new-key NAME makes keys and signs nothing; see bellows sign --help");
    }
    return make_key(*name, arguments, console);
  }
  if (plain.empty()) throw UsageError("missing a model file (MODEL); see bellows sign --help");
  const auto key_file = arguments.text("key");
  if (!key_file) throw UsageError("missing --key FILE; see bellows sign --help");
  const std::string key = read_key(*key_file);
  check_secret_key(key, *key_file);
  // Later is newer, without a number that somebody has to remember.
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  const std::int64_t seconds = std::chrono::duration_cast<std::chrono::seconds>(now).count();
  const std::int64_t generation = arguments.long_integer("generation", 0).value_or(seconds);
  const std::string out = arguments.text("out").value_or("");
  const LoadLimits limits = load_limits(arguments);
  sign_model(plain[0], key, generation, out, limits.public_key, limits.min_generation);
  const std::string& result = out.empty() ? plain[0] : out;
  const std::string public_key = key.substr(key.size() / 2);  // which a secret key ends in
  if (arguments.has("json")) {
    console.print_json(
        Json{{"model", result}, {"generation", generation}, {"public_key", public_key}});
  } else {
    console.print(result + ": signed by " + public_key + ", generation " +
                  std::to_string(generation));
  }
  return kDone;
}

}  // namespace

std::vector<Option> signature_options() {
  return {{"require-signature", "KEY",
           "Refuse a model that this key has not signed: its 64 digits, or a file NAME.public"},
          {"min-generation", "N", "Refuse a model whose signature is of an older generation"}};
}

void add_signature_options(Usage& usage) {
  for (Option& option : signature_options()) usage.options.push_back(std::move(option));
}

LoadLimits load_limits(const Arguments& arguments) {
  LoadLimits limits;
  if (const auto key = arguments.text("require-signature")) {
    // Never the name of a file: whoever brings a model could bring a file of that name with it.
    const bool digits = key->size() == kKeyDigits &&
                        key->find_first_not_of("0123456789abcdefABCDEF") == std::string::npos;
    limits.public_key = digits ? *key : read_key(*key);
    check_public_key(*limits.public_key, *key);
  }
  if (arguments.has("min-generation") && !arguments.has("require-signature")) {
    throw UsageError(
        "--min-generation needs --require-signature KEY: anybody can sign a model with any "
        "generation");
  }
  limits.min_generation = arguments.long_integer("min-generation", 0).value_or(0);
  return limits;
}

ModelOptions model_options(const Arguments& arguments) {
  LoadLimits limits = load_limits(arguments);
  return {.public_key = std::move(limits.public_key), .min_generation = limits.min_generation};
}

Verb sign_verb() {
  Usage usage;
  usage.verb = "sign";
  usage.summary = "Sign a model, so that devices can tell it from others and from older ones";
  usage.arguments = "MODEL --key NAME.secret [options]\n  bellows sign --new-key NAME";
  usage.details =
      "Signatures are Ed25519 over everything in the file. They are kept by `bellows diff` and\n"
      "`bellows apply`, and asked for by --require-signature of other verbs and by\n"
      "ModelOptions::public_key. A model that is signed is only replaced by `bellows apply` with "
      "one\n"
      "that the same key has signed and whose generation is not below its own.";
  usage.example =
      "bellows sign --new-key release\n"
      "bellows sign model.safetensors --key release.secret\n"
      "bellows evaluate model.safetensors --data DATA --require-signature release.public";
  usage.most = 1;
  usage.wanted = "a model file (MODEL)";
  usage.options = {
      {"key", "FILE", "The secret key to sign with"},
      {"generation", "N", "Number that rises from release to release (the time, in seconds)"},
      {"out", "FILE", "Write the signed model here and leave MODEL as it is"},
      {"new-key", "NAME", "Make a pair of keys, NAME.secret and NAME.public"},
      {"json", "", "Print one JSON object"}};
  add_signature_options(usage);
  return {usage, run_sign};
}

}  // namespace bellows::cli
