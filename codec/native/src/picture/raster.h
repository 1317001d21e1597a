// The Y, U and V planes of one frame, with room around them for prediction.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>

#include "common/frame_buffer.h"
#include "common/types.h"

namespace vp8 {

// A view of one plane. `width` and `height` count whole macroblocks; pixels from
// -kRasterBorder to width + kRasterBorder - 1 (and likewise down) may be read.
template <typename Pixel>
struct BasicPlane {
  Pixel* origin;  // pixel (0, 0)
  std::ptrdiff_t stride;
  int width;
  int height;

  Pixel* at(int x, int y) const { return origin + y * stride + x; }
};
using Plane = BasicPlane<const std::uint8_t>;
using MutablePlane = BasicPlane<std::uint8_t>;

constexpr int kRasterBorder = 32;
constexpr int kPlanes = 3;  // Y, U, V

// Identifies everything in a raster that prediction can see. Different rasters have the
// same fingerprint by a chance of 2^-64, or by malice; only quality depends on it.
struct Fingerprint {
  std::uint64_t sample;  // of a few rows: nearly always different for different rasters
  std::uint64_t halves[2];

  bool operator==(const Fingerprint& other) const = default;
};

// Built by one owner, then shared as shared_ptr<const Raster> and never changed.
class Raster {
 public:
  // Pixels are uninitialised. `width` and `height` are the display size, 1 to 16383.
  Raster(int width, int height);
  Raster(const Raster&) = delete;
  Raster& operator=(const Raster&) = delete;

  int width() const { return width_; }
  int height() const { return height_; }
  int macroblock_columns() const { return (width_ + 15) / 16; }
  int macroblock_rows() const { return (height_ + 15) / 16; }
  // Size of a plane as displayed: chroma rounds up.
  int display_width(int plane) const { return plane == 0 ? width_ : (width_ + 1) / 2; }
  int display_height(int plane) const { return plane == 0 ? height_ : (height_ + 1) / 2; }

  Plane plane(int index) const {
    const MutablePlane& plane = planes_[index];
    return {plane.origin, plane.stride, plane.width, plane.height};
  }
  const MutablePlane& mutable_plane(int index) { return planes_[index]; }

  // Copies in a plane of display size and repeats its last column and row to the end of the
  // last macroblock.
  void load_plane(int index, const std::uint8_t* source, std::ptrdiff_t source_stride);

  // Whether every plane was loaded, so that edges are repeated.
  bool has_repeated_edges() const { return loaded_planes_ == 7; }

  // Repeats the edge pixels of a macroblock row into the border, for prediction beyond the
  // frame (section 5).
  void extend_row(int mb_row);

  // Equality of everything prediction can see.
  bool operator==(const Raster& other) const;

  // Only for a raster that does not change any more. The first call computes it.
  Fingerprint fingerprint() const;
  // Whether that is its fingerprint. Compares the sample first, which takes only a few
  // rows.
  bool has(const Fingerprint& fingerprint) const;

 private:
  std::uint64_t sample() const;

  int width_;
  int height_;
  int loaded_planes_ = 0;  // a bit for each
  FrameBuffer pixels_;
  MutablePlane planes_[kPlanes];
  mutable std::once_flag fingerprinted_;
  mutable Fingerprint fingerprint_;
};

using SharedRaster = std::shared_ptr<const Raster>;

// Equality of the pixels that are displayed.
bool same_picture(const Raster& a, const Raster& b);

// The same picture with its last column and row repeated to the end of the last macroblock.
// A decoded raster has arbitrary pixels there, which must not decide how its picture is
// encoded.
SharedRaster with_repeated_edges(const SharedRaster& raster);

}  // namespace vp8
