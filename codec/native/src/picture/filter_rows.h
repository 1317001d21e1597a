// The loop filter that runs behind reconstruction, row by row.
//
// Intra prediction reads unfiltered pixels, so a macroblock can be filtered once
// the macroblock below and to the right of it has been reconstructed. That soon,
// its pixels are still in the cache.
#pragma once

#include <algorithm>

#include "parallel/wavefront.h"
#include "picture/loop_filter.h"
#include "picture/raster.h"

namespace vp8 {

class FilterRows {
 public:
  // The first two must outlive this. With several threads, a row is filtered as many rows
  // behind as there are threads: then it is the turn of the thread that reconstructed it,
  // which has it in its cache.
  FilterRows(Raster& raster, const MacroblockGrid& macroblocks, const LoopFilterSettings& settings,
             const ThreadTeam& team)
      : raster_(raster), macroblocks_(macroblocks), filter_(settings), behind_(team.size()) {}

  // Callers report every macroblock here, after those to its left and those above, up to
  // one column to the right.
  void reconstructed(int row, int column) const {
    const int filtered = row - behind_;
    if (filtered >= 0 && column > 0) filter(filtered, column - 1);
    if (column + 1 < macroblocks_.columns()) return;
    if (filtered >= 0) end_row(filtered);
    if (row + 1 < macroblocks_.rows()) return;
    for (int last = std::max(0, filtered + 1); last <= row; ++last) {
      for (int i = 0; i < column; ++i) filter(last, i);
      end_row(last);
    }
    raster_.extend_row(row);
  }

 private:
  void filter(int row, int column) const {
    filter_.filter_macroblock(raster_, row, column, macroblocks_.at(row, column));
  }

  // Filters the last macroblock of a row; after that the row above does not change any
  // more.
  void end_row(int row) const {
    filter(row, macroblocks_.columns() - 1);
    if (row > 0) raster_.extend_row(row - 1);
  }

  Raster& raster_;
  const MacroblockGrid& macroblocks_;
  const LoopFilter filter_;
  const int behind_;
};

// Filters a whole frame and extends its borders.
inline void filter_frame(Raster& raster, const MacroblockGrid& macroblocks,
                         const LoopFilterSettings& settings, ThreadTeam& team) {
  const FilterRows filter(raster, macroblocks, settings, team);
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
