#include "layers/program_onednn.h"

#include <bellows/error.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <utility>

namespace bellows {
namespace {

// A page: keeps buffers apart for the prefetcher and lets large ones use huge pages.
constexpr std::size_t kAlignment = 4096;

std::size_t aligned(std::size_t bytes) {
  return (bytes + kAlignment - 1) / kAlignment * kAlignment;
}

// The system promises freely what the machine can never hold, and ends the program that uses it.
bool exceeds_machine(std::size_t bytes) {
  const long pages = ::sysconf(_SC_PHYS_PAGES);
  const long page_bytes = ::sysconf(_SC_PAGESIZE);
  return pages > 0 && page_bytes > 0 &&
         bytes / static_cast<std::size_t>(page_bytes) >= static_cast<std::size_t>(pages);
}

}  // namespace

BufferId BufferTable::add(std::string name, std::size_t bytes) {
  buffers_.push_back({std::move(name), bytes, nullptr});
  return static_cast<BufferId>(buffers_.size()) - 1;
}

BufferId BufferTable::add_external(std::string name, std::size_t bytes, void* address) {
  buffers_.push_back({std::move(name), bytes, address});
  return static_cast<BufferId>(buffers_.size()) - 1;
}

void BufferTable::grow(BufferId buffer, std::size_t bytes) {
  std::size_t& size = buffers_[static_cast<std::size_t>(buffer)].bytes;
  size = std::max(size, bytes);
}

std::size_t BufferTable::scratchpad_bytes() const { return aligned(buffers_[kScratchpad].bytes); }

void BufferMemory::Release::operator()(std::byte* block) const { std::free(block); }

BufferPlacement side_by_side(const BufferTable& table) {
  BufferPlacement placement;
  for (const Buffer& buffer : table.buffers()) {
    placement.offsets.push_back(placement.bytes);
    if (buffer.address == nullptr) placement.bytes += aligned(buffer.bytes);
  }
  return placement;
}

BufferPlacement overlaid(const BufferTable& table, const std::vector<Lifetime>& lifetimes) {
  const std::vector<Buffer>& buffers = table.buffers();
  std::vector<std::size_t> order;
  for (std::size_t i = 0; i < buffers.size(); ++i) {
    if (buffers[i].address == nullptr && buffers[i].bytes > 0) order.push_back(i);
  }
  std::ranges::stable_sort(order, std::greater{}, [&](std::size_t i) { return buffers[i].bytes; });
  BufferPlacement placement;
  placement.offsets.assign(buffers.size(), 0);
  std::vector<std::size_t> placed;  // by offset
  for (const std::size_t i : order) {
    std::size_t offset = 0;
    const std::size_t bytes = aligned(buffers[i].bytes);
    for (const std::size_t other : placed) {
      if (lifetimes[other].last < lifetimes[i].first ||
          lifetimes[i].last < lifetimes[other].first) {
        continue;
      }
      if (placement.offsets[other] >= offset + bytes) break;
      offset = std::max(offset, placement.offsets[other] + aligned(buffers[other].bytes));
    }
    placement.offsets[i] = offset;
    placement.bytes = std::max(placement.bytes, offset + bytes);
    placed.insert(std::ranges::upper_bound(placed, offset, {},
                                           [&](std::size_t p) { return placement.offsets[p]; }),
                  i);
  }
  return placement;
}

BufferMemory::BufferMemory(const BufferTable& table, const BufferPlacement& placement)
    : bytes_(placement.bytes) {
  if (!exceeds_machine(bytes_)) {
    block_.reset(
        static_cast<std::byte*>(std::aligned_alloc(kAlignment, std::max(bytes_, kAlignment))));
  }
  if (block_ == nullptr) {
    throw Error(
        ErrorCode::kOutOfMemory,
        "not enough memory for " + std::to_string(bytes_ >> 20) +
            " MiB of activations; use a smaller max_batch (batch size), or a smaller network");
  }
  // Zeroed because padded channels are read as zeros and nobody writes them.
  std::memset(block_.get(), 0, bytes_);
  for (std::size_t i = 0; i < table.buffers().size(); ++i) {
    void* address = table.buffers()[i].address;
    addresses_.push_back(address != nullptr ? static_cast<std::byte*>(address)
                                            : block_.get() + placement.offsets[i]);
  }
}

BoundProgram::BoundProgram(const Program& program, const BufferMemory& memory)
    : program_(&program) {
  for (const Step& step : program) {
    BoundStep bound;
    for (const Argument& argument : step.arguments) {
      void* address = memory.address(argument.view.buffer) + argument.view.offset;
      if (step.kernel) {
        bound.addresses.push_back(address);
      } else {
        memories_.emplace_back(argument.view.desc, cpu_engine(), address);
        bound.arguments.push_back({argument.index, memories_.back().get()});
      }
    }
    if (step.kernel) {
      bound.kernel = &step.kernel;
    } else {
      bound.primitive = step.primitive.primitive.get();
    }
    steps_.push_back(std::move(bound));
  }
}

void BoundProgram::run_step(const dnnl::stream& stream, std::size_t step) const {
  const BoundStep& bound = steps_[step];
  if (bound.kernel != nullptr) {
    (*bound.kernel)(bound.addresses.data());
    return;
  }
  // The C interface, because the C++ one copies the arguments into a new vector at each call.
  const dnnl_status_t status =
      dnnl_primitive_execute(bound.primitive, stream.get(),
                             static_cast<int>(bound.arguments.size()), bound.arguments.data());
  if (status != dnnl_success) {
    throw Error(ErrorCode::kUnsupported, "oneDNN failed in '" + (*program_)[step].label +
                                             "' with status " + std::to_string(status));
  }
}

}  // namespace bellows
