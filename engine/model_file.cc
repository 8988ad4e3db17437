#include "engine/model_file.h"

#include <bellows/error.h>

#include <algorithm>
#include <new>
#include <string>
#include <utility>

#include "engine/atomic_file.h"
#include "engine/input_file.h"
#include "engine/number_check.h"
#include "engine/sha256.h"

namespace bellows {
namespace {

void check_bytes(const std::string& file, const Network& network,
                 const std::vector<GroupFacts>& groups, std::size_t max_bytes) {
  if (max_bytes == 0) return;
  std::int64_t weights = 0;
  for (int group = 1; group <= network.groups(); ++group) {
    weights += groups[static_cast<std::size_t>(group - 1)].bytes;
  }
  const std::size_t operations = network.operation_bytes();
  if (static_cast<std::uint64_t>(weights) + operations <= max_bytes) return;
  throw Error(ErrorCode::kOutOfMemory, file + ": has " + std::to_string(weights) +
                                           " bytes of weights, and its operations take " +
                                           std::to_string(operations) + ", max_bytes allows " +
                                           std::to_string(max_bytes) + "; load fewer groups");
}

WeightSet read_weights(const InputFile& file, std::int64_t offset, const Network& network,
                       const std::vector<GroupFacts>& groups) {
  WeightSet weights;
  for (int group = 1; group <= network.groups(); ++group) {
    weights.add_group(network);
    const std::span<std::uint8_t> bytes = weights.group_bytes(group);
    file.read(static_cast<std::uint64_t>(offset), bytes);
    offset += static_cast<std::int64_t>(bytes.size());
    check_group(file.name(), group, groups[static_cast<std::size_t>(group - 1)], sha256_hex(bytes));
    NumberCheck numbers(file.name(), network, group);
    numbers.look_at(weights.group_values(group));
    numbers.finish();
  }
  return weights;
}

}  // namespace

void save_model(const std::filesystem::path& path, const Network& network, const WeightSet& weights,
                const ModelInfo& info) {
  if (!weights.fits(network)) {
    throw Error(ErrorCode::kInvalidArgument,
                path.string() + ": cannot be saved: the weight set of " +
                    std::to_string(weights.groups()) + " groups does not fit the network of " +
                    std::to_string(network.groups()));
  }
  std::vector<std::string> hashes;
  for (int group = 1; group <= network.groups(); ++group) {
    hashes.push_back(sha256_hex(weights.group_bytes(group)));
  }
  const ModelHeader header = make_model_header(network, hashes, info, path.string());
  AtomicFile file(path);
  put_header(file, header.text);
  for (int group = 1; group <= network.groups(); ++group) file.write(weights.group_bytes(group));
  file.commit();
}

void sign_model(const std::filesystem::path& path, const std::string& secret_key,
                std::int64_t generation, const std::filesystem::path& out,
                const std::optional<std::string>& public_key, std::int64_t min_generation) {
  check_secret_key(secret_key, "the key");
  check_signature_wanted(public_key, min_generation);
  if (generation < 0) {
    throw Error(ErrorCode::kInvalidArgument,
                "the generation is " + std::to_string(generation) + ", it must be 0 or more");
  }
  const InputFile file(path);
  const ModelHeader before = read_model_header(file);
  if (public_key) require_signature(path.string(), before.signature, *public_key, min_generation);
  // Read and checked whole, so that nothing damaged is ever signed.
  const WeightSet weights = read_weights(file, before.bytes(), before.network, before.groups);
  const ModelHeader header = signed_header(before, generation, secret_key, path.string());
  // In place means the file itself, also where `path` is a link to it.
  const std::filesystem::path target = out.empty() ? std::filesystem::canonical(path) : out;
  // In its own place a model may get another key, but not become an older release.
  const bool other_key = out.empty() && before.signature &&
                         before.signature->public_key != header.signature->public_key;
  if (!other_key) check_replaced(target, header.signature, path.string());
  AtomicFile result(target);
  if (out.empty()) result.copy_permissions(target);
  put_header(result, header.text);
  for (int group = 1; group <= weights.groups(); ++group) {
    result.write(weights.group_bytes(group));
  }
  result.commit();
}

ModelFile load_model(const std::filesystem::path& path, std::optional<int> groups,
                     const LoadLimits& limits) {
  check_signature_wanted(limits.public_key, limits.min_generation);
  const InputFile file(path);
  const std::string& name = file.name();
  try {
    ModelHeader header = read_model_header(file, limits.max_bytes);
    const int wanted = groups.value_or(header.network.groups());
    if (wanted < 1 || wanted > header.network.groups()) {
      throw Error(ErrorCode::kInvalidArgument,
                  name + ": has groups 1 to " + std::to_string(header.network.groups()) +
                      ", the first " + std::to_string(wanted) + " were asked for");
    }
    if (limits.public_key) {
      require_signature(name, header.signature, *limits.public_key, limits.min_generation);
    }
    ModelFileFacts facts{header.bytes(), header.file_bytes(), std::move(header.groups),
                         std::move(header.signature)};
    Network network = wanted == header.network.groups() ? std::move(header.network)
                                                        : header.network.first_groups(wanted);
    header.info.cut_to(wanted);
    check_bytes(name, network, facts.groups, limits.max_bytes);
    WeightSet weights = read_weights(file, facts.header_bytes, network, facts.groups);
    return {std::move(network), std::move(weights), std::move(header.info), std::move(facts)};
  } catch (const std::bad_alloc&) {
    throw Error(ErrorCode::kOutOfMemory,
                name + ": there is not enough memory for this model; load fewer groups");
  }
}

}  // namespace bellows
