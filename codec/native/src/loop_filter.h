// The loop filters (RFC 6386, section 15).
#pragma once

#include "macroblock_grid.h"
#include "raster.h"
#include "types.h"

namespace vp8 {

struct LoopFilterSettings {
  bool simple = false;
  int level = 0;  // 0 leaves the frame as it is
  int sharpness_level = 0;
  bool deltas_enabled = false;
  LoopFilterDeltas deltas;
  bool key_frame = false;
  // Level of each segment, before deltas.
  std::array<int, kMaxSegments> segment_levels{};
};

// The level one macroblock is filtered with, 0 to 63.
int macroblock_filter_level(const LoopFilterSettings& settings, const MacroblockInfo& info);

// Filters the edges left of, above and inside one macroblock. Those left and
// above must already be done.
void filter_macroblock(Raster& raster, int mb_row, int mb_col, const LoopFilterSettings& settings,
                       const MacroblockInfo& info);
// The same without chroma.
void filter_macroblock_luma(Raster& raster, int mb_row, int mb_col,
                            const LoopFilterSettings& settings, const MacroblockInfo& info);

}  // namespace vp8
