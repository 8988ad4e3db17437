// Changing model and growth files so that their checksums still hold: bytes at random never get
// past these.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

namespace bellows::fuzz {

/// Changes a text of `size` bytes in place, to at most `max_size`; returns its new length.
using MutateText =
    std::function<std::size_t(std::uint8_t* text, std::size_t size, std::size_t max_size)>;

/// The model or growth file `file` with the checksums that its content has; `file` itself where it
/// is too damaged to have any. Signatures stay as they are.
std::string with_checksums(std::string_view file);

/// Changes one thing of a model or a growth file, by `seed`: any bytes, or a value of the metadata
/// or the weights with all checksums made right again. Returns the new length.
std::size_t mutate_model(std::uint8_t* data, std::size_t size, std::size_t max_size, unsigned seed,
                         const MutateText& mutate);

}  // namespace bellows::fuzz
