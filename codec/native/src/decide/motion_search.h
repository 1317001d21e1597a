// Finding the motion vector of a block: whole pixels by absolute differences,
// then halves and quarters by the Hadamard differences of the real prediction.
#pragma once

#include <initializer_list>

#include "bitstream/motion_vectors.h"
#include "decide/block_sums.h"
#include "decide/effort.h"
#include "decide/mode_rates.h"
#include "decide/rate_distortion.h"
#include "picture/raster.h"

namespace vp8 {

// A rectangle of luma to find in a reference.
struct SearchBlock {
  const std::uint8_t* source;
  std::ptrdiff_t source_stride;
  int x;  // of its top left pixel in the frame
  int y;
  int width;  // 4, 8 or 16
  int height;
};

// A search of all whole vectors of 4x4 blocks, for pictures such as text: what is near does
// not lead to the letter that is the same.
struct SearchEverywhere {
  MotionVector centre;
  int reach_px;  // around the centre
  BlockSums sums;
  bool read;  // the sums are those around the centre
};

struct MotionSearch {
  const Plane& reference;
  const MvRates& rates;
  const Lagrangian& lagrangian;
  MvBounds bounds;  // of vectors, in quarter pixels
  MotionVector predicted;
  bool bilinear;
  SearchEverywhere* everywhere = nullptr;

  // A vector, the Hadamard difference of its prediction (the absolute difference while
  // whole pixels are searched), and the cost of both.
  struct Found {
    MotionVector mv;
    int difference;
    Cost cost;
    Cost by_whole_pixels;  // of the best whole vector
  };
  // The best vector near any of the starts, whole pixels first. Fractions are searched only
  // if those cost less than `fractions_below`.
  Found search(const SearchBlock& block, std::initializer_list<MotionVector> starts,
               const VectorEffort& effort, Cost fractions_below) const;

  // The best of these vectors, by Hadamard differences, moved by a quarter pixel at most `moves`
  // times; its cost is kNever if none of them can be coded.
  Found refine(const SearchBlock& block, std::initializer_list<MotionVector> mvs, int moves) const;

  // Hadamard difference of the block's prediction by this vector.
  int difference(const SearchBlock& block, MotionVector mv) const;

 private:
  // Vectors around one, in order of preference, and the costs of their rates alone.
  struct Around {
    MotionVector mvs[8];
    Cost own[8];
    int count = 0;
  };
  // Returns the vectors `step` quarter pixels away that may be better than `found`, without
  // those that are as close to `before`, unless that is the centre itself.
  Around look_around(const Found& found, MotionVector before, int step) const;
  // Moves by `step` quarter pixels while that pays, at most `moves` times.
  // `differences(around, centre, step, results)` measures the vectors around the centre.
  template <typename Differences>
  void descend(Differences&& differences, int step, int moves, Found& found) const;
  // Looks everywhere for a 4x4 block that is nowhere near.
  void search_everywhere(const SearchBlock& block, Found& found) const;
  bool allowed(MotionVector mv) const;
  Rate rate_of(MotionVector mv) const;
  void whole_pixel_differences(const SearchBlock& block, const Around& around,
                               int* differences) const;
  void fraction_differences(const SearchBlock& block, const Around& around, MotionVector centre,
                            int step, int* differences) const;
};

}  // namespace vp8
