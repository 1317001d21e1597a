#include "decide/block_sums.h"

namespace vp8 {

void BlockSums::read(const Plane& reference, PixelRange columns, PixelRange rows) {
  constexpr int kSide = 4;
  columns_ = columns;
  rows_ = rows;
  const auto width = static_cast<std::size_t>(columns.count);
  sums_.resize(width * static_cast<std::size_t>(rows.count + kSide - 1));
  // Sums across first, of more rows; then, in place, down.
  std::uint16_t* sums = sums_.data();
  for (int y = 0; y < rows.count + kSide - 1; ++y, sums += width) {
    const std::uint8_t* pixels = reference.at(columns.first, rows.first + y);
    for (std::size_t x = 0; x < width; ++x) {
      sums[x] =
          static_cast<std::uint16_t>(pixels[x] + pixels[x + 1] + pixels[x + 2] + pixels[x + 3]);
    }
  }
  sums = sums_.data();
  for (int y = 0; y < rows.count; ++y, sums += width) {
    const std::uint16_t* below = sums + width;
    for (std::size_t x = 0; x < width; ++x) {
      sums[x] =
          static_cast<std::uint16_t>(sums[x] + below[x] + below[width + x] + below[2 * width + x]);
    }
  }
}

}  // namespace vp8
