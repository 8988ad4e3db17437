#include "layers/program_onednn.h"
#include "training/data/random.h"

#include <bellows/error.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <limits>
#include <string>
#include <utility>
#include <vector>

namespace bellows {
namespace {

using ::testing::HasSubstr;

Desc row(int values) {
  return {{values}, dnnl::memory::data_type::f32, dnnl::memory::format_tag::a};
}

float* floats(const BufferMemory& memory, BufferId buffer) {
  return reinterpret_cast<float*>(memory.address(buffer));
}

TEST(BufferTable, GrowsBuffersAndNeverShrinksThem) {
  BufferTable table;
  const BufferId small = table.add("small", 100);
  EXPECT_NE(small, BufferTable::kScratchpad);
  const std::size_t before = side_by_side(table).bytes;
  table.grow(small, 50);
  EXPECT_EQ(side_by_side(table).bytes, before);
  table.grow(small, 1 << 20);
  EXPECT_GE(side_by_side(table).bytes, std::size_t{1} << 20);
}

TEST(BufferTable, DoesNotCountWhatOthersOwn) {
  std::vector<float> weights(1000);
  BufferTable table;
  table.add_external("weights", 4000, weights.data());
  EXPECT_EQ(side_by_side(table).bytes, 0U);
}

TEST(BufferMemory, GivesEachBufferItsOwnZeroedAlignedPlace) {
  std::vector<float> weights(8, 7.0F);
  BufferTable table;
  const std::vector<std::size_t> sizes{1, 4096, 5000, 64};
  std::vector<BufferId> buffers;
  buffers.reserve(sizes.size());
  for (const std::size_t size : sizes) buffers.push_back(table.add("buffer", size));
  const BufferId external = table.add_external("weights", 32, weights.data());
  const BufferMemory memory(table);
  EXPECT_EQ(memory.bytes(), side_by_side(table).bytes);
  EXPECT_EQ(floats(memory, external), weights.data());
  std::vector<std::pair<std::byte*, std::byte*>> places;
  for (std::size_t i = 0; i < sizes.size(); ++i) {
    std::byte* begin = memory.address(buffers[i]);
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(begin) % 64, 0U);
    EXPECT_TRUE(std::all_of(begin, begin + sizes[i], [](std::byte b) { return b == std::byte{}; }));
    places.emplace_back(begin, begin + sizes[i]);
  }
  std::sort(places.begin(), places.end());
  for (std::size_t i = 1; i < places.size(); ++i) {
    EXPECT_LE(places[i - 1].second, places[i].first);
  }
}

TEST(BufferPlacement, OverlaysOnlyWhatIsNeverInUseAtTheSameTime) {
  // Random lifetimes; the check is every pair against every other.
  data::KeyedRandom random(11);
  for (int round = 0; round < 200; ++round) {
    BufferTable table;
    std::vector<Lifetime> lifetimes(1);
    for (int i = 0; i < 12; ++i) {
      table.add("buffer", 1 + random.below(20000));
      const int first = static_cast<int>(random.below(10));
      lifetimes.push_back({first, first + static_cast<int>(random.below(4))});
    }
    const BufferPlacement placement = overlaid(table, lifetimes);
    std::size_t at_once = 0;  // the most bytes in use at any moment: nothing can do with less
    for (int moment = 0; moment < 14; ++moment) {
      std::size_t bytes = 0;
      for (std::size_t i = 1; i < lifetimes.size(); ++i) {
        if (lifetimes[i].first <= moment && moment <= lifetimes[i].last) {
          bytes += table.buffers()[i].bytes;
        }
      }
      at_once = std::max(at_once, bytes);
    }
    EXPECT_GE(placement.bytes, at_once);
    EXPECT_LE(placement.bytes, side_by_side(table).bytes);
    for (std::size_t i = 1; i < lifetimes.size(); ++i) {
      EXPECT_LE(placement.offsets[i] + table.buffers()[i].bytes, placement.bytes);
      for (std::size_t j = 1; j < i; ++j) {
        const bool apart_in_time =
            lifetimes[i].last < lifetimes[j].first || lifetimes[j].last < lifetimes[i].first;
        const bool apart_in_memory =
            placement.offsets[i] + table.buffers()[i].bytes <= placement.offsets[j] ||
            placement.offsets[j] + table.buffers()[j].bytes <= placement.offsets[i];
        EXPECT_TRUE(apart_in_time || apart_in_memory) << round << ": " << i << " and " << j;
      }
    }
  }
}

TEST(BufferPlacement, AChainOfLayersTakesTheTwoLargestNeighbours) {
  BufferTable table;
  std::vector<Lifetime> lifetimes(1);
  for (int i = 0; i < 6; ++i) {
    table.add("layer", 8192);
    lifetimes.push_back({i, i + 1});
  }
  EXPECT_EQ(overlaid(table, lifetimes).bytes, 2U * 8192);
  EXPECT_EQ(side_by_side(table).bytes, 6U * 8192);
}

TEST(BufferMemory, RefusesMoreThanTheMachineHas) {
  const auto physical = static_cast<std::size_t>(::sysconf(_SC_PHYS_PAGES)) *
                        static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  for (const std::size_t bytes : {physical, std::numeric_limits<std::size_t>::max() / 4}) {
    BufferTable table;
    table.add("huge", bytes);
    try {
      const BufferMemory memory(table);
      ADD_FAILURE() << "nothing was thrown";
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::kOutOfMemory);
      EXPECT_THAT(error.what(), HasSubstr("not enough memory"));
    }
  }
}

