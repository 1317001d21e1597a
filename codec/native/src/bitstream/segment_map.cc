#include "bitstream/segment_map.h"

#include <utility>

namespace vp8 {

std::shared_ptr<const SegmentMap> segments_of(const MacroblockGrid& macroblocks) {
  SegmentMap map;
  map.reserve(static_cast<std::size_t>(macroblocks.rows() * macroblocks.columns()));
  for (int row = 0; row < macroblocks.rows(); ++row) {
    for (int column = 0; column < macroblocks.columns(); ++column) {
      map.push_back(macroblocks.at(row, column).segment);
    }
  }
  return std::make_shared<const SegmentMap>(std::move(map));
}

}  // namespace vp8
