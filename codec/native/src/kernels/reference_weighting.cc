// Weighted sums of blocks that are alike, plain.
#include <cstdlib>

#include "kernels/kernels.h"

namespace vp8 {
namespace {

template <int Size>
void add_alike(const std::uint8_t* own, std::ptrdiff_t own_stride, const std::uint8_t* other,
               std::ptrdiff_t other_stride, const std::uint8_t (&weights)[32], WeightedSums& sums) {
  for (int y = 0; y < Size; ++y) {
    for (int x = 0; x < Size; ++x) {
      const int pixel = other[y * other_stride + x];
      const int difference = std::abs(pixel - own[y * own_stride + x]);
      if (difference >= 32) continue;
      const int weight = weights[difference];
      std::uint16_t& sum = sums.pixels[y * Size + x];
      std::uint8_t& sum_of_weights = sums.weights[y * Size + x];
      sum = static_cast<std::uint16_t>(sum + weight * pixel);
      sum_of_weights = static_cast<std::uint8_t>(sum_of_weights + weight);
    }
  }
}

}  // namespace

void install_reference_weighting(Kernels& table) {
  table.add_alike[0] = add_alike<8>;
  table.add_alike[1] = add_alike<16>;
}

}  // namespace vp8
