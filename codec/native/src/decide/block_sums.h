// Sums of all 4x4 blocks of a reference around a macroblock.
//
// They spare most of a search for a block everywhere: the absolute difference of two blocks
// is at least the difference of their sums.
#pragma once

#include <cstdint>
#include <vector>

#include "picture/raster.h"

namespace vp8 {

// A range of whole pixels.
struct PixelRange {
  int first;
  int count;
};

class BlockSums {
 public:
  // Reads the sums of the blocks whose top left pixels are in both ranges.
  void read(const Plane& reference, PixelRange columns, PixelRange rows);

  // Of the blocks from (x, y) on to the right.
  const std::uint16_t* at(int x, int y) const {
    return sums_.data() + static_cast<std::ptrdiff_t>(y - rows_.first) * columns_.count +
           (x - columns_.first);
  }

 private:
  PixelRange columns_{};
  PixelRange rows_{};
  std::vector<std::uint16_t> sums_;
};

}  // namespace vp8
