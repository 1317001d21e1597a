// The macroblocks of a frame in raster order, with a border of intra macroblocks
// above and to the left, so that neighbours need no special case.
#pragma once

#include <vector>

#include "types.h"

namespace vp8 {

class MacroblockGrid {
 public:
  MacroblockGrid(int rows, int columns)
      : rows_(rows),
        columns_(columns),
        cells_(static_cast<std::size_t>(rows + 1) * static_cast<std::size_t>(columns + 1)) {}

  int rows() const { return rows_; }
  int columns() const { return columns_; }

  // Row and column from -1.
  MacroblockInfo& at(int row, int column) { return cells_[index(row, column)]; }
  const MacroblockInfo& at(int row, int column) const { return cells_[index(row, column)]; }

 private:
  std::size_t index(int row, int column) const {
    return static_cast<std::size_t>(row + 1) * static_cast<std::size_t>(columns_ + 1) +
           static_cast<std::size_t>(column + 1);
  }

  int rows_;
  int columns_;
  std::vector<MacroblockInfo> cells_;
};

}  // namespace vp8
