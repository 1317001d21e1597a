// The tokens of a whole frame in bitstream order.
#pragma once

#include <vector>

#include "macroblock_grid.h"
#include "tokens.h"

namespace vp8 {

// Visits every coded block with its context: visit(mb_row, block type, values,
// end, first position, context). Skipped macroblocks only change contexts.
template <typename Visit>
void for_each_coded_block(const MacroblockGrid& macroblocks,
                          const std::vector<MacroblockCoefficients>& coefficients, Visit&& visit) {
  std::vector<TokenContext> above(static_cast<std::size_t>(macroblocks.columns()));
  for (int row = 0; row < macroblocks.rows(); ++row) {
    TokenContext left;
    for (int column = 0; column < macroblocks.columns(); ++column) {
      const MacroblockInfo& info = macroblocks.at(row, column);
      TokenContext& up = above[static_cast<std::size_t>(column)];
      if (info.skip) {
        up.clear(info.has_y2());
        left.clear(info.has_y2());
        continue;
      }
      const MacroblockCoefficients& c =
          coefficients[static_cast<std::size_t>(row * macroblocks.columns() + column)];
      for_each_block(info.has_y2(), up, left,
                     [&](BlockType type, int block, int first, int context) {
                       visit(row, type, c.values[block], c.ends[block], first, context);
                       return c.ends[block] > first;
                     });
    }
  }
}

}  // namespace vp8
