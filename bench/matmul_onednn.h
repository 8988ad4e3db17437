// The machine's peak, as oneDNN reaches it: a large matrix product.
#pragma once

#include <dnnl.hpp>
#include <unordered_map>

namespace bellows::bench {

/// An f32 product of two 1024 x 1024 matrices, on as many threads as OpenMP has when it is made.
class LargeMatmul {
 public:
  LargeMatmul();
  void run();
  [[nodiscard]] static double flops() { return 2.0 * kSize * kSize * kSize; }

 private:
  static constexpr int kSize = 1024;
  dnnl::engine engine_{dnnl::engine::kind::cpu, 0};
  dnnl::stream stream_{engine_};
  dnnl::primitive matmul_;
  std::unordered_map<int, dnnl::memory> arguments_;
};

}  // namespace bellows::bench
