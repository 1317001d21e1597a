// Weighted sums of blocks that are alike, 16 pixels at once; weights are picked out of vectors.
#pragma once

#include "kernels/vector128.h"

namespace vp8 {
namespace {

inline void add_weighted(std::uint16_t* sums, i16x8 weights, i16x8 pixels) {
  // Without a sign, but the lower half of a product is the same.
  auto* const lanes = reinterpret_cast<std::int16_t*>(sums);
  store_i16(lanes, add_i16(load_i16(lanes), mul_i16(weights, pixels)));
}

template <int Size>
void add_alike_lookup(const std::uint8_t* own, std::ptrdiff_t own_stride, const std::uint8_t* other,
                      std::ptrdiff_t other_stride, const std::uint8_t (&weights)[32],
                      WeightedSums& sums) {
  constexpr int kRows = 16 / Size;
  const u8x16 near = load_u8(weights);
  const u8x16 far = load_u8(weights + 16);
  for (int i = 0; i < Size * Size; i += 16) {
    const u8x16 pixels = rows_of<Size>(other, other_stride);
    const u8x16 difference = difference_u8(rows_of<Size>(own, own_stride), pixels);
    const u8x16 found = lookup_of_two(near, far, difference);
    add_weighted(sums.pixels + i, widen_low(found), widen_low(pixels));
    add_weighted(sums.pixels + i + 8, widen_high(found), widen_high(pixels));
    store_u8(sums.weights + i, add_sat_u8(load_u8(sums.weights + i), found));
    own += kRows * own_stride;
    other += kRows * other_stride;
  }
}

inline void install_weighting_lookup(Kernels& table) {
  table.add_alike[0] = add_alike_lookup<8>;
  table.add_alike[1] = add_alike_lookup<16>;
}

}  // namespace
}  // namespace vp8
