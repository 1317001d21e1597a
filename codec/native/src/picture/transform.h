// From quantised coefficients back to pixels (RFC 6386, section 14).
#pragma once

#include "bitstream/tokens.h"
#include "common/types.h"
#include "picture/quantization.h"

namespace vp8 {

// Adds one block's residue to its prediction. `values` are quantised, raster
// order; `end` is one past the last coded position. `steps` are the DC's and the
// ACs'.
void add_block(const std::int16_t* values, int end, const int* steps, std::uint8_t* pixels,
               std::ptrdiff_t stride);

}  // namespace vp8
