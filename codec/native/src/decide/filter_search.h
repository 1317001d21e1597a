// Choosing the loop filter's level and sharpness.
#pragma once

#include "decide/effort.h"
#include "parallel/thread_team.h"
#include "picture/reconstruct.h"

namespace vp8 {

// Returns the header's filter with the level (0 to 63) and, if wanted, the sharpness (0 to 7) that
// bring filtered luma closest to the source. Starts at the header's.
LoopFilterHeader best_filter(const Raster& source, const Raster& unfiltered,
                             const MacroblockGrid& macroblocks, FrameHeader header,
                             const CodingContext& context, const FilterEffort& effort,
                             ThreadTeam& team);

// Changes the segments' level deltas so that no sum with `level` leaves 0 to 63. Decoders
// disagree about what sums outside mean: docs/spec-notes.md.
void keep_levels_in_range(int level, Segmentation& segmentation);

}  // namespace vp8
