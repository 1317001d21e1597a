// The operations of vector128.h in SSE2, or in later sets if a file is compiled for them.
#pragma once

#include <emmintrin.h>
#if defined(__SSSE3__)
#include <tmmintrin.h>
#endif
#if defined(__SSE4_1__)
#include <smmintrin.h>
#endif

#include <cstddef>
#include <cstdint>
#include <cstring>

namespace vp8 {
namespace {

using u8x16 = __m128i;
using i16x8 = __m128i;

inline i16x8 as_i16(u8x16 v) { return v; }
inline u8x16 as_u8(i16x8 v) { return v; }

// ---- memory ----

inline u8x16 load_u8(const void* p) { return _mm_loadu_si128(static_cast<const __m128i*>(p)); }
inline u8x16 load_u8_low(const void* p) { return _mm_loadl_epi64(static_cast<const __m128i*>(p)); }
inline u8x16 load_u8_4(const void* p) {
  int word;
  std::memcpy(&word, p, sizeof word);
  return _mm_cvtsi32_si128(word);
}
inline void store_u8(void* p, u8x16 v) { _mm_storeu_si128(static_cast<__m128i*>(p), v); }
inline void store_u8_low(void* p, u8x16 v) { _mm_storel_epi64(static_cast<__m128i*>(p), v); }
inline void store_u8_high(void* p, u8x16 v) {
  const long long word = v[1];  // the intrinsic asks for an aligned double
  std::memcpy(p, &word, sizeof word);
}
template <int Word>
inline void store_u8_4(void* p, u8x16 v) {
  const int word = _mm_cvtsi128_si32(Word == 0 ? v : _mm_srli_si128(v, 4 * Word));
  std::memcpy(p, &word, sizeof word);
}
inline i16x8 load_i16(const std::int16_t* p) { return load_u8(p); }
inline i16x8 load_i16_low(const std::int16_t* p) { return load_u8_low(p); }
inline void store_i16(std::int16_t* p, i16x8 v) { store_u8(p, v); }
inline std::uint64_t low_word(u8x16 v) { return static_cast<std::uint64_t>(_mm_cvtsi128_si64(v)); }

inline u8x16 splat_u8(int value) { return _mm_set1_epi8(static_cast<char>(value)); }
// For templates over the vector: one like the first.
inline u8x16 splat_like(u8x16, int value) { return splat_u8(value); }
inline i16x8 splat_i16(int value) { return _mm_set1_epi16(static_cast<short>(value)); }
// One value in lane 0, another in all others.
inline i16x8 first_and_rest(int first, int rest) {
  // An insertion would be enough, but clang inserts every lane by itself.
  return _mm_xor_si128(splat_i16(rest), _mm_cvtsi32_si128((first ^ rest) & 0xffff));
}

// ---- bits ----

inline u8x16 bit_and(u8x16 a, u8x16 b) { return _mm_and_si128(a, b); }
inline u8x16 bit_or(u8x16 a, u8x16 b) { return _mm_or_si128(a, b); }
inline u8x16 bit_xor(u8x16 a, u8x16 b) { return _mm_xor_si128(a, b); }
inline u8x16 clear_where(u8x16 a, u8x16 mask) { return _mm_andnot_si128(mask, a); }
// Moves bytes to lower lanes, and zeros in above.
template <int Bytes>
inline u8x16 shift_down(u8x16 v) {
  return _mm_srli_si128(v, Bytes);
}
template <int Bytes>
inline u8x16 shift_up(u8x16 v) {
  return _mm_slli_si128(v, Bytes);
}

// ---- bytes ----

inline u8x16 add_sat_u8(u8x16 a, u8x16 b) { return _mm_adds_epu8(a, b); }
inline u8x16 sub_sat_u8(u8x16 a, u8x16 b) { return _mm_subs_epu8(a, b); }
inline u8x16 add_sat_i8(u8x16 a, u8x16 b) { return _mm_adds_epi8(a, b); }
inline u8x16 sub_sat_i8(u8x16 a, u8x16 b) { return _mm_subs_epi8(a, b); }
inline u8x16 sub_u8(u8x16 a, u8x16 b) { return _mm_sub_epi8(a, b); }
inline u8x16 max_u8(u8x16 a, u8x16 b) { return _mm_max_epu8(a, b); }
inline u8x16 average_u8(u8x16 a, u8x16 b) { return _mm_avg_epu8(a, b); }
inline u8x16 difference_u8(u8x16 a, u8x16 b) {
  return _mm_or_si128(_mm_subs_epu8(a, b), _mm_subs_epu8(b, a));
}
inline u8x16 is_zero_u8(u8x16 v) { return _mm_cmpeq_epi8(v, _mm_setzero_si128()); }
inline bool none_set(u8x16 mask) { return _mm_movemask_epi8(mask) == 0; }
template <int Bits>
inline u8x16 shift_right_u8(u8x16 v) {
  return _mm_and_si128(_mm_srli_epi16(v, Bits), splat_u8(0xff >> Bits));
}
// (v * Factor + 63) >> 7 of signed bytes; `Factor` is at most 27.
template <int Factor>
inline u8x16 scale_i8(u8x16 v) {
  const __m128i low = _mm_unpacklo_epi8(_mm_setzero_si128(), v);
  const __m128i high = _mm_unpackhi_epi8(_mm_setzero_si128(), v);
#if defined(__SSSE3__)
  // Rounds at 64, so a little less than v goes in.
  const __m128i one = splat_i16(1);
  return _mm_packs_epi16(_mm_mulhrs_epi16(_mm_subs_epi16(low, one), splat_i16(Factor)),
                         _mm_mulhrs_epi16(_mm_subs_epi16(high, one), splat_i16(Factor)));
#else
  const __m128i factor = splat_i16(Factor << 8);
  const __m128i a = _mm_add_epi16(_mm_mulhi_epi16(low, factor), splat_i16(63));
  const __m128i b = _mm_add_epi16(_mm_mulhi_epi16(high, factor), splat_i16(63));
  return _mm_packs_epi16(_mm_srai_epi16(a, 7), _mm_srai_epi16(b, 7));
#endif
}

#if defined(__SSSE3__)
// Lanes of `v` by number; 255 gives zero.
inline u8x16 lookup(u8x16 v, u8x16 lanes) { return _mm_shuffle_epi8(v, lanes); }
// Lanes of both by number; 32 and more give zero.
inline u8x16 lookup_of_two(u8x16 low, u8x16 high, u8x16 lanes) {
  const u8x16 to_top = splat_u8(0x70);  // sets the top bit of all but 0 to 15
  const u8x16 above = _mm_sub_epi8(lanes, splat_u8(16));
  return _mm_or_si128(_mm_shuffle_epi8(low, _mm_adds_epu8(lanes, to_top)),
                      _mm_shuffle_epi8(high, _mm_adds_epu8(above, to_top)));
}
#endif

// ---- lanes in turn from two vectors ----

inline u8x16 zip_low_u8(u8x16 a, u8x16 b) { return _mm_unpacklo_epi8(a, b); }
inline u8x16 zip_high_u8(u8x16 a, u8x16 b) { return _mm_unpackhi_epi8(a, b); }
inline u8x16 zip_low_u32(u8x16 a, u8x16 b) { return _mm_unpacklo_epi32(a, b); }
inline u8x16 join_low_u8(u8x16 a, u8x16 b) { return _mm_unpacklo_epi64(a, b); }
inline i16x8 zip_low_i16(i16x8 a, i16x8 b) { return _mm_unpacklo_epi16(a, b); }
inline i16x8 zip_high_i16(i16x8 a, i16x8 b) { return _mm_unpackhi_epi16(a, b); }
inline i16x8 zip_low_pairs(i16x8 a, i16x8 b) { return _mm_unpacklo_epi32(a, b); }
inline i16x8 zip_high_pairs(i16x8 a, i16x8 b) { return _mm_unpackhi_epi32(a, b); }
inline i16x8 join_low(i16x8 a, i16x8 b) { return _mm_unpacklo_epi64(a, b); }
inline i16x8 join_high(i16x8 a, i16x8 b) { return _mm_unpackhi_epi64(a, b); }

// ---- 16-bit lanes ----

inline i16x8 add_i16(i16x8 a, i16x8 b) { return _mm_add_epi16(a, b); }
inline i16x8 sub_i16(i16x8 a, i16x8 b) { return _mm_sub_epi16(a, b); }
inline i16x8 mul_i16(i16x8 a, i16x8 b) { return _mm_mullo_epi16(a, b); }
template <int Bits>
inline i16x8 shift_right_i16(i16x8 v) {
  return _mm_srai_epi16(v, Bits);
}
template <int Bits>
inline i16x8 shift_left_i16(i16x8 v) {
  return _mm_slli_epi16(v, Bits);
}
inline i16x8 is_negative_i16(i16x8 v) { return _mm_srai_epi16(v, 15); }
inline i16x8 abs_i16(i16x8 v) {
#if defined(__SSSE3__)
  return _mm_abs_epi16(v);
#else
  return _mm_max_epi16(v, _mm_sub_epi16(_mm_setzero_si128(), v));
#endif
}
inline i16x8 even_bytes(u8x16 v) { return _mm_and_si128(v, splat_i16(0xff)); }
inline i16x8 odd_bytes(u8x16 v) { return _mm_srli_epi16(v, 8); }
inline i16x8 widen_low(u8x16 v) { return _mm_unpacklo_epi8(v, _mm_setzero_si128()); }
inline i16x8 widen_high(u8x16 v) { return _mm_unpackhi_epi8(v, _mm_setzero_si128()); }
// Clamped to pixels.
inline u8x16 narrow(i16x8 low, i16x8 high) { return _mm_packus_epi16(low, high); }

// The two products of the inverse DCT; the second's factor has its top bit set, so
// it multiplies by 35468 - 65536 and puts x back.
inline i16x8 times_cosine(i16x8 x) {
  return _mm_add_epi16(x, _mm_mulhi_epi16(x, splat_i16(20091)));
}
inline i16x8 times_sine(i16x8 x) {
  return _mm_add_epi16(x, _mm_mulhi_epi16(x, splat_i16(35468 - 65536)));
}

// (a * Fa + b * Fb + half) >> Shift, computed in 32 bits.
template <int Fa, int Fb, int Shift>
inline i16x8 weigh(i16x8 a, i16x8 b) {
  const __m128i factors =
      _mm_set1_epi32((Fa & 0xffff) | static_cast<int>(static_cast<unsigned>(Fb) << 16));
  const __m128i half = _mm_set1_epi32(1 << (Shift - 1));
  const __m128i low = _mm_madd_epi16(_mm_unpacklo_epi16(a, b), factors);
  const __m128i high = _mm_madd_epi16(_mm_unpackhi_epi16(a, b), factors);
  return _mm_packs_epi32(_mm_srai_epi32(_mm_add_epi32(low, half), Shift),
                         _mm_srai_epi32(_mm_add_epi32(high, half), Shift));
}

// ---- sums ----

using Sum32 = __m128i;  // four partial sums

inline Sum32 no_sum() { return _mm_setzero_si128(); }
inline Sum32 add_sums(Sum32 a, Sum32 b) { return _mm_add_epi32(a, b); }
inline int total(Sum32 sum) {
  sum = _mm_add_epi32(sum, _mm_shuffle_epi32(sum, 0x4e));
  sum = _mm_add_epi32(sum, _mm_shuffle_epi32(sum, 0xb1));
  return _mm_cvtsi128_si32(sum);
}
// The total of add_bytes and add_differences.
inline int total_of_bytes(Sum32 sum) {
  return _mm_cvtsi128_si32(_mm_add_epi32(sum, _mm_srli_si128(sum, 8)));
}
inline Sum32 add_bytes(Sum32 sum, u8x16 v) {
  return _mm_add_epi32(sum, _mm_sad_epu8(v, _mm_setzero_si128()));
}
inline Sum32 add_differences(Sum32 sum, u8x16 a, u8x16 b) {
  return _mm_add_epi32(sum, _mm_sad_epu8(a, b));
}
inline Sum32 add_squares(Sum32 sum, u8x16 v) {
  const __m128i low = widen_low(v);
  const __m128i high = widen_high(v);
  return _mm_add_epi32(sum, _mm_add_epi32(_mm_madd_epi16(low, low), _mm_madd_epi16(high, high)));
}
// Adds lanes of up to 32767.
inline Sum32 add_lanes(Sum32 sum, i16x8 v) {
  return _mm_add_epi32(sum, _mm_madd_epi16(v, splat_i16(1)));
}
// The greater of each two neighbouring lanes of `a` and of `b`; neither is negative.
inline i16x8 greater_neighbours(i16x8 a, i16x8 b) {
#if defined(__SSE4_1__)
  return _mm_max_epi16(_mm_blend_epi16(a, _mm_slli_epi32(b, 16), 0xaa),
                       _mm_blend_epi16(_mm_srli_epi32(a, 16), b, 0xaa));
#else
  const __m128i low = _mm_set1_epi32(0xffff);
  const __m128i x = _mm_max_epi16(a, _mm_srli_epi32(a, 16));
  const __m128i y = _mm_max_epi16(b, _mm_slli_epi32(b, 16));
  return _mm_or_si128(_mm_and_si128(x, low), _mm_andnot_si128(low, y));
#endif
}

// ---- quantisation ----

// min(((|c| + rounding) * reciprocal) >> 16, 2047) with the sign of c.
inline i16x8 quantize_lanes(i16x8 c, i16x8 rounding, i16x8 reciprocal) {
  const __m128i sign = _mm_srai_epi16(c, 15);
  // -32768 becomes 32768, read without a sign.
  const __m128i magnitude = _mm_sub_epi16(_mm_xor_si128(c, sign), sign);
  __m128i level = _mm_mulhi_epu16(_mm_adds_epu16(magnitude, rounding), reciprocal);
  level = _mm_sub_epi16(level, _mm_subs_epu16(level, splat_i16(2047)));
  return _mm_sub_epi16(_mm_xor_si128(level, sign), sign);
}
// A bit for each of the 16 lanes that is not zero.
inline std::uint32_t bits_where_nonzero(i16x8 low, i16x8 high) {
  const __m128i zero = is_zero_u8(_mm_packs_epi16(low, high));
  return static_cast<std::uint32_t>(_mm_movemask_epi8(zero)) ^ 0xffff;
}

// ---- interpolation ----

#if defined(__SSSE3__)
// Bytes of two neighbouring taps; (0, 5) and the inner pairs never exceed 16 bits, and sums
// saturate only if the pixel is 255 anyway.
struct SixtapTaps {
  __m128i outer, before, after;
};
inline __m128i tap_pair(int a, int b) { return splat_i16((a & 0xff) | ((b & 0xff) << 8)); }
inline SixtapTaps sixtap_taps(const std::int16_t* t) {
  return {tap_pair(t[0], t[5]), tap_pair(t[1], t[2]), tap_pair(t[3], t[4])};
}
// (sum + 64) >> 7
inline __m128i round_taps(__m128i sum) { return _mm_mulhrs_epi16(sum, splat_i16(256)); }
inline u8x16 filter_four(u8x16 b, u8x16 c, u8x16 d, u8x16 e, const SixtapTaps& taps) {
  const __m128i low = _mm_adds_epi16(_mm_maddubs_epi16(zip_low_u8(b, c), taps.before),
                                     _mm_maddubs_epi16(zip_low_u8(d, e), taps.after));
  const __m128i high = _mm_adds_epi16(_mm_maddubs_epi16(zip_high_u8(b, c), taps.before),
                                      _mm_maddubs_epi16(zip_high_u8(d, e), taps.after));
  return narrow(round_taps(low), round_taps(high));
}
inline u8x16 filter_six(u8x16 a, u8x16 b, u8x16 c, u8x16 d, u8x16 e, u8x16 f,
                        const SixtapTaps& taps) {
  __m128i low = _mm_adds_epi16(_mm_maddubs_epi16(zip_low_u8(b, c), taps.before),
                               _mm_maddubs_epi16(zip_low_u8(d, e), taps.after));
  low = _mm_adds_epi16(low, _mm_maddubs_epi16(zip_low_u8(a, f), taps.outer));
  __m128i high = _mm_adds_epi16(_mm_maddubs_epi16(zip_high_u8(b, c), taps.before),
                                _mm_maddubs_epi16(zip_high_u8(d, e), taps.after));
  high = _mm_adds_epi16(high, _mm_maddubs_epi16(zip_high_u8(a, f), taps.outer));
  return narrow(round_taps(low), round_taps(high));
}
// (a * (128 - share) + b * share + 64) >> 7; `share` from 1 to 127.
inline u8x16 filter_two(u8x16 a, u8x16 b, int share) {
  const __m128i taps = tap_pair(128 - share, share);
  return narrow(round_taps(_mm_maddubs_epi16(zip_low_u8(a, b), taps)),
                round_taps(_mm_maddubs_epi16(zip_high_u8(a, b), taps)));
}
#else
struct SixtapTaps {
  __m128i tap[6];
};
inline SixtapTaps sixtap_taps(const std::int16_t* t) {
  SixtapTaps taps;
  for (int i = 0; i < 6; ++i) taps.tap[i] = splat_i16(t[i]);
  return taps;
}
// The greatest product is added last and saturates only if the pixel is 255 anyway; all
// sums before it fit into 16 bits.
inline __m128i four_products(__m128i b, __m128i c, __m128i d, __m128i e, const SixtapTaps& taps) {
  const __m128i sum = _mm_add_epi16(
      _mm_add_epi16(_mm_mullo_epi16(b, taps.tap[1]), splat_i16(64)),
      _mm_add_epi16(_mm_mullo_epi16(c, taps.tap[2]), _mm_mullo_epi16(e, taps.tap[4])));
  return _mm_adds_epi16(sum, _mm_mullo_epi16(d, taps.tap[3]));
}
inline u8x16 filter_four(u8x16 b, u8x16 c, u8x16 d, u8x16 e, const SixtapTaps& taps) {
  const __m128i low = four_products(widen_low(b), widen_low(c), widen_low(d), widen_low(e), taps);
  const __m128i high =
      four_products(widen_high(b), widen_high(c), widen_high(d), widen_high(e), taps);
  return narrow(_mm_srai_epi16(low, 7), _mm_srai_epi16(high, 7));
}
inline u8x16 filter_six(u8x16 a, u8x16 b, u8x16 c, u8x16 d, u8x16 e, u8x16 f,
                        const SixtapTaps& taps) {
  const auto outer = [&](__m128i x, __m128i y) {
    return _mm_add_epi16(_mm_mullo_epi16(x, taps.tap[0]), _mm_mullo_epi16(y, taps.tap[5]));
  };
  const __m128i low =
      _mm_adds_epi16(four_products(widen_low(b), widen_low(c), widen_low(d), widen_low(e), taps),
                     outer(widen_low(a), widen_low(f)));
  const __m128i high = _mm_adds_epi16(
      four_products(widen_high(b), widen_high(c), widen_high(d), widen_high(e), taps),
      outer(widen_high(a), widen_high(f)));
  return narrow(_mm_srai_epi16(low, 7), _mm_srai_epi16(high, 7));
}
inline u8x16 filter_two(u8x16 a, u8x16 b, int share) {
  const auto half = [&](__m128i x, __m128i y) {
    const __m128i moved = _mm_mullo_epi16(_mm_sub_epi16(y, x), splat_i16(share));
    return _mm_add_epi16(x, _mm_srai_epi16(_mm_add_epi16(moved, splat_i16(64)), 7));
  };
  return narrow(half(widen_low(a), widen_low(b)), half(widen_high(a), widen_high(b)));
}
#endif

}  // namespace
}  // namespace vp8
