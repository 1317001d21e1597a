// Vectors of 128 bits, as 16 bytes or 8 16-bit lanes, for the kernels in simd_*.h.
//
// Everything here and in simd_*.h lies in an unnamed namespace: each file that
// includes it is compiled for another instruction set, and must keep its own copy.
// For the same reason nothing here calls inline functions of other headers, which
// the linker would merge across files.
#pragma once

#if defined(__x86_64__)
#include "kernels/vector_x86.h"
#if defined(__AVX2__)
// Included here, since templates see only what is declared before them.
#include "kernels/vector256.h"
#endif
#elif defined(__aarch64__)
#include "kernels/vector_neon.h"
#endif

#include "kernels/kernels.h"

namespace vp8 {
namespace {

inline u8x16 two_rows(const std::uint8_t* first, const std::uint8_t* second) {
  return join_low_u8(load_u8_low(first), load_u8_low(second));
}

inline u8x16 four_rows(const std::uint8_t* pixels, std::ptrdiff_t stride) {
  const u8x16 first = zip_low_u32(load_u8_4(pixels), load_u8_4(pixels + stride));
  const u8x16 last = zip_low_u32(load_u8_4(pixels + 2 * stride), load_u8_4(pixels + 3 * stride));
  return join_low_u8(first, last);
}

inline void store_two_rows(std::uint8_t* pixels, std::ptrdiff_t stride, u8x16 rows) {
  store_u8_low(pixels, rows);
  store_u8_high(pixels + stride, rows);
}

inline void store_four_rows(std::uint8_t* pixels, std::ptrdiff_t stride, u8x16 rows) {
  store_u8_4<0>(pixels, rows);
  store_u8_4<1>(pixels + stride, rows);
  store_u8_4<2>(pixels + 2 * stride, rows);
  store_u8_4<3>(pixels + 3 * stride, rows);
}

// As many rows of `Width` as fill a vector.
template <int Width>
inline u8x16 rows_of(const std::uint8_t* pixels, std::ptrdiff_t stride) {
  if constexpr (Width == 16) {
    return load_u8(pixels);
  } else if constexpr (Width == 8) {
    return two_rows(pixels, pixels + stride);
  } else {
    return four_rows(pixels, stride);
  }
}

template <int Width>
inline void store_rows_of(std::uint8_t* pixels, std::ptrdiff_t stride, u8x16 rows) {
  if constexpr (Width == 16) {
    store_u8(pixels, rows);
  } else if constexpr (Width == 8) {
    store_two_rows(pixels, stride, rows);
  } else {
    store_four_rows(pixels, stride, rows);
  }
}

}  // namespace
}  // namespace vp8
