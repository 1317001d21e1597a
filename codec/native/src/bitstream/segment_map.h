// Which segment each macroblock is in (RFC 6386, section 9.3).
#pragma once

#include <memory>
#include <vector>

#include "bitstream/macroblock_grid.h"

namespace vp8 {

using SegmentMap = std::vector<std::uint8_t>;  // one segment a macroblock, raster order

// The map that a frame's macroblocks make.
std::shared_ptr<const SegmentMap> segments_of(const MacroblockGrid& macroblocks);

}  // namespace vp8
