#include "decide/activity_mask.h"

#include <atomic>
#include <cmath>

#include "kernels/kernels.h"

namespace vp8 {
namespace {

std::int32_t activity_of(const std::uint8_t* pixels, std::ptrdiff_t stride) {
  std::uint32_t sum = 0;
  std::uint32_t squares = 0;
  kernels().sum_and_squares(pixels, stride, &sum, &squares);
  const std::int64_t variance = (squares - static_cast<std::int64_t>(sum) * sum / 256) / 256;
  // For an integer this small, the root in doubles is so exact that its whole part is the
  // same on every machine.
  return static_cast<std::int32_t>(std::sqrt(static_cast<double>(16 * variance))) + 4;
}

}  // namespace

ActivityMask::ActivityMask(const Raster& source, ThreadTeam& team)
    : columns_(source.macroblock_columns()) {
  const Plane luma = source.plane(0);
  const int rows = source.macroblock_rows();
  activity_.resize(static_cast<std::size_t>(rows * columns_));
  std::atomic<int> next{0};
  std::atomic<std::int64_t> sum{0};
  team.run([&] {
    for (int row = next++; row < rows; row = next++) {
      std::int64_t of_row = 0;
      for (int column = 0; column < columns_; ++column) {
        const std::int32_t activity =
            activity_of(luma.at(column * kMacroblockSize, row * kMacroblockSize), luma.stride);
        activity_[static_cast<std::size_t>(row * columns_ + column)] = activity;
        of_row += activity;
      }
      sum += of_row;
    }
  });
  mean_ = sum / static_cast<std::int64_t>(activity_.size());
}

}  // namespace vp8
