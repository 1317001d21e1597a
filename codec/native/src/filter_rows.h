// The loop filter that runs behind reconstruction, row by row.
//
// Intra prediction reads unfiltered pixels, so a macroblock can be filtered once
// the macroblock below and to the right of it has been reconstructed. That soon,
// its pixels are still in the cache.
#pragma once

#include "loop_filter.h"
#include "raster.h"
#include "wavefront.h"

namespace vp8 {

class FilterRows {
 public:
  // All three must outlive this.
  FilterRows(Raster& raster, const MacroblockGrid& macroblocks, const LoopFilterSettings& settings)
      : raster_(raster), macroblocks_(macroblocks), settings_(settings) {}

  // To be told of every macroblock, in an order in which those to the left and
  // those above, up to one column to the right, come first.
  void reconstructed(int row, int column) const {
    if (row > 0 && column > 0) filter(row - 1, column - 1);
    if (column + 1 < macroblocks_.columns()) return;
    if (row > 0) filter(row - 1, column);
    if (row > 1) raster_.extend_row(row - 2);
    if (row + 1 < macroblocks_.rows()) return;
    for (int last = 0; last <= column; ++last) filter(row, last);
    if (row > 0) raster_.extend_row(row - 1);
    raster_.extend_row(row);
  }

 private:
  void filter(int row, int column) const {
    if (settings_.level != 0) {
      filter_macroblock(raster_, row, column, settings_, macroblocks_.at(row, column));
    }
  }

  Raster& raster_;
  const MacroblockGrid& macroblocks_;
  const LoopFilterSettings& settings_;
};

// Filters a whole frame and extends its borders.
inline void filter_frame(Raster& raster, const MacroblockGrid& macroblocks,
                         const LoopFilterSettings& settings, ThreadTeam& team) {
  const FilterRows filter(raster, macroblocks, settings);
  Wavefront wavefront(macroblocks.rows(), macroblocks.columns());
  wavefront.run(team, [&](int row) {
    int seen = 0;
    for (int column = 0; column < macroblocks.columns(); ++column) {
      wavefront.await_above(row, column, seen);
      filter.reconstructed(row, column);
      wavefront.publish(row, column);
    }
  });
}

}  // namespace vp8
