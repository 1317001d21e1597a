// A picture with less noise, from the pictures around it.
//
// Noise of an anchor costs bits, and is passed on to pictures that have noise of their own: a
// mean over pictures is a better reference than any of them, and a cheaper one.
#pragma once

#include <vector>

#include "parallel/thread_team.h"
#include "picture/raster.h"

namespace vp8 {

// Averages each part of a picture with the same part of its neighbours, where that is found:
// `most`, in 16ths of a grey level, is the mean difference from which on a neighbour's block
// counts nothing. Nearer ones count more, as do nearer pixels. Throws
// CodecError(kInvalidArgument) for pictures of different sizes, more than 14 neighbours,
// or `most` that is not 8 to 255.
SharedRaster steady(const SharedRaster& picture, const std::vector<SharedRaster>& neighbours,
                    int most, ThreadTeam& team);

}  // namespace vp8
