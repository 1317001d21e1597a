// What a frame does to the state (RFC 6386, sections 9.7 and 9.11).
#pragma once

#include "bitstream/frame_header.h"
#include "picture/state.h"

namespace vp8 {

// The state after a frame. `before` is null only for a key frame; `context` is the one
// within the frame.
SharedState next_state(const State* before, const FrameHeader& header, const CodingContext& context,
                       SharedRaster raster, std::shared_ptr<const SegmentMap> segment_map);

}  // namespace vp8
