// Intra prediction (RFC 6386, section 12).
//
// Predictors read their neighbours straight from the plane being reconstructed:
//
//        C A A A A B B B B       C corner, A above, B above and right
//        L . . . .
//        L . . . .               what lies outside the frame is put into the
//        L . . . .               plane's border by prepare_intra_borders
//        L . . . .
#pragma once

#include "raster.h"
#include "types.h"

namespace vp8 {

// Writes the constants that stand for pixels outside the frame: 127 above
// (corner included), 129 to the left.
void prepare_intra_borders(Raster& raster);

// The four pixels right of a finished macroblock row, which the rightmost
// macroblock of the next row sees above and to its right.
void prepare_row_end(Raster& raster, int mb_row);

// Predicts a square of `size` (16 or 8) pixels. DC_PRED leaves out a side that
// is outside the frame.
void predict_intra(MacroblockMode mode, int size, std::uint8_t* pixels, std::ptrdiff_t stride,
                   bool has_above, bool has_left);

// The four pixels above and to the right of each subblock of a macroblock. Rows
// 1 to 3 of the rightmost column share those of row 0.
struct AboveRight {
  const std::uint8_t* of(int subblock) const {
    return (subblock & 3) == 3 ? pixels + 16 : pixels + subblock_offset(subblock);
  }
  std::ptrdiff_t subblock_offset(int subblock) const {
    return (subblock >> 2) * 4 * stride + (subblock & 3) * 4 + 4;
  }

  const std::uint8_t* pixels;  // the row above the macroblock, at its first column
  std::ptrdiff_t stride;
};

// Predicts 4x4 pixels; `above_right` points at four pixels.
void predict_subblock(SubblockMode mode, std::uint8_t* pixels, std::ptrdiff_t stride,
                      const std::uint8_t* above_right);

// What neighbours in a key frame take a macroblock mode's subblocks for.
SubblockMode implied_subblock_mode(MacroblockMode mode);

}  // namespace vp8
