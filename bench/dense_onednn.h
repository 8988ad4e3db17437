// The peer: a network as one would write it by hand with oneDNN, every layer dense and one
// primitive, with the layers, kernels, maps and channels of one width of a Bellows network.
#pragma once

#include <cstdint>
#include <dnnl.hpp>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "engine/fusion.h"

namespace bellows::bench {

/// How activations lie: in blocks of as many channels as a vector has lanes, or channels last.
/// Which of the two is faster depends on the shapes; compare with the better one.
enum class DenseLayout { kBlocked, kChannelsLast };

/// One batch size, one thread at a time. Normalisations are folded away, sums and rectifiers fused,
/// weights packed beforehand, as in Bellows. Scratch memory is made once.
class DenseNetwork {
 public:
  /// `network`: of conv (not depthwise) and linear with the batch_norm, residual sum and relu that
  /// follow them, max_pool, avg_pool, global_avg_pool, dropout and head; throws
  /// Error(kUnsupported) for anything else.
  DenseNetwork(const Network& network, int width, DenseLayout layout, int batch = 1);

  /// Runs a batch of images [C, H, W].
  void run(std::span<const float> images);

  /// Multiply-accumulates for one image.
  [[nodiscard]] std::int64_t macs() const { return macs_; }

  /// Time of every primitive in seconds, by the name of its layer.
  struct StepTime {
    std::string label;
    std::string implementation;
    double seconds = 0;
    std::int64_t macs = 0;
  };
  [[nodiscard]] std::vector<StepTime> time_steps();

 private:
  struct Step {
    std::string label;
    std::string implementation;
    std::int64_t macs = 0;
    dnnl::primitive primitive;
    std::unordered_map<int, dnnl::memory> arguments;
    std::vector<dnnl_exec_arg_t> call = {};  // the same, as oneDNN's C interface takes them
  };

  [[nodiscard]] dnnl::memory::desc map_desc(int channels, int height, int width) const;
  dnnl::memory random_memory(const dnnl::memory::desc& desc);
  dnnl::memory& memory(int tensor) { return memories_[static_cast<std::size_t>(tensor)]; }
  [[nodiscard]] dnnl::primitive_attr attributes(const Network& network, const FusedNode& fused);
  template <class PrimitiveDesc>
  void add_weighted(const Network& network, const FusedNode& fused, const PrimitiveDesc& desc,
                    int outputs, std::int64_t macs);
  void add_conv(const Network& network, const FusedNode& fused, int width);
  void add_inner_product(const Network& network, const FusedNode& fused, int outputs);
  void add_pool(const Node& node);
  void add(Step step, int src, int dst, const dnnl::memory& made);
  void execute(const Step& step);

  DenseLayout layout_;
  int batch_;
  dnnl::engine engine_{dnnl::engine::kind::cpu, 0};
  dnnl::stream stream_{engine_};
  std::vector<Step> steps_;
  std::vector<dnnl::memory> memories_;  // by tensor of the network
  std::int64_t macs_ = 0;
};

}  // namespace bellows::bench
