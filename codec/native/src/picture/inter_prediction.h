// Inter prediction (RFC 6386, section 18).
#pragma once

#include "common/types.h"
#include "picture/raster.h"

namespace vp8 {

// What a frame's version says of its interpolation (section 9.1).
struct InterpolationFilter {
  bool bilinear = false;
  bool full_pixel_chroma = false;

  static InterpolationFilter of_version(int version) { return {version != 0, version == 3}; }
};

// The pixels of a block displaced by a whole number of pixels, or null if some lie beyond
// the border.
inline const std::uint8_t* displaced(const Plane& reference, int x, int y, int width, int height) {
  const bool within = x >= -kRasterBorder && y >= -kRasterBorder &&
                      x + width <= reference.width + kRasterBorder &&
                      y + height <= reference.height + kRasterBorder;
  return within ? reference.at(x, y) : nullptr;
}

// Predicts `width` x `height` pixels (width 4, 8 or 16) at (x, y) displaced by whole pixels
// and eighths. The displacement may reach beyond the reference's border, where the edge
// pixels continue.
void predict_block(const Plane& reference, int x, int y, int mx, int my, int width, int height,
                   bool bilinear, std::uint8_t* target, std::ptrdiff_t target_stride);

// Predicts a luma block displaced by a vector in quarter pixels.
inline void predict_luma_block(const Plane& reference, int x, int y, MotionVector mv, int width,
                               int height, bool bilinear, std::uint8_t* target,
                               std::ptrdiff_t target_stride) {
  predict_block(reference, x + (mv.col >> 2), y + (mv.row >> 2), (mv.col & 3) * 2, (mv.row & 3) * 2,
                width, height, bilinear, target, target_stride);
}

// The vector of chroma subblock (column, row) of a SPLITMV macroblock, in eighths
// of a chroma pixel: the mean of the four luma vectors above it.
MotionVector chroma_mv_of_split(const MacroblockInfo& info, int column, int row);

// Where a macroblock's prediction goes: three planes of 16 x 16, 8 x 8, 8 x 8.
struct MacroblockPixels {
  std::uint8_t* pixels[kPlanes];
  std::ptrdiff_t stride[kPlanes];
};

inline MacroblockPixels macroblock_pixels(Raster& raster, int mb_row, int mb_col) {
  MacroblockPixels target;
  for (int i = 0; i < kPlanes; ++i) {
    const int block = i == 0 ? 16 : 8;
    const MutablePlane& plane = raster.mutable_plane(i);
    target.pixels[i] = plane.at(mb_col * block, mb_row * block);
    target.stride[i] = plane.stride;
  }
  return target;
}

void predict_inter_luma(const MacroblockInfo& info, const Raster& reference, int mb_row, int mb_col,
                        InterpolationFilter filter, const MacroblockPixels& target);
void predict_inter_chroma(const MacroblockInfo& info, const Raster& reference, int mb_row,
                          int mb_col, InterpolationFilter filter, const MacroblockPixels& target);

}  // namespace vp8
