// A program: primitives and small kernels in order, over a table of buffers that are named but not
// yet in memory. Layers emit programs; a plan holds them; binding one to memory makes it runnable.
#pragma once

#include <cstddef>
#include <functional>
#include <limits>
#include <memory>
#include <string>
#include <vector>

#include "layers/adapter_onednn.h"

namespace bellows {

using BufferId = int;

/// A piece of memory that programs use.
struct Buffer {
  std::string name;
  std::size_t bytes = 0;
  /// Where it is, if somebody else owns it (weights); null: whoever binds the table allocates it.
  void* address = nullptr;
};

/// The buffers of one or several programs. One buffer is the scratchpad that all primitives share.
class BufferTable {
 public:
  BufferTable() { buffers_.push_back({"scratchpad", 0}); }

  BufferId add(std::string name, std::size_t bytes);
  BufferId add_external(std::string name, std::size_t bytes, void* address);
  /// Makes a buffer at least this large.
  void grow(BufferId buffer, std::size_t bytes);
  static constexpr BufferId kScratchpad = 0;

  [[nodiscard]] const std::vector<Buffer>& buffers() const { return buffers_; }
  /// Bytes of the scratchpad in memory.
  [[nodiscard]] std::size_t scratchpad_bytes() const;

 private:
  std::vector<Buffer> buffers_;
};

/// Where in one block of memory the buffers lie that have no address of their own.
struct BufferPlacement {
  std::vector<std::size_t> offsets;  ///< by buffer, aligned to pages
  std::size_t bytes = 0;             ///< of the block
};

/// Every buffer in a place of its own.
BufferPlacement side_by_side(const BufferTable& table);

/// When a buffer is in use: from one moment to another, both included. Never, as it is made.
struct Lifetime {
  int first = std::numeric_limits<int>::max();
  int last = std::numeric_limits<int>::min();
};

/// Buffers that are not in use at the same moment may lie in the same place. `lifetimes`: one for
/// each buffer. The largest are placed first, each as low as it fits.
BufferPlacement overlaid(const BufferTable& table, const std::vector<Lifetime>& lifetimes);

/// Memory for the buffers of a table that have no address of their own: one aligned block, zeroed.
class BufferMemory {
 public:
  /// Throws Error(kOutOfMemory).
  BufferMemory(const BufferTable& table, const BufferPlacement& placement);
  explicit BufferMemory(const BufferTable& table) : BufferMemory(table, side_by_side(table)) {}

  [[nodiscard]] std::byte* address(BufferId buffer) const {
    return addresses_[static_cast<std::size_t>(buffer)];
  }
  [[nodiscard]] std::size_t bytes() const { return bytes_; }

 private:
  struct Release {
    void operator()(std::byte* block) const;
  };
  std::unique_ptr<std::byte, Release> block_;
  std::size_t bytes_ = 0;
  std::vector<std::byte*> addresses_;
};

/// A tensor in a buffer.
struct View {
  Desc desc;
  BufferId buffer = BufferTable::kScratchpad;
  std::size_t offset = 0;  ///< bytes from the start of the buffer
};

struct Argument {
  int index;  ///< DNNL_ARG_*; ignored by kernels
  View view;
};

/// Work that oneDNN has no primitive for. Gets the addresses of the step's arguments in order.
using Kernel = std::function<void(void* const* arguments)>;

/// One primitive or one kernel.
struct Step {
  std::string label;  ///< "conv1 group 2"
  Primitive primitive;
  Kernel kernel;  ///< empty for a primitive
  std::vector<Argument> arguments;
};

using Program = std::vector<Step>;

/// A program bound to memory. Running it allocates nothing of its own and makes no primitive.
/// Not thread safe: its memory is one session's.
class BoundProgram {
 public:
  /// `program` must outlive this; `memory` must hold the table that the program was emitted for.
  BoundProgram(const Program& program, const BufferMemory& memory);

  void run(const dnnl::stream& stream) const { run(stream, 0, steps_.size()); }
  /// Steps `first` up to `end`, `end` excluded.
  void run(const dnnl::stream& stream, std::size_t first, std::size_t end) const {
    for (std::size_t step = first; step < end; ++step) run_step(stream, step);
  }
  [[nodiscard]] std::size_t size() const { return steps_.size(); }
  /// Runs one step; for timing and checking step by step.
  void run_step(const dnnl::stream& stream, std::size_t step) const;

 private:
  struct BoundStep {
    const_dnnl_primitive_t primitive = nullptr;
    std::vector<dnnl_exec_arg_t> arguments;
    const Kernel* kernel = nullptr;
    std::vector<void*> addresses;
  };
  const Program* program_;
  std::vector<dnnl::memory> memories_;
  std::vector<BoundStep> steps_;
};

}  // namespace bellows
