// What a frame does to the state (RFC 6386, sections 9.7 and 9.11).
#pragma once

#include "frame_header.h"
#include "macroblock_grid.h"
#include "state.h"

namespace vp8 {

// The state after a frame. `before` is null only for a key frame; `context` is
// what held within the frame.
SharedState next_state(const State* before, const FrameHeader& header, const CodingContext& context,
                       SharedRaster raster, std::shared_ptr<const SegmentMap> segment_map);

// The map that a frame leaves which sends one.
std::shared_ptr<const SegmentMap> segments_of(const MacroblockGrid& macroblocks);

}  // namespace vp8
