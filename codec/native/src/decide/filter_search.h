// Choosing the loop filter's level.
#pragma once

#include "parallel/thread_team.h"
#include "picture/reconstruct.h"

namespace vp8 {

// Returns the level (0 to 63) that brings filtered luma closest to the source. Starts at
// the header's level with steps of `first_step`, which are halved down to 1.
int best_filter_level(const Raster& source, const Raster& unfiltered,
                      const MacroblockGrid& macroblocks, FrameHeader header,
                      const CodingContext& context, int first_step, ThreadTeam& team);

// Changes the segments' level deltas so that no sum with `level` leaves 0 to 63. Decoders
// disagree about what sums outside mean: docs/spec-notes.md.
void keep_levels_in_range(int level, Segmentation& segmentation);

}  // namespace vp8
