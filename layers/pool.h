// What max_pool and avg_pool have in common: a window that moves over each channel.
#pragma once

#include "layers/layer.h"

namespace bellows {

/// The window of a pooling layer. Output length = floor((length + 2 padding - kernel) / stride)
/// + 1.
class Pool : public Layer {
 public:
  [[nodiscard]] MapShape output_shape(const MapShape& src, bool src_is_input,
                                      int groups) const override;

  [[nodiscard]] Size2 kernel() const { return kernel_; }
  [[nodiscard]] Size2 stride() const { return stride_.height == 0 ? kernel_ : stride_; }
  [[nodiscard]] Size2 padding() const { return padding_; }

 protected:
  using Layer::Layer;

 private:
  void visit_own_fields(FieldVisitor& visitor) override;

  Size2 kernel_;
  Size2 stride_{0, 0};
  Size2 padding_{0, 0};
};

}  // namespace bellows
