// The loop filters (RFC 6386, section 15).
#pragma once

#include "bitstream/macroblock_grid.h"
#include "common/types.h"
#include "kernels/kernels.h"
#include "picture/raster.h"

namespace vp8 {

struct LoopFilterSettings {
  bool simple = false;
  int level = 0;  // 0: the frame is not filtered
  int sharpness_level = 0;
  bool deltas_enabled = false;
  LoopFilterDeltas deltas;
  bool key_frame = false;
  // Level of each segment, before deltas.
  std::array<int, kMaxSegments> segment_levels{};
};

// The filter of one frame's macroblocks, with its limits computed once.
class LoopFilter {
 public:
  explicit LoopFilter(const LoopFilterSettings& settings);

  // Filters the edges left of, above and inside one macroblock. The macroblocks to the left
  // and above must be done already.
  void filter_macroblock(Raster& raster, int mb_row, int mb_col, const MacroblockInfo& info) const;
  // The same without chroma.
  void filter_macroblock_luma(Raster& raster, int mb_row, int mb_col,
                              const MacroblockInfo& info) const;

 private:
  int level_of(const MacroblockInfo& info) const {
    return levels_[info.segment][info.reference][info.y_mode];
  }

  bool simple_;
  std::uint8_t levels_[kMaxSegments][kReferenceFrames][SPLITMV + 1] = {};
  // By level, of macroblock edges and of those inside.
  EdgeLimits outer_[kMaxLoopFilterLevel + 1];
  EdgeLimits inner_[kMaxLoopFilterLevel + 1];
};

}  // namespace vp8
