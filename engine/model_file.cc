#include "engine/model_file.h"

#include <bellows/error.h>

#include <new>
#include <string>
#include <utility>

#include "engine/atomic_file.h"
#include "engine/input_file.h"
#include "engine/sha256.h"

namespace bellows {
namespace {

WeightSet read_weights(const InputFile& file, std::int64_t offset, const Network& network,
                       const std::vector<GroupFacts>& groups) {
  WeightSet weights;
  for (int group = 1; group <= network.groups(); ++group) {
    weights.add_group(network);
    const std::span<std::uint8_t> bytes = weights.group_bytes(group);
    file.read(static_cast<std::uint64_t>(offset), bytes);
    offset += static_cast<std::int64_t>(bytes.size());
    check_group(file.name(), group, groups[static_cast<std::size_t>(group - 1)], sha256_hex(bytes));
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

ModelFile load_model(const std::filesystem::path& path, std::optional<int> groups) {
  const InputFile file(path);
  const std::string& name = file.name();
  try {
    ModelHeader header = read_model_header(file);
    const int wanted = groups.value_or(header.network.groups());
    if (wanted < 1 || wanted > header.network.groups()) {
      throw Error(ErrorCode::kInvalidArgument,
                  name + ": has groups 1 to " + std::to_string(header.network.groups()) +
                      ", the first " + std::to_string(wanted) + " were asked for");
    }
    ModelFileFacts facts{header.bytes(), header.file_bytes(), std::move(header.groups)};
    Network network = wanted == header.network.groups() ? std::move(header.network)
                                                        : header.network.first_groups(wanted);
    header.info.cut_to(wanted);
    WeightSet weights = read_weights(file, facts.header_bytes, network, facts.groups);
    return {std::move(network), std::move(weights), std::move(header.info), std::move(facts)};
  } catch (const std::bad_alloc&) {
    throw Error(ErrorCode::kOutOfMemory,
                name + ": there is not enough memory for this model; load fewer groups");
  }
}

}  // namespace bellows
