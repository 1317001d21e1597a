// decode: (state, frame) -> (state', raster).
#pragma once

#include <vector>

#include "operations/chunk.h"
#include "parallel/thread_team.h"
#include "picture/state.h"

namespace vp8 {

struct DecodedFrame {
  SharedState state;
  SharedRaster raster;  // also of a frame that is not shown
};

// Decodes consecutive frames. `before` may be null if the first is a key frame. A frame
// of no bytes repeats the last. Throws CodecError, which names the frame.
std::vector<DecodedFrame> decode_chunk(SharedState before, std::span<const FrameBytes> frames,
                                       ThreadTeam& team);

// Decodes consecutive frames and returns only the state after the last. Throws also
// CodecError(kInvalidArgument) if there is neither a state nor a frame.
SharedState advance(SharedState before, std::span<const FrameBytes> frames, ThreadTeam& team);

// What consecutive inter frames do to a state besides its references, which stay as they are:
// only headers are read. Throws CodecError, which names the frame; kInvalidArgument for a key
// frame.
SharedState skim(SharedState before, std::span<const FrameBytes> frames);

}  // namespace vp8
