// Choosing the loop filter's level.
#pragma once

#include "parallel/thread_team.h"
#include "picture/loop_filter.h"

namespace vp8 {

// Returns the level (0 to 63) that brings filtered luma closest to the source. Starts at
// `settings.level` with steps of `first_step`, which are halved down to 1.
int best_filter_level(const Raster& source, const Raster& unfiltered,
                      const MacroblockGrid& macroblocks, LoopFilterSettings settings,
                      int first_step, ThreadTeam& team);

}  // namespace vp8
