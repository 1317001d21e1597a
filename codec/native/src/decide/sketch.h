// A picture in small, and how well its blocks are predicted: what a look ahead costs little
// to find out.
#pragma once

#include <memory>
#include <vector>

#include "common/frame_buffer.h"
#include "common/types.h"
#include "picture/raster.h"

namespace vp8 {

// Luma at a half or a quarter of its size, and at halves of that.
class Sketch {
 public:
  static constexpr int kBlock = 8;  // pixels of the largest level, each way

  // The halvings that suit a picture: 1 for half the size, 2 for a quarter.
  static int halvings_for(const Raster& raster);

  Sketch(const Raster& raster, int halvings);

  int width() const { return levels_[0].width; }
  int height() const { return levels_[0].height; }
  int columns() const { return levels_[0].columns; }
  int rows() const { return levels_[0].rows; }

  // Of each block, in raster order: the Hadamard difference of its best prediction from the
  // pixels beside it.
  void intra_costs(std::uint16_t* costs) const;

 private:
  friend class SketchMotion;

  // Blocks that reach over the edge see the edge's pixels repeated.
  static constexpr int kBorder = 24;

  struct Level {
    Level(int width, int height);
    std::uint8_t* at(int x, int y) { return pixels.data() + offset(x, y); }
    const std::uint8_t* at(int x, int y) const { return pixels.data() + offset(x, y); }
    std::ptrdiff_t offset(int x, int y) const { return (y + kBorder) * stride + x + kBorder; }
    void repeat_edges();

    int width;
    int height;
    int columns;  // of blocks
    int rows;
    std::ptrdiff_t stride;
    FrameBuffer pixels;
  };

  std::vector<Level> levels_;
};

// Where each block of a picture comes from in another picture of the same size, and the
// Hadamard difference of that prediction. Vectors are in quarter pixels of the sketch. Throws
// CodecError(kInvalidArgument) for sketches of different sizes.
//
// find_whole_motion() stops at whole pixels of the sketch, and does not say what they cost.
void find_motion(const Sketch& reference, const Sketch& picture, std::uint16_t* costs,
                 MotionVector* vectors);
void find_whole_motion(const Sketch& reference, const Sketch& picture, MotionVector* vectors);

}  // namespace vp8