TEST(BoundProgram, RunsPrimitivesAndKernelsInOrderOnTheirBuffers) {
  BufferTable table;
  const BufferId a = table.add("a", 4 * sizeof(float));
  const BufferId b = table.add("b", 8 * sizeof(float));
  const View whole{row(4), a, 0};
  const View second_half{row(4), b, 4 * sizeof(float)};
  Program program;
  // b's second half = a + a; then a kernel doubles it; then a = relu of it.
  const Primitive add = binary(Binary::kAdd, row(4), row(4), row(4));
  program.push_back(
      {"add",
       add,
       {},
       {{DNNL_ARG_SRC_0, whole}, {DNNL_ARG_SRC_1, whole}, {DNNL_ARG_DST, second_half}}});
  program.push_back({"double",
                     {},
                     [](void* const* arguments) {
                       auto* values = static_cast<float*>(arguments[0]);
                       for (int i = 0; i < 4; ++i) values[i] *= 2;
                     },
                     {{0, second_half}}});
  program.push_back({"relu",
                     activation_forward(Activation::kRelu, row(4)),
                     {},
                     {{DNNL_ARG_SRC, second_half}, {DNNL_ARG_DST, whole}}});
  const BufferMemory memory(table);
  const BoundProgram bound(program, memory);
  ASSERT_EQ(bound.size(), 3U);
  const dnnl::stream stream(cpu_engine());
  const std::vector<float> start{1, -2, 0.5F, 3};
  std::copy(start.begin(), start.end(), floats(memory, a));
  bound.run(stream);
  for (std::size_t i = 0; i < 4; ++i) {
    EXPECT_EQ(floats(memory, b)[i], 0.0F);
    EXPECT_EQ(floats(memory, b)[4 + i], 4 * start[i]);
    EXPECT_EQ(floats(memory, a)[i], std::max(0.0F, 4 * start[i]));
  }
  // Step by step it is the same.
  std::copy(start.begin(), start.end(), floats(memory, a));
  bound.run_step(stream, 0);
  EXPECT_EQ(floats(memory, b)[4], 2 * start[0]);
  bound.run_step(stream, 1);
  EXPECT_EQ(floats(memory, b)[4], 4 * start[0]);
}

TEST(BoundProgram, TwoMemoriesOfOneProgramDoNotTouchEachOther) {
  BufferTable table;
  const BufferId a = table.add("a", 4 * sizeof(float));
  const View whole{row(4), a, 0};
  Program program;
  program.push_back({"double",
                     binary(Binary::kAdd, row(4), row(4), row(4)),
                     {},
                     {{DNNL_ARG_SRC_0, whole}, {DNNL_ARG_SRC_1, whole}, {DNNL_ARG_DST, whole}}});
  const BufferMemory first(table);
  const BufferMemory second(table);
  const BoundProgram in_first(program, first);
  const BoundProgram in_second(program, second);
  floats(first, a)[0] = 1;
  floats(second, a)[0] = 10;
  const dnnl::stream stream(cpu_engine());
  in_first.run(stream);
  in_first.run(stream);
  in_second.run(stream);
  EXPECT_EQ(floats(first, a)[0], 4.0F);
  EXPECT_EQ(floats(second, a)[0], 20.0F);
}

TEST(BoundProgram, NamesTheStepThatFails) {
  BufferTable table;
  const BufferId a = table.add("a", 4 * sizeof(float));
  Program program;
  // A primitive without its arguments.
  program.push_back({"conv1 group 2",
                     binary(Binary::kAdd, row(4), row(4), row(4)),
                     {},
                     {{DNNL_ARG_SRC_0, {row(4), a, 0}}}});
  const BufferMemory memory(table);
  const BoundProgram bound(program, memory);
  try {
    bound.run(dnnl::stream(cpu_engine()));
    ADD_FAILURE() << "nothing was thrown";
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("conv1 group 2"));
  }
}

bool processor_has(dnnl::cpu_isa wanted) {
  const auto bits = static_cast<unsigned>(wanted);
  return (static_cast<unsigned>(dnnl::get_effective_cpu_isa()) & bits) == bits;
}

TEST(ChannelBlock, IsAsWideAsTheVectorsOfThisProcessorOrOneBeforeAvx2) {
  // Anything narrower would run at half the speed; before AVX2 there are no fast gradients, and no
  // fast convolutions of batches, for blocks.
  const bool avx512 = processor_has(dnnl::cpu_isa::avx512_core);
  const bool avx2 = processor_has(dnnl::cpu_isa::avx2);
  EXPECT_EQ(channel_block(), avx512 ? 16 : avx2 ? 8 : 1);
  // Set by the tests every_layer_on_*, which would else prove nothing.
  const char* most = std::getenv("ONEDNN_MAX_CPU_ISA");
  if (most != nullptr && std::string(most) == "AVX2") {
    EXPECT_FALSE(avx512);
  }
  if (most != nullptr && std::string(most) == "SSE41") {
    EXPECT_FALSE(avx2);
  }
}

}  // namespace
}  // namespace bellows
