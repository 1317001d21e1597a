// The part of a state that reading a frame needs.
#pragma once

#include <memory>

#include "bitstream/segment_map.h"
#include "common/types.h"

namespace vp8 {

// All of a state except its pictures. Between frames the saved probabilities of section
// 9.11 and the current ones are the same, so one set is enough.
struct ReadingState {
  int width = 0;
  int height = 0;
  int horizontal_scale = 0;
  int vertical_scale = 0;
  bool color_space = false;
  bool clamping_type = false;
  CodingContext context;
  std::shared_ptr<const SegmentMap> segment_map;

  int macroblock_columns() const { return (width + 15) / 16; }
  int macroblock_rows() const { return (height + 15) / 16; }
};

}  // namespace vp8
