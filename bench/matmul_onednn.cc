#include "bench/matmul_onednn.h"

#include <algorithm>

namespace bellows::bench {

LargeMatmul::LargeMatmul() {
  const dnnl::memory::desc plain({kSize, kSize}, dnnl::memory::data_type::f32,
                                 dnnl::memory::format_tag::ab);
  // The second matrix as oneDNN likes it best, as weights are.
  const dnnl::memory::desc packed({kSize, kSize}, dnnl::memory::data_type::f32,
                                  dnnl::memory::format_tag::any);
#if DNNL_VERSION_MAJOR >= 3
  const dnnl::matmul::primitive_desc desc(engine_, plain, packed, plain);
#else
  const dnnl::matmul::primitive_desc desc(dnnl::matmul::desc(plain, packed, plain), engine_);
#endif
  matmul_ = dnnl::matmul(desc);
  arguments_ = {{DNNL_ARG_SRC, dnnl::memory(plain, engine_)},
                {DNNL_ARG_WEIGHTS, dnnl::memory(desc.weights_desc(), engine_)},
                {DNNL_ARG_DST, dnnl::memory(plain, engine_)}};
  for (auto& [index, memory] : arguments_) {
    std::fill_n(static_cast<float*>(memory.get_data_handle()),
                memory.get_desc().get_size() / sizeof(float), 0.5F);
  }
}

void LargeMatmul::run() { matmul_.execute(stream_, arguments_); }

}  // namespace bellows::bench
