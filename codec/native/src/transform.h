// From quantised coefficients back to pixels (RFC 6386, section 14).
#pragma once

#include "quantization.h"
#include "tokens.h"
#include "types.h"

namespace vp8 {

// Adds one block's residue to its prediction. `values` are quantised, raster
// order; `end` is one past the last coded position. `steps` are the DC's and the
// ACs'.
void add_block(const std::int16_t* values, int end, const int* steps, std::uint8_t* pixels,
               std::ptrdiff_t stride);

// The same for a luma block whose DC came out of the Y2 block.
void add_block_after_y2(const std::int16_t* values, int end, std::int16_t dc, const int* steps,
                        std::uint8_t* pixels, std::ptrdiff_t stride);

// The DCs of the 16 luma blocks, from the quantised Y2 block.
void invert_y2(const std::int16_t* values, const int* steps, std::int16_t* dc_of_16_blocks);

}  // namespace vp8
