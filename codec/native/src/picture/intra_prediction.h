// Intra prediction (RFC 6386, section 12).
//
// Predictors read their neighbours straight from the plane being reconstructed:
//
//        C A A A A B B B B       C corner, A above, B above and right
//        L . . . .
//        L . . . .               prepare_intra_borders fills the plane's border
//        L . . . .               with the pixels outside the frame
//        L . . . .
#pragma once

#include <bit>
#include <cstring>

#include "common/types.h"
#include "picture/raster.h"

namespace vp8 {

// Writes the constants for pixels outside the frame: 127 above (corner included), 129 to
// the left.
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

// A subblock's edge (section 12.3) as one line: from the bottom of the left column up to
// the corner, pixels[4], then along the row above to its end, pixels[12]. The rest is zero.
struct SubblockEdge {
  alignas(16) std::uint8_t pixels[16];
};

// Gathers the edge of the subblock at `pixels`; `above_right` points at four
// pixels.
inline SubblockEdge subblock_edge(const std::uint8_t* pixels, std::ptrdiff_t stride,
                                  const std::uint8_t* above_right) {
  // Assembled in two registers and stored at once: a load of the whole edge right after
  // stores of single bytes would wait for all of them.
  using TwoWords = std::uint64_t __attribute__((vector_size(16)));
  const std::uint8_t* above = pixels - stride;
  const auto word = [](const std::uint8_t* bytes, int first) {
    std::uint64_t value = 0;
    for (int i = 0; i < 4; ++i) value |= std::uint64_t{bytes[i]} << (8 * (first + i));
    return value;
  };
  std::uint64_t left = 0;
  for (int i = 0; i < 4; ++i) left |= std::uint64_t{pixels[(3 - i) * stride - 1]} << (8 * i);
  const TwoWords words = {left | word(above - 1, 4), above[3] | word(above_right, 1)};
  SubblockEdge edge;
  static_assert(std::endian::native == std::endian::little);
  std::memcpy(edge.pixels, &words, sizeof edge.pixels);
  return edge;
}

// Predicts 4x4 pixels; `above_right` points at four pixels.
void predict_subblock(SubblockMode mode, std::uint8_t* pixels, std::ptrdiff_t stride,
                      const std::uint8_t* above_right);

}  // namespace vp8
