// Vectors of 256 bits in AVX2: the operations of vector128.h on each half by itself.
//
// As there, everything is in an unnamed namespace and calls nothing that the linker
// could merge with a copy of another file.
#pragma once

#include <immintrin.h>

#include "kernels/vector_x86.h"

namespace vp8 {
namespace {

using Wide = __m256i;

inline Wide wide(__m128i low, __m128i high) { return _mm256_set_m128i(high, low); }
inline __m128i low_half(Wide v) { return _mm256_castsi256_si128(v); }
inline __m128i high_half(Wide v) { return _mm256_extracti128_si256(v, 1); }
inline Wide twice(__m128i v) { return _mm256_broadcastsi128_si256(v); }

inline Wide load_wide(const void* p) { return _mm256_loadu_si256(static_cast<const Wide*>(p)); }
inline void store_wide(void* p, Wide v) { _mm256_storeu_si256(static_cast<Wide*>(p), v); }
// 16 pixels as 16-bit lanes.
inline Wide load_pixels(const std::uint8_t* p) { return _mm256_cvtepu8_epi16(load_u8(p)); }

inline Wide wide_i16(int value) { return _mm256_set1_epi16(static_cast<short>(value)); }

inline Wide zip_low_i16(Wide a, Wide b) { return _mm256_unpacklo_epi16(a, b); }
inline Wide zip_high_i16(Wide a, Wide b) { return _mm256_unpackhi_epi16(a, b); }
inline Wide zip_low_pairs(Wide a, Wide b) { return _mm256_unpacklo_epi32(a, b); }
inline Wide zip_high_pairs(Wide a, Wide b) { return _mm256_unpackhi_epi32(a, b); }
inline Wide join_low(Wide a, Wide b) { return _mm256_unpacklo_epi64(a, b); }
inline Wide join_high(Wide a, Wide b) { return _mm256_unpackhi_epi64(a, b); }

inline Wide add_i16(Wide a, Wide b) { return _mm256_add_epi16(a, b); }
inline Wide sub_i16(Wide a, Wide b) { return _mm256_sub_epi16(a, b); }
template <int Bits>
inline Wide shift_right_i16(Wide v) {
  return _mm256_srai_epi16(v, Bits);
}
template <int Bits>
inline Wide shift_left_i16(Wide v) {
  return _mm256_slli_epi16(v, Bits);
}
inline Wide abs_i16(Wide v) { return _mm256_abs_epi16(v); }
inline Wide times_cosine(Wide x) {
  return _mm256_add_epi16(x, _mm256_mulhi_epi16(x, wide_i16(20091)));
}
inline Wide times_sine(Wide x) {
  return _mm256_add_epi16(x, _mm256_mulhi_epi16(x, wide_i16(35468 - 65536)));
}
template <int Fa, int Fb, int Shift>
inline Wide weigh(Wide a, Wide b) {
  const Wide factors =
      _mm256_set1_epi32((Fa & 0xffff) | static_cast<int>(static_cast<unsigned>(Fb) << 16));
  const Wide half = _mm256_set1_epi32(1 << (Shift - 1));
  const Wide low = _mm256_madd_epi16(_mm256_unpacklo_epi16(a, b), factors);
  const Wide high = _mm256_madd_epi16(_mm256_unpackhi_epi16(a, b), factors);
  return _mm256_packs_epi32(_mm256_srai_epi32(_mm256_add_epi32(low, half), Shift),
                            _mm256_srai_epi32(_mm256_add_epi32(high, half), Shift));
}
inline Wide greater_neighbours(Wide a, Wide b) {
  return _mm256_max_epi16(_mm256_blend_epi16(a, _mm256_slli_epi32(b, 16), 0xaa),
                          _mm256_blend_epi16(_mm256_srli_epi32(a, 16), b, 0xaa));
}

// ---- bytes ----

inline Wide splat_like(Wide, int value) { return _mm256_set1_epi8(static_cast<char>(value)); }
inline Wide bit_and(Wide a, Wide b) { return _mm256_and_si256(a, b); }
inline Wide bit_or(Wide a, Wide b) { return _mm256_or_si256(a, b); }
inline Wide bit_xor(Wide a, Wide b) { return _mm256_xor_si256(a, b); }
inline Wide clear_where(Wide a, Wide mask) { return _mm256_andnot_si256(mask, a); }
inline Wide add_sat_u8(Wide a, Wide b) { return _mm256_adds_epu8(a, b); }
inline Wide sub_sat_u8(Wide a, Wide b) { return _mm256_subs_epu8(a, b); }
inline Wide add_sat_i8(Wide a, Wide b) { return _mm256_adds_epi8(a, b); }
inline Wide sub_sat_i8(Wide a, Wide b) { return _mm256_subs_epi8(a, b); }
inline Wide sub_u8(Wide a, Wide b) { return _mm256_sub_epi8(a, b); }
inline Wide max_u8(Wide a, Wide b) { return _mm256_max_epu8(a, b); }
inline Wide average_u8(Wide a, Wide b) { return _mm256_avg_epu8(a, b); }
inline Wide difference_u8(Wide a, Wide b) { return bit_or(sub_sat_u8(a, b), sub_sat_u8(b, a)); }
inline Wide is_zero_u8(Wide v) { return _mm256_cmpeq_epi8(v, _mm256_setzero_si256()); }
inline bool none_set(Wide mask) { return _mm256_movemask_epi8(mask) == 0; }
template <int Bits>
inline Wide shift_right_u8(Wide v) {
  return bit_and(_mm256_srli_epi16(v, Bits), splat_like(v, 0xff >> Bits));
}
template <int Factor>
inline Wide scale_i8(Wide v) {
  const Wide zero = _mm256_setzero_si256();
  const Wide one = wide_i16(1);
  const Wide low = _mm256_subs_epi16(_mm256_unpacklo_epi8(zero, v), one);
  const Wide high = _mm256_subs_epi16(_mm256_unpackhi_epi8(zero, v), one);
  return _mm256_packs_epi16(_mm256_mulhrs_epi16(low, wide_i16(Factor)),
                            _mm256_mulhrs_epi16(high, wide_i16(Factor)));
}
inline Wide zip_low_u8(Wide a, Wide b) { return _mm256_unpacklo_epi8(a, b); }
inline Wide zip_high_u8(Wide a, Wide b) { return _mm256_unpackhi_epi8(a, b); }

// ---- sums of 32-bit lanes ----

inline Wide add_lanes(Wide sum, Wide v) {
  return _mm256_add_epi32(sum, _mm256_madd_epi16(v, wide_i16(1)));
}
inline int total(Wide sum) { return total(_mm_add_epi32(low_half(sum), high_half(sum))); }

}  // namespace
}  // namespace vp8
