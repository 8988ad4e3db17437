#include "layers/depthwise_gradient.h"

#include <algorithm>
#include <cstddef>

namespace bellows {
namespace {

// Built for several widths of vectors, of which the processor's is taken when the program starts.
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && \
    !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#define BELLOWS_FOR_EVERY_VECTOR \
  __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define BELLOWS_FOR_EVERY_VECTOR
#endif

// Sums that do not wait for each other.
constexpr int kChains = 4;

// The channels of a block, which lie anywhere. Compilers that are left to find the vectors in loops
// over lanes find them here not, and are three times as slow.
template <int Block>
struct Lanes {
  using Vector __attribute__((vector_size(Block * sizeof(float)), aligned(4), may_alias)) = float;
};
template <>
struct Lanes<1> {
  using Vector = float;
};

// Adds to `sum` the products of `count` pixels: those of `diff` follow each other, those of `src`
// are `step` floats apart.
template <int Block>
[[gnu::always_inline]] inline void add_products(const float* src, std::size_t step,
                                                const float* diff, int count, float* sum) {
  using Vector = typename Lanes<Block>::Vector;
  Vector chains[kChains] = {};
  int at = 0;
  for (; at + kChains <= count; at += kChains) {
    for (int chain = 0; chain < kChains; ++chain) {
      chains[chain] +=
          *reinterpret_cast<const Vector*>(src) * *reinterpret_cast<const Vector*>(diff);
      src += step;
      diff += Block;
    }
  }
  for (; at < count; ++at) {
    chains[0] += *reinterpret_cast<const Vector*>(src) * *reinterpret_cast<const Vector*>(diff);
    src += step;
    diff += Block;
  }
  *reinterpret_cast<Vector*>(sum) += (chains[0] + chains[1]) + (chains[2] + chains[3]);
}

// One row of the window, over one block of channels.
template <int Block>
[[gnu::always_inline]] inline void window_row(const DepthwiseShape& shape, const float* src,
                                              const float* diff, int kh, float* gradient) {
  const auto row_of = [](const float* map, const Size2& size, int sample, int row) {
    return map + (static_cast<std::size_t>(sample) * static_cast<std::size_t>(size.height) +
                  static_cast<std::size_t>(row)) *
                     static_cast<std::size_t>(size.width) * Block;
  };
  std::fill_n(gradient, shape.kernel.width * Block, 0.0F);
  const auto step = static_cast<std::size_t>(shape.stride.width) * Block;
  for (int sample = 0; sample < shape.batch; ++sample) {
    for (int oh = 0; oh < shape.dst.height; ++oh) {
      const int h = oh * shape.stride.height - shape.padding.height + kh;
      if (h < 0 || h >= shape.src.height) continue;
      const float* from = row_of(src, shape.src, sample, h);
      const float* with = row_of(diff, shape.dst, sample, oh);
      for (int kw = 0; kw < shape.kernel.width; ++kw) {
        // Places of the window in which this column lies within the map.
        const int offset = kw - shape.padding.width;
        const int stride = shape.stride.width;
        const int first = offset >= 0 ? 0 : (-offset + stride - 1) / stride;
        const int behind =
            std::min(shape.dst.width,
                     shape.src.width <= offset ? 0 : (shape.src.width - offset - 1) / stride + 1);
        if (first >= behind) continue;
        add_products<Block>(from + static_cast<std::ptrdiff_t>(first * stride + offset) * Block,
                            step, with + static_cast<std::size_t>(first) * Block, behind - first,
                            gradient + static_cast<std::size_t>(kw) * Block);
      }
    }
  }
}

BELLOWS_FOR_EVERY_VECTOR void window_row_16(const DepthwiseShape& shape, const float* src,
                                            const float* diff, int kh, float* gradient) {
  window_row<16>(shape, src, diff, kh, gradient);
}
BELLOWS_FOR_EVERY_VECTOR void window_row_8(const DepthwiseShape& shape, const float* src,
                                           const float* diff, int kh, float* gradient) {
  window_row<8>(shape, src, diff, kh, gradient);
}
void window_row_4(const DepthwiseShape& shape, const float* src, const float* diff, int kh,
                  float* gradient) {
  window_row<4>(shape, src, diff, kh, gradient);
}
void window_row_1(const DepthwiseShape& shape, const float* src, const float* diff, int kh,
                  float* gradient) {
  window_row<1>(shape, src, diff, kh, gradient);
}

void bias_gradient(const DepthwiseShape& shape, const float* diff, float* gradient) {
  std::fill_n(gradient, shape.block, 0.0F);
  const std::ptrdiff_t pixels = std::ptrdiff_t{shape.batch} * shape.dst.height * shape.dst.width;
  for (std::ptrdiff_t pixel = 0; pixel < pixels; ++pixel) {
    for (int lane = 0; lane < shape.block; ++lane) {
      gradient[lane] += diff[pixel * shape.block + lane];
    }
  }
}

}  // namespace

void depthwise_weight_gradient(const DepthwiseShape& shape, const float* src, const float* diff_dst,
                               float* diff_weights, float* diff_bias) {
  const auto run = shape.block == 16  ? window_row_16
                   : shape.block == 8 ? window_row_8
                   : shape.block == 4 ? window_row_4
                                      : window_row_1;
  const auto floats = [&](const Size2& size, int images) {
    return std::ptrdiff_t{images} * size.height * size.width * shape.block;
  };
  const std::ptrdiff_t src_block = floats(shape.src, shape.batch);
  const std::ptrdiff_t dst_block = floats(shape.dst, shape.batch);
  const std::ptrdiff_t row = std::ptrdiff_t{shape.kernel.width} * shape.block;
  // Every row of every block's window is a piece of work by itself, and no sum is shared.
#pragma omp parallel for collapse(2) schedule(static)
  for (int block = 0; block < shape.blocks; ++block) {
    for (int kh = 0; kh < shape.kernel.height; ++kh) {
      run(shape, src + block * src_block, diff_dst + block * dst_block, kh,
          diff_weights + (std::ptrdiff_t{block} * shape.kernel.height + kh) * row);
    }
  }
  if (diff_bias == nullptr) return;
  for (int block = 0; block < shape.blocks; ++block) {
    bias_gradient(shape, diff_dst + block * dst_block,
                  diff_bias + std::ptrdiff_t{block} * shape.block);
  }
}

}  // namespace bellows
