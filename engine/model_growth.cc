#include <bellows/bellows.h>

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <new>
#include <optional>
#include <string>
#include <vector>

#include "engine/atomic_file.h"
#include "engine/input_file.h"
#include "engine/model_header.h"
#include "engine/number_check.h"
#include "engine/sha256.h"

namespace bellows {
namespace {

using Path = std::filesystem::path;

// Groups are read, hashed and written in such pieces: memory is not what a large model needs here.
constexpr std::int64_t kBlockBytes = 65536;

[[noreturn]] void refuse(const std::string& file, const std::string& problem) {
  throw Error(ErrorCode::kInvalidArgument, file + ": " + problem);
}

// "group 2", "groups 2 to 4"
std::string range_text(int first, int last) {
  return first == last ? "group " + std::to_string(first)
                       : "groups " + std::to_string(first) + " to " + std::to_string(last);
}

// Returns `act()`; headers alone may be too large for a small device.
template <class Act>
auto with_enough_memory(const std::string& file, const Act& act) {
  try {
    return act();
  } catch (const std::bad_alloc&) {
    throw Error(ErrorCode::kOutOfMemory,
                file + ": there is not enough memory for its header; end other programs");
  }
}

// What is written must not take the name of what is read.
void check_result(const Path& result, const std::string& source) {
  std::error_code ignored;
  if (std::filesystem::equivalent(result, source, ignored)) {
    refuse(result.string(), "would be replaced, and '" + source +
                                "' is the same file; choose another name for the result");
  }
}

// Reads groups `first` to `last` of `network`, the first of which begins at `offset`, checks their
// hashes and numbers and appends them to `result` where there is one.
void copy_groups(const InputFile& file, std::int64_t offset, const Network& network,
                 const std::vector<GroupFacts>& groups, int first, int last, AtomicFile* result) {
  std::vector<float> block(static_cast<std::size_t>(kBlockBytes) / sizeof(float));
  for (int group = first; group <= last; ++group) {
    const GroupFacts& facts = groups[static_cast<std::size_t>(group - 1)];
    Sha256 sha256;
    NumberCheck numbers(file.name(), network, group);
    const std::int64_t end = offset + facts.bytes;
    while (offset < end) {
      const std::int64_t count = std::min(kBlockBytes, end - offset);
      const std::span<float> values =
          std::span(block).first(static_cast<std::size_t>(count) / sizeof(float));
      const std::span<std::uint8_t> part(reinterpret_cast<std::uint8_t*>(values.data()),
                                         values.size_bytes());
      file.read(static_cast<std::uint64_t>(offset), part);
      sha256.update(part);
      numbers.look_at(values);
      if (result != nullptr) result->write(part);
      offset += count;
    }
    check_group(file.name(), group, facts, sha256.hex());
    numbers.finish();
  }
}

// Fails unless the groups that both models have are the same: then the narrower is what the wider,
// of the file `wide_name`, was grown from, or has grown out of it.
void check_common_groups(const ModelHeader& model, const std::string& name, const ModelHeader& wide,
                         const std::string& wide_name) {
  const auto unlike = [&](const std::string& difference) {
    refuse(name, "is not what '" + wide_name + "' was grown from: " + difference);
  };
  const int common = std::min(model.network.groups(), wide.network.groups());
  if (model.network.classes() != wide.network.classes()) {
    unlike("it has " + std::to_string(model.network.classes()) + " classes, not " +
           std::to_string(wide.network.classes()));
  }
  if (model.network.first_groups(common).write().to_json() !=
      wide.network.first_groups(common).write().to_json()) {
    unlike("it is another network, already in " + range_text(1, common));
  }
  if (model.info.classes != wide.info.classes) unlike("its classes have other names");
  if (model.info.mean != wide.info.mean || model.info.stddev != wide.info.stddev) {
    unlike("its input is normalised otherwise");
  }
  for (std::size_t i = 0; i < static_cast<std::size_t>(common); ++i) {
    const std::string& found = model.groups[i].sha256;
    const std::string& wanted = wide.groups[i].sha256;
    if (found != wanted) {
      unlike("its group " + std::to_string(i + 1) + " has SHA-256 " + found + ", not " + wanted);
    }
  }
}

// Fails unless `model`, whose groups are those of the growth file, is as wide as that begins.
void check_width(const ModelHeader& model, const std::string& name, const GrowthHeader& growth,
                 const std::string& growth_name) {
  const int has = model.network.groups();
  const int wide = growth.model.network.groups();
  if (has == growth.base_groups) return;
  const std::string added = range_text(growth.base_groups + 1, wide);
  if (has >= wide) refuse(name, "already has " + added + " of '" + growth_name + "'");
  refuse(name, "has " + groups_text(has) + ", '" + growth_name + "' adds " + added +
                   " to a model of " + std::to_string(growth.base_groups) +
                   (has < growth.base_groups
                        ? "; apply the growth file in between first"
                        : "; make a growth file for this model with 'bellows diff'"));
}

// A signed model is only followed by one that the same key has signed, and that is not older. With
// a key asked for both must be signed by that one.
void check_signatures(const GrowthHeader& growth, const std::string& growth_name,
                      const ModelHeader& model, const std::string& name,
                      const std::optional<std::string>& public_key) {
  if (public_key) require_signature(name, model.signature, *public_key, 0);
  if (!model.signature) return;
  require_signature(growth_name, growth.model.signature, model.signature->public_key,
                    model.signature->generation);
}

GrowthFacts facts_of(const GrowthHeader& growth) {
  return {.base_groups = growth.base_groups,
          .groups = growth.model.network.groups(),
          .growth_bytes = growth.file_bytes(),
          .model_bytes = growth.model.file_bytes()};
}

}  // namespace

GrowthFacts write_growth(const std::string& wide, const std::string& base,
                         const std::string& growth, const std::optional<std::string>& public_key,
                         std::int64_t min_generation) {
  check_signature_wanted(public_key, min_generation);
  return with_enough_memory(wide, [&] {
    check_result(growth, wide);
    check_result(growth, base);
    const InputFile wide_file(wide);
    const InputFile base_file(base);
    const ModelHeader wide_header = read_model_header(wide_file);
    const ModelHeader base_header = read_model_header(base_file);
    if (public_key) {
      require_signature(wide, wide_header.signature, *public_key, min_generation);
      require_signature(base, base_header.signature, *public_key, min_generation);
    }
    check_common_groups(base_header, base, wide_header, wide);
    const int first = base_header.network.groups() + 1;
    const int last = wide_header.network.groups();
    if (first > last) {
      refuse(wide, "adds nothing to '" + base + "': it has " + groups_text(last) + ", that one " +
                       std::to_string(first - 1) +
                       (first > last + 1 ? "; name the wider model first" : ""));
    }
    copy_groups(base_file, base_header.bytes(), base_header.network, base_header.groups, 1,
                first - 1, nullptr);
    copy_groups(wide_file, wide_header.bytes(), wide_header.network, wide_header.groups, 1,
                first - 1, nullptr);
    std::int64_t offset = wide_header.bytes();
    for (std::size_t i = 0; i < base_header.groups.size(); ++i) {
      offset += wide_header.groups[i].bytes;
    }
    const GrowthHeader header = make_growth_header(wide_header, first - 1, growth);
    AtomicFile result(growth);
    put_header(result, header.text);
    copy_groups(wide_file, offset, wide_header.network, wide_header.groups, first, last, &result);
    result.commit();
    return facts_of(header);
  });
}

GrowthFacts apply_growth(const std::string& growth, const std::string& model,
                         const std::string& out, const std::optional<std::string>& public_key) {
  if (public_key) check_public_key(*public_key, "the public key");
  return with_enough_memory(model, [&] {
    const InputFile growth_file(growth);
    const InputFile model_file(model);
    const GrowthHeader growth_header = read_growth_header(growth_file);
    const ModelHeader model_header = read_model_header(model_file);
    check_common_groups(model_header, model, growth_header.model, growth);
    check_width(model_header, model, growth_header, growth);
    check_signatures(growth_header, growth, model_header, model, public_key);
    // In place means the file itself, also where `model` is a link to it.
    std::error_code unknown;
    const Path target = out.empty() ? std::filesystem::canonical(model, unknown) : Path(out);
    check_result(target, growth);
    if (!out.empty()) check_replaced(target, growth_header.model.signature, growth);

    AtomicFile result(target);
    if (out.empty()) result.copy_permissions(target);
    put_header(result, growth_header.model.text);
    copy_groups(model_file, model_header.bytes(), model_header.network, model_header.groups, 1,
                growth_header.base_groups, &result);
    copy_groups(growth_file, growth_header.bytes(), growth_header.model.network,
                growth_header.model.groups, growth_header.base_groups + 1,
                growth_header.model.network.groups(), &result);
    result.commit();
    return facts_of(growth_header);
  });
}

void trim_model(const std::string& model, int groups, const std::string& out,
                const std::optional<std::string>& public_key, std::int64_t min_generation) {
  check_signature_wanted(public_key, min_generation);
  with_enough_memory(model, [&] {
    check_result(out, model);
    const InputFile file(model);
    ModelHeader whole = read_model_header(file);
    if (public_key) require_signature(model, whole.signature, *public_key, min_generation);
    const int has = whole.network.groups();
    if (groups < 1 || groups >= has) {
      refuse(model, "has " + groups_text(has) + ", the first " + std::to_string(groups) +
                        " were asked for; " +
                        (has == 1 ? "there is nothing to take away"
                                  : "ask for 1 to " + std::to_string(has - 1)));
    }
    check_replaced(out, std::nullopt, "the trimmed model");
    whole.groups.resize(static_cast<std::size_t>(groups));
    std::vector<std::string> hashes;
    hashes.reserve(whole.groups.size());
    for (const GroupFacts& group : whole.groups) hashes.push_back(group.sha256);
    whole.info.cut_to(groups);
    const ModelHeader header =
        make_model_header(whole.network.first_groups(groups), hashes, whole.info, out);
    AtomicFile result(out);
    put_header(result, header.text);
    copy_groups(file, whole.bytes(), whole.network, whole.groups, 1, groups, &result);
    result.commit();
  });
}

}  // namespace bellows
