// rebase: (state, raster, inter frame) -> inter frame'.
#pragma once

#include <vector>

#include "decide/effort.h"
#include "operations/chunk.h"
#include "parallel/thread_team.h"
#include "picture/state.h"

namespace vp8 {

struct RebaseSettings {
  RepeatEffort effort = kStandardRepeat;
};

// A frame to be coded again.
struct FrameToRebase {
  SharedRaster source;    // the picture it shows, before encoding
  FrameBytes frame;       // an inter frame
  const Basis* made_for;  // of the state it was made for
};

struct RebasedChunk {
  std::vector<std::vector<std::uint8_t>> frames;
  SharedState state;  // what a decoder has after the last
};

// Codes consecutive frames, which were made for one chain of states, again for the chain
// that begins with `before`.
//
// References, vectors, segments, quantizers and filter levels are kept as the slow
// search found them; a macroblock may get a neighbour's vector or an intra mode if that
// is cheaper now. Residue and probabilities are made anew.
//
// Throws CodecError, which names the frame: a frame that cannot be read, a key or empty
// frame (kInvalidArgument), states or a raster of different sizes (kStateMismatch), a
// frame that becomes too large for VP8 (kInvalidArgument).
RebasedChunk rebase_chunk(SharedState before, std::span<const FrameToRebase> chunk,
                          const RebaseSettings& settings, ThreadTeam& team);

}  // namespace vp8
