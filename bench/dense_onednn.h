// The peer: a network as one would write it by hand with oneDNN, every layer dense and one
// primitive, with the layers, kernels, maps and channels of one width of a Bellows network.
#pragma once

#include <cstdint>
#include <dnnl.hpp>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "engine/network.h"

namespace bellows::bench {

/// How activations lie: in blocks of as many channels as a vector has lanes, or channels last.
/// Which of the two is faster depends on the shapes; compare with the better one.
enum class DenseLayout { kBlocked, kChannelsLast };

/// One image, one thread at a time. Normalisations are folded away, rectifiers fused, weights
/// packed beforehand, as in Bellows. Scratch memory is made once.
class DenseNetwork {
 public:
  /// `network`: a chain of conv (not depthwise), batch_norm, relu, max_pool, global_avg_pool,
  /// linear, dropout and head; throws Error(kUnsupported) for another kind.
  DenseNetwork(const Network& network, int width, DenseLayout layout);

  /// Runs one image [C, H, W].
  void run(std::span<const float> image);

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
  template <class PrimitiveDesc>
  void add_weighted(const std::string& label, const PrimitiveDesc& desc, int outputs,
                    std::int64_t macs);
  void add_conv(const Node& node, int width, bool relu);
  void add_inner_product(const Node& node, int outputs, bool relu);
  void add_pool(const Node& node);
  void add(Step step, const dnnl::memory& dst);
  void execute(const Step& step);

  DenseLayout layout_;
  dnnl::engine engine_{dnnl::engine::kind::cpu, 0};
  dnnl::stream stream_{engine_};
  std::vector<Step> steps_;
  dnnl::memory input_;
  dnnl::memory last_;  // what the next step reads
  std::int64_t macs_ = 0;
};

}  // namespace bellows::bench
