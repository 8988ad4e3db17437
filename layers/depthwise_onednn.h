// Depthwise convolution in our layout. oneDNN has no fast depthwise convolution of blocks with
// depth, so for batches every channel block is a convolution of its own over [N, block, H, W],
// which is how a block lies in memory; all blocks share one primitive. Unblocked channels are
// convolved all at once, with the batch as depth.
#pragma once

#include "layers/conv.h"
#include "layers/forward_onednn.h"

namespace bellows {

/// Filters of `channels` padded channels, [channels, 1, 1, (1,) Kh, Kw] blocked by channel.
Desc depthwise_weights_desc(const Conv& layer, const ActivationLayout& layout, int channels);

/// How the plain filters [C, 1, Kh, Kw] of group `group` are padded.
DensePiece depthwise_piece(const Conv& layer, const ActivationLayout& layout, int group);

Window depthwise_window(const Conv& layer, const ActivationLayout& layout);

/// Channels that one primitive handles: all of a group's, or one block of a batch.
int depthwise_channels_at_once(const ActivationLayout& layout, int group);

/// The channels from `begin` of a group that one primitive handles: [N, channels, H, W], or
/// unblocked as the layout's map.
View depthwise_part(const TensorPlace& place, int group, int begin);

void emit_depthwise_forward(const Conv& layer, ForwardEmitter& emitter);

}  // namespace bellows
