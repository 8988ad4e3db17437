#include "layers/depthwise_gradient.h"

#include <gtest/gtest.h>

#include <chrono>
#include <cmath>
#include <random>
#include <vector>

#include "engine/threads.h"

namespace bellows {
namespace {

std::vector<float> random_values(std::size_t count, unsigned seed) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal;
  std::vector<float> values(count);
  for (float& value : values) value = normal(random);
  return values;
}

struct Gradients {
  std::vector<float> weights;
  std::vector<float> bias;
};

std::size_t product(int a, int b, int c, int d, int e) {
  return static_cast<std::size_t>(a) * static_cast<std::size_t>(b) * static_cast<std::size_t>(c) *
         static_cast<std::size_t>(d) * static_cast<std::size_t>(e);
}

struct Case {
  DepthwiseShape shape;
  std::vector<float> src;
  std::vector<float> diff;
};

Case random_case(DepthwiseShape shape) {
  const auto length = [](int src, int kernel, int stride, int padding) {
    return (src + 2 * padding - kernel) / stride + 1;
  };
  shape.dst = {
      length(shape.src.height, shape.kernel.height, shape.stride.height, shape.padding.height),
      length(shape.src.width, shape.kernel.width, shape.stride.width, shape.padding.width)};
  return {
      shape,
      random_values(
          product(shape.blocks, shape.batch, shape.src.height, shape.src.width, shape.block), 1),
      random_values(
          product(shape.blocks, shape.batch, shape.dst.height, shape.dst.width, shape.block), 2)};
}

Gradients gradients(const Case& c) {
  const DepthwiseShape& s = c.shape;
  Gradients result{
      std::vector<float>(product(s.blocks, s.kernel.height, s.kernel.width, s.block, 1), NAN),
      std::vector<float>(product(s.blocks, s.block, 1, 1, 1), NAN)};
  depthwise_weight_gradient(s, c.src.data(), c.diff.data(), result.weights.data(),
                            result.bias.data());
  return result;
}

// Every product by its definition.
std::vector<double> slow_weights(const Case& c) {
  const DepthwiseShape& s = c.shape;
  std::vector<double> result(product(s.blocks, s.kernel.height, s.kernel.width, s.block, 1), 0);
  std::size_t at = 0;
  const auto index = [&](const Size2& size, int block, int sample, int h, int w, int lane) {
    return static_cast<std::size_t>(
        (((block * s.batch + sample) * size.height + h) * size.width + w) * s.block + lane);
  };
  for (int block = 0; block < s.blocks; ++block) {
    for (int kh = 0; kh < s.kernel.height; ++kh) {
      for (int kw = 0; kw < s.kernel.width; ++kw) {
        for (int lane = 0; lane < s.block; ++lane, ++at) {
          for (int sample = 0; sample < s.batch; ++sample) {
            for (int oh = 0; oh < s.dst.height; ++oh) {
              for (int ow = 0; ow < s.dst.width; ++ow) {
                const int h = oh * s.stride.height - s.padding.height + kh;
                const int w = ow * s.stride.width - s.padding.width + kw;
                if (h < 0 || h >= s.src.height || w < 0 || w >= s.src.width) continue;
                result[at] += double{c.src[index(s.src, block, sample, h, w, lane)]} *
                              double{c.diff[index(s.dst, block, sample, oh, ow, lane)]};
              }
            }
          }
        }
      }
    }
  }
  return result;
}

TEST(DepthwiseGradient, IsTheSumOfAllProducts) {
  for (const int block : {1, 4, 8, 16}) {
    for (const int kernel : {1, 2, 3, 5, 7}) {
      for (const int stride : {1, 2, 3}) {
        for (const int padding : {0, kernel / 2, kernel}) {
          const Case c = random_case({.blocks = 2,
                                      .block = block,
                                      .batch = 3,
                                      .src = {9, 11},
                                      .kernel = {kernel, kernel},
                                      .stride = {stride, stride},
                                      .padding = {padding, padding}});
          SCOPED_TRACE(std::to_string(block) + " " + std::to_string(kernel) + " " +
                       std::to_string(stride) + " " + std::to_string(padding));
          const Gradients fast = gradients(c);
          const std::vector<double> slow = slow_weights(c);
          for (std::size_t i = 0; i < slow.size(); ++i) {
            ASSERT_NEAR(fast.weights[i], slow[i], 2e-4) << i;
          }
          for (int channel = 0; channel < 2 * block; ++channel) {
            double sum = 0;
            const int pixels = 3 * c.shape.dst.height * c.shape.dst.width;
            for (int pixel = 0; pixel < pixels; ++pixel) {
              sum += double{c.diff[static_cast<std::size_t>(
                  ((channel / block) * pixels + pixel) * block + channel % block)]};
            }
            ASSERT_NEAR(fast.bias[static_cast<std::size_t>(channel)], sum, 2e-4);
          }
        }
      }
    }
  }
}

TEST(DepthwiseGradient, WindowsAndStepsNeedNotBeSquare) {
  const Case c = random_case({.blocks = 1,
                              .block = 16,
                              .batch = 2,
                              .src = {7, 12},
                              .kernel = {5, 2},
                              .stride = {1, 3},
                              .padding = {2, 1}});
  const Gradients fast = gradients(c);
  const std::vector<double> slow = slow_weights(c);
  for (std::size_t i = 0; i < slow.size(); ++i) ASSERT_NEAR(fast.weights[i], slow[i], 2e-4);
}

TEST(DepthwiseGradient, IsTheSameBitsOnAnyNumberOfThreads) {
  const Case c = random_case({.blocks = 3,
                              .block = 16,
                              .batch = 4,
                              .src = {8, 8},
                              .kernel = {5, 5},
                              .stride = {1, 1},
                              .padding = {2, 2}});
  std::vector<float> one;
  for (const int threads : {1, 2, 5}) {
    const ThreadCount count(threads);
    const Gradients now = gradients(c);
    if (one.empty()) one = now.weights;
    EXPECT_EQ(now.weights, one) << threads;
  }
}

}  // namespace
}  // namespace bellows
