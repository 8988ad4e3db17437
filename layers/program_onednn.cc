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

std::size_t BufferTable::allocated_bytes() const {
  std::size_t bytes = 0;
  for (const Buffer& buffer : buffers_) {
    if (buffer.address == nullptr) bytes += aligned(buffer.bytes);
  }
  return bytes;
}

std::size_t BufferTable::scratchpad_bytes() const { return aligned(buffers_[kScratchpad].bytes); }

void BufferMemory::Release::operator()(std::byte* block) const { std::free(block); }

BufferMemory::BufferMemory(const BufferTable& table) : bytes_(table.allocated_bytes()) {
  if (!exceeds_machine(bytes_)) {
    block_.reset(
        static_cast<std::byte*>(std::aligned_alloc(kAlignment, std::max(bytes_, kAlignment))));
  }
  if (block_ == nullptr) {
    throw Error(
        ErrorCode::kUnsupported,
        "not enough memory for " + std::to_string(bytes_ >> 20) +
            " MiB of activations; use a smaller max_batch (batch size), or a smaller network");
  }
  // Zeroed because padded channels are read as zeros and nobody writes them.
  std::memset(block_.get(), 0, bytes_);
  std::size_t offset = 0;
  for (const Buffer& buffer : table.buffers()) {
    if (buffer.address != nullptr) {
      addresses_.push_back(static_cast<std::byte*>(buffer.address));
    } else {
      addresses_.push_back(block_.get() + offset);
      offset += aligned(buffer.bytes);
    }
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

void BoundProgram::run(const dnnl::stream& stream) const {
  for (std::size_t step = 0; step < steps_.size(); ++step) run_step(stream, step);
}

}  // namespace bellows
