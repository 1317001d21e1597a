// Choosing the loop-filter level that brings a frame closest to its source.
#pragma once

#include "loop_filter.h"
#include "macroblock_grid.h"
#include "raster.h"

namespace vp8 {

// Tries levels around `start` on the luma of an unfiltered frame; returns the one
// with the least squared error.
int best_filter_level(const Raster& source, const Raster& unfiltered,
                      const MacroblockGrid& macroblocks, LoopFilterSettings settings, int start);

}  // namespace vp8
