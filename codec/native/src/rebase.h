// rebase: (state, raster, inter frame) -> inter frame'.
#pragma once

#include "frame_writer.h"

namespace vp8 {

// Codes `frame`, which was made for the state `made_for`, again for `before`.
//
// References, vectors, segments and quantizers are taken over as they were found
// by the slow search; a macroblock may end up with a neighbour's vector, a vector
// a fraction of a pixel away or an intra mode where that is cheaper now. Residue,
// filter level and probabilities are made anew. Throws CodecError: a frame that
// cannot be read, a key or empty frame (kInvalidArgument), states or a raster of
// different sizes (kStateMismatch).
EncodedFrame rebase_frame(const SharedState& before, const SharedRaster& source,
                          const std::uint8_t* frame, std::size_t size, const SharedState& made_for);

}  // namespace vp8
