// recode: the same frame, written to follow another state that predicts the same.
#pragma once

#include <vector>

#include "operations/chunk.h"
#include "picture/state.h"

namespace vp8 {

// Writes an inter frame, made for the state of `made_for`, so that it follows `before`. The
// two states may differ in their probabilities, which most headers change; they may differ in
// segments if the frame sends its own. The frame keeps its modes, its tokens and the
// probabilities they are coded with: no pixel changes, and no token is read.
//
// Throws CodecError: a frame that cannot be read, a key or empty frame (kInvalidArgument),
// states with other references or sizes (kStateMismatch), or a probability that no header can
// bring back (kInvalidArgument; none of our encoder's).
std::vector<std::uint8_t> recode(const State& before, FrameBytes frame, const Basis& made_for);

}  // namespace vp8
