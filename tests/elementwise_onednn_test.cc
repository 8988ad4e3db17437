#include "layers/elementwise_onednn.h"

#include <bellows/error.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <optional>
#include <unordered_map>
#include <vector>

namespace bellows {
namespace {

using ::testing::ElementsAre;

// What a kernel writes to its last argument, given the others.
std::vector<float> result_of(const Kernel& kernel, std::vector<std::vector<float>> arguments) {
  std::vector<float> result(arguments.front().size(), -77.0F);
  std::vector<void*> addresses;
  addresses.reserve(arguments.size() + 1);
  for (std::vector<float>& values : arguments) addresses.push_back(values.data());
  addresses.push_back(result.data());
  kernel(addresses.data());
  return result;
}

TEST(SumKernel, AddsAndThenRectifies) {
  const std::vector<float> left{-3, 1, 2, 5};
  const std::vector<float> right{1, -1, 2, 4};
  EXPECT_THAT(result_of(sum_kernel(Activation::kNone, 4), {left, right}), ElementsAre(-2, 0, 4, 9));
  EXPECT_THAT(result_of(sum_kernel(Activation::kRelu, 4), {left, right}), ElementsAre(0, 0, 4, 9));
  EXPECT_THAT(result_of(sum_kernel(Activation::kRelu6, 4), {left, right}), ElementsAre(0, 0, 4, 6));
}

TEST(SumKernel, MayWriteWhereItReads) {
  std::vector<float> left{1, 2};
  std::vector<float> right{3, -5};
  void* const arguments[] = {left.data(), right.data(), left.data()};
  sum_kernel(Activation::kRelu, 2)(arguments);
  EXPECT_THAT(left, ElementsAre(4, 0));
}

TEST(ProductKernel, Multiplies) {
  EXPECT_THAT(result_of(product_kernel(3), {{2, 0, -1}, {3, 5, 4}}), ElementsAre(6, 0, -4));
}

// oneDNN's primitives say what the kernels that stand in for them have to do, corners included.
class RectifierKernel : public ::testing::TestWithParam<Activation> {
 protected:
  const std::vector<float> src_{-2, -0.5F, 0, 0.5F, 3, 5.5F, 6, 6.5F, 9};
  const Desc row_{{9}, dnnl::memory::data_type::f32, dnnl::memory::format_tag::a};

  [[nodiscard]] std::vector<float> by_onednn(const Primitive& made,
                                             const std::map<int, std::vector<float>>& given,
                                             int dst) const {
    std::vector<float> result(src_.size());
    std::vector<float> scratch(made.scratchpad.get_size() / sizeof(float) + 1);
    std::unordered_map<int, dnnl::memory> arguments{
        {dst, dnnl::memory(row_, cpu_engine(), result.data())},
        {DNNL_ARG_SCRATCHPAD, dnnl::memory(made.scratchpad, cpu_engine(), scratch.data())}};
    for (const auto& [index, values] : given) {  // only read, but oneDNN has one type for both
      arguments.emplace(index, dnnl::memory(row_, cpu_engine(), const_cast<float*>(values.data())));
    }
    dnnl::stream stream(cpu_engine());
    made.primitive.execute(stream, arguments);
    stream.wait();
    return result;
  }
};

TEST_P(RectifierKernel, GivesTheValuesOfOneDnn) {
  EXPECT_EQ(result_of(activation_kernel(GetParam(), src_.size()), {src_}),
            by_onednn(activation_forward(GetParam(), row_), {{DNNL_ARG_SRC, src_}}, DNNL_ARG_DST));
}

TEST_P(RectifierKernel, GivesTheGradientsOfOneDnn) {
  std::vector<float> diff;
  for (std::size_t i = 0; i < src_.size(); ++i) diff.push_back(static_cast<float>(i) + 1);
  EXPECT_EQ(result_of(slope_kernel(GetParam(), src_.size()), {src_, diff}),
            by_onednn(activation_backward(GetParam(), row_),
                      {{DNNL_ARG_SRC, src_}, {DNNL_ARG_DIFF_DST, diff}}, DNNL_ARG_DIFF_SRC));
}

INSTANTIATE_TEST_SUITE_P(Both, RectifierKernel,
                         ::testing::Values(Activation::kRelu, Activation::kRelu6));

// A convolution as oneDNN would name it.
Primitive named(const char* implementation) {
  Primitive primitive;
  primitive.implementation = implementation;
  return primitive;
}

// Makes `with` where post-ops are asked for, else `without`.
auto maker(const std::optional<Primitive>& with, const std::optional<Primitive>& without) {
  return [with, without](const PostOps& post_ops) {
    return post_ops.addend || post_ops.activation != Activation::kNone ? with : without;
  };
}

TEST(FusedConvolution, TakesInWhatItDoesFast) {
  const FusedConvolution made = fused_convolution({.activation = Activation::kRelu6}, {},
                                                  maker(named("jit:avx2"), named("jit:avx2")));
  EXPECT_TRUE(made.fused);
}

TEST(FusedConvolution, LeavesOutWhatWouldTakeReferenceCode) {
  const Fusion rectified{.activation = Activation::kRelu};
  const FusedConvolution made =
      fused_convolution(rectified, {}, maker(named("ref:any"), named("jit:sve_512")));
  EXPECT_FALSE(made.fused);
  EXPECT_EQ(made.primitive.implementation, "jit:sve_512");
  EXPECT_FALSE(fused_convolution(rectified, {}, maker(std::nullopt, named("jit:sve_512"))).fused);
}

TEST(FusedConvolution, GivesAMatrixProductNothingButRelu) {
  const auto gemm = maker(named("gemm:ref"), named("gemm:ref"));
  EXPECT_TRUE(fused_convolution({.activation = Activation::kRelu}, {}, gemm).fused);
  EXPECT_FALSE(fused_convolution({.activation = Activation::kRelu6}, {}, gemm).fused);
  const TensorPlace addend;
  EXPECT_FALSE(fused_convolution({.addend = &addend}, {}, gemm).fused);
}

TEST(FusedConvolution, IsRefusedWhereThereIsNone) {
  EXPECT_THROW(fused_convolution({}, {}, maker(std::nullopt, std::nullopt)), Error);
}

TEST(IsReference, KnowsOneDnnsNamesOfItsReferenceCode) {
  for (const char* name : {"ref:any", "ref_int8:any", "bnorm_ref:any"}) {
    EXPECT_TRUE(is_reference(named(name))) << name;
  }
  for (const char* name : {"jit:avx2", "gemm:ref", "x64:gemm:jit", "simple_nchw:any"}) {
    EXPECT_FALSE(is_reference(named(name))) << name;
  }
}

}  // namespace
}  // namespace bellows
