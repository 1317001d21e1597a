// Choosing the probabilities of a frame from what it is about to code.
#pragma once

#include <vector>

#include "frame_header.h"
#include "macroblock_grid.h"
#include "tokens.h"

namespace vp8 {

// Sets the header's probabilities and brings `context.entropy` (as it was before
// the frame) to what codes these macroblocks in the fewest bits, updates included.
void choose_probabilities(FrameHeader& header, CodingContext& context,
                          const MacroblockGrid& macroblocks,
                          const std::vector<MacroblockCoefficients>& coefficients);

}  // namespace vp8
