// show: a frame of a few bytes that shows a reference as it is.
#pragma once

#include "decide/frame_writer.h"

namespace vp8 {

// A frame whose macroblocks all repeat a reference: it is shown, and becomes the last
// reference; probabilities stay. Throws CodecError(kInvalidArgument) for a reference that is
// not last, golden or altref.
EncodedFrame show_reference(const SharedState& before, int reference, ThreadTeam& team);

}  // namespace vp8
