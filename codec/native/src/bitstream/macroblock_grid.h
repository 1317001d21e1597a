// The macroblocks of a frame in raster order, with a border of intra macroblocks
// above and to the left, so that neighbours need no special case.
#pragma once

#include <memory>
#include <type_traits>

#include "common/frame_buffer.h"
#include "common/types.h"

namespace vp8 {

// Macroblocks within the frame are uninitialised until each is set.
class MacroblockGrid {
 public:
  MacroblockGrid(int rows, int columns)
      : rows_(rows),
        columns_(columns),
        memory_(static_cast<std::size_t>(rows + 1) * static_cast<std::size_t>(columns + 1) *
                sizeof(MacroblockInfo)) {
    cells_ = reinterpret_cast<MacroblockInfo*>(memory_.data());
    std::uninitialized_value_construct_n(cells_, columns + 1);
    for (int row = 0; row < rows; ++row) std::construct_at(&at(row, -1));
  }

  int rows() const { return rows_; }
  int columns() const { return columns_; }

  // Row and column from -1.
  MacroblockInfo& at(int row, int column) { return cells_[index(row, column)]; }
  const MacroblockInfo& at(int row, int column) const { return cells_[index(row, column)]; }

 private:
  static_assert(std::is_trivially_copyable_v<MacroblockInfo> &&
                std::is_trivially_destructible_v<MacroblockInfo>);

  std::size_t index(int row, int column) const {
    return static_cast<std::size_t>(row + 1) * static_cast<std::size_t>(columns_ + 1) +
           static_cast<std::size_t>(column + 1);
  }

  int rows_;
  int columns_;
  FrameBuffer memory_;
  MacroblockInfo* cells_;
};

}  // namespace vp8
