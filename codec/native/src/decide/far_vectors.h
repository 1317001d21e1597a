// Where macroblocks come from in references that are many frames away.
//
// A search from the neighbours' vectors follows motion of a few pixels. An anchor is predicted
// from pictures up to dozens of frames away, which a pan has moved by a hundred pixels, and in
// repeating texture such as text every step leads to another wrong match. Sketches of both
// pictures show the way for little.
#pragma once

#include <array>
#include <memory>
#include <vector>

#include "parallel/thread_team.h"
#include "picture/state.h"

namespace vp8 {

class FarVectors {
 public:
  FarVectors(const State& before, const Raster& source, ThreadTeam& team);

  // In quarter pixels; whole pixels.
  MotionVector at(ReferenceFrame reference, int row, int column) const {
    const Field& field = *fields_[reference];
    return field[static_cast<std::size_t>((row >> shift_) * columns_ + (column >> shift_))];
  }

 private:
  using Field = std::vector<MotionVector>;

  int shift_;    // from macroblocks to blocks of a sketch
  int columns_;  // of blocks
  // Equal references share one.
  std::array<std::shared_ptr<Field>, kReferenceFrames> fields_;
};

}  // namespace vp8
