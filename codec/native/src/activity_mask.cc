#include "activity_mask.h"

#include "kernels/kernels.h"

namespace vp8 {
namespace {

constexpr int kReach = 4;

// The integer square root: the same on every machine.
std::int64_t square_root(std::int64_t value) {
  std::int64_t root = 0;
  for (std::int64_t bit = std::int64_t{1} << 30; bit != 0; bit >>= 1) {
    const std::int64_t next = root | bit;
    if (next * next <= value) root = next;
  }
  return root;
}

std::int32_t activity_of(const std::uint8_t* pixels, std::ptrdiff_t stride) {
  std::uint32_t sum = 0;
  std::uint32_t squares = 0;
  kernels().sum_and_squares(pixels, stride, &sum, &squares);
  const std::int64_t variance = (squares - std::int64_t{sum} * sum / 256) / 256;
  return static_cast<std::int32_t>(square_root(16 * variance) + 4);
}

}  // namespace

ActivityMask::ActivityMask(const Raster& source) : columns_(source.macroblock_columns()) {
  const Plane luma = source.plane(0);
  std::int64_t sum = 0;
  for (int row = 0; row < source.macroblock_rows(); ++row) {
    for (int column = 0; column < columns_; ++column) {
      activity_.push_back(
          activity_of(luma.at(column * kMacroblockSize, row * kMacroblockSize), luma.stride));
      sum += activity_.back();
    }
  }
  mean_ = sum / static_cast<std::int64_t>(activity_.size());
}

Lagrangian ActivityMask::apply(const Lagrangian& average, int row, int column) const {
  const std::int64_t here = activity_[static_cast<std::size_t>(row * columns_ + column)];
  return average.scaled(kReach * here + mean_, here + kReach * mean_);
}

}  // namespace vp8
