// decode: (state, frame) -> (state', raster).
#pragma once

#include "parallel/thread_team.h"
#include "picture/state.h"

namespace vp8 {

struct DecodedFrame {
  SharedState state;
  SharedRaster raster;  // what the frame shows, or would if it were shown
};

// `before` may be null for a key frame. A frame of no bytes repeats the last.
// Throws CodecError.
DecodedFrame decode_frame(const SharedState& before, const std::uint8_t* data, std::size_t size,
                          ThreadTeam& team);

}  // namespace vp8
