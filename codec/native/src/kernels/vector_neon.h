// The operations of vector128.h in NEON, which every aarch64 has.
#pragma once

#include <arm_neon.h>

#include <cstddef>
#include <cstdint>
#include <cstring>

namespace vp8 {
namespace {

using u8x16 = uint8x16_t;
using i16x8 = int16x8_t;

inline i16x8 as_i16(u8x16 v) { return vreinterpretq_s16_u8(v); }
inline u8x16 as_u8(i16x8 v) { return vreinterpretq_u8_s16(v); }
inline int8x16_t as_i8(u8x16 v) { return vreinterpretq_s8_u8(v); }
inline u8x16 from_i8(int8x16_t v) { return vreinterpretq_u8_s8(v); }

// ---- memory ----

inline u8x16 load_u8(const std::uint8_t* p) { return vld1q_u8(p); }
inline u8x16 load_u8_low(const std::uint8_t* p) { return vcombine_u8(vld1_u8(p), vdup_n_u8(0)); }
inline u8x16 load_u8_4(const void* p) {
  std::uint32_t word;
  std::memcpy(&word, p, sizeof word);
  return vreinterpretq_u8_u32(vsetq_lane_u32(word, vdupq_n_u32(0), 0));
}
inline void store_u8(std::uint8_t* p, u8x16 v) { vst1q_u8(p, v); }
inline void store_u8_low(std::uint8_t* p, u8x16 v) { vst1_u8(p, vget_low_u8(v)); }
inline void store_u8_high(std::uint8_t* p, u8x16 v) { vst1_u8(p, vget_high_u8(v)); }
template <int Word>
inline void store_u8_4(void* p, u8x16 v) {
  const std::uint32_t word = vgetq_lane_u32(vreinterpretq_u32_u8(v), Word);
  std::memcpy(p, &word, sizeof word);
}
inline i16x8 load_i16(const std::int16_t* p) { return vld1q_s16(p); }
inline i16x8 load_i16_low(const std::int16_t* p) {
  return vcombine_s16(vld1_s16(p), vdup_n_s16(0));
}
inline void store_i16(std::int16_t* p, i16x8 v) { vst1q_s16(p, v); }
inline std::uint64_t low_word(u8x16 v) { return vgetq_lane_u64(vreinterpretq_u64_u8(v), 0); }

inline u8x16 splat_u8(int value) { return vdupq_n_u8(static_cast<std::uint8_t>(value)); }
// For templates over the vector: one like the first.
inline u8x16 splat_like(u8x16, int value) { return splat_u8(value); }
inline i16x8 splat_i16(int value) { return vdupq_n_s16(static_cast<std::int16_t>(value)); }
// One value in lane 0, another in all others.
inline i16x8 first_and_rest(int first, int rest) {
  return vsetq_lane_s16(static_cast<std::int16_t>(first), splat_i16(rest), 0);
}

// ---- bits ----

inline u8x16 bit_and(u8x16 a, u8x16 b) { return vandq_u8(a, b); }
inline u8x16 bit_or(u8x16 a, u8x16 b) { return vorrq_u8(a, b); }
inline u8x16 bit_xor(u8x16 a, u8x16 b) { return veorq_u8(a, b); }
inline u8x16 clear_where(u8x16 a, u8x16 mask) { return vbicq_u8(a, mask); }
// Moves bytes to lower lanes, and zeros in above.
template <int Bytes>
inline u8x16 shift_down(u8x16 v) {
  return vextq_u8(v, vdupq_n_u8(0), Bytes);
}
template <int Bytes>
inline u8x16 shift_up(u8x16 v) {
  return vextq_u8(vdupq_n_u8(0), v, 16 - Bytes);
}

// ---- bytes ----

inline u8x16 add_sat_u8(u8x16 a, u8x16 b) { return vqaddq_u8(a, b); }
inline u8x16 sub_sat_u8(u8x16 a, u8x16 b) { return vqsubq_u8(a, b); }
inline u8x16 add_sat_i8(u8x16 a, u8x16 b) { return from_i8(vqaddq_s8(as_i8(a), as_i8(b))); }
inline u8x16 sub_sat_i8(u8x16 a, u8x16 b) { return from_i8(vqsubq_s8(as_i8(a), as_i8(b))); }
inline u8x16 sub_u8(u8x16 a, u8x16 b) { return vsubq_u8(a, b); }
inline u8x16 max_u8(u8x16 a, u8x16 b) { return vmaxq_u8(a, b); }
inline u8x16 average_u8(u8x16 a, u8x16 b) { return vrhaddq_u8(a, b); }
inline u8x16 difference_u8(u8x16 a, u8x16 b) { return vabdq_u8(a, b); }
inline u8x16 is_zero_u8(u8x16 v) { return vceqzq_u8(v); }
inline bool none_set(u8x16 mask) {
  const uint8x8_t halves = vshrn_n_u16(vreinterpretq_u16_u8(mask), 4);
  return vget_lane_u64(vreinterpret_u64_u8(halves), 0) == 0;
}
template <int Bits>
inline u8x16 shift_right_u8(u8x16 v) {
  return vshrq_n_u8(v, Bits);
}
// (v * Factor + 63) >> 7 of signed bytes; the shift rounds at 64.
template <int Factor>
inline u8x16 scale_i8(u8x16 v) {
  const int8x8_t factor = vdup_n_s8(Factor);
  const int16x8_t less = vdupq_n_s16(-1);
  const int16x8_t low = vmlal_s8(less, vget_low_s8(as_i8(v)), factor);
  const int16x8_t high = vmlal_s8(less, vget_high_s8(as_i8(v)), factor);
  return from_i8(vcombine_s8(vrshrn_n_s16(low, 7), vrshrn_n_s16(high, 7)));
}
// Lanes of `v` by number; 255 gives zero.
inline u8x16 lookup(u8x16 v, u8x16 lanes) { return vqtbl1q_u8(v, lanes); }
// Lanes of both by number; 32 and more give zero.
inline u8x16 lookup_of_two(u8x16 low, u8x16 high, u8x16 lanes) {
  return vqtbl2q_u8({{low, high}}, lanes);
}

// ---- lanes in turn from two vectors ----

inline u8x16 zip_low_u8(u8x16 a, u8x16 b) { return vzip1q_u8(a, b); }
inline u8x16 zip_high_u8(u8x16 a, u8x16 b) { return vzip2q_u8(a, b); }
inline u8x16 zip_low_u32(u8x16 a, u8x16 b) {
  return vreinterpretq_u8_u32(vzip1q_u32(vreinterpretq_u32_u8(a), vreinterpretq_u32_u8(b)));
}
inline u8x16 join_low_u8(u8x16 a, u8x16 b) { return vcombine_u8(vget_low_u8(a), vget_low_u8(b)); }
inline i16x8 zip_low_i16(i16x8 a, i16x8 b) { return vzip1q_s16(a, b); }
inline i16x8 zip_high_i16(i16x8 a, i16x8 b) { return vzip2q_s16(a, b); }
inline i16x8 zip_low_pairs(i16x8 a, i16x8 b) {
  return vreinterpretq_s16_s32(vzip1q_s32(vreinterpretq_s32_s16(a), vreinterpretq_s32_s16(b)));
}
inline i16x8 zip_high_pairs(i16x8 a, i16x8 b) {
  return vreinterpretq_s16_s32(vzip2q_s32(vreinterpretq_s32_s16(a), vreinterpretq_s32_s16(b)));
}
inline i16x8 join_low(i16x8 a, i16x8 b) { return vcombine_s16(vget_low_s16(a), vget_low_s16(b)); }
inline i16x8 join_high(i16x8 a, i16x8 b) {
  return vcombine_s16(vget_high_s16(a), vget_high_s16(b));
}

// ---- 16-bit lanes ----

inline i16x8 add_i16(i16x8 a, i16x8 b) { return vaddq_s16(a, b); }
inline i16x8 sub_i16(i16x8 a, i16x8 b) { return vsubq_s16(a, b); }
inline i16x8 mul_i16(i16x8 a, i16x8 b) { return vmulq_s16(a, b); }
template <int Bits>
inline i16x8 shift_right_i16(i16x8 v) {
  return vshrq_n_s16(v, Bits);
}
template <int Bits>
inline i16x8 shift_left_i16(i16x8 v) {
  return vshlq_n_s16(v, Bits);
}
inline i16x8 is_negative_i16(i16x8 v) { return vshrq_n_s16(v, 15); }
inline i16x8 abs_i16(i16x8 v) { return vabsq_s16(v); }
inline i16x8 even_bytes(u8x16 v) { return as_i16(vandq_u8(v, as_u8(vdupq_n_s16(0xff)))); }
inline i16x8 odd_bytes(u8x16 v) {
  return vreinterpretq_s16_u16(vshrq_n_u16(vreinterpretq_u16_u8(v), 8));
}
inline i16x8 widen_low(u8x16 v) { return vreinterpretq_s16_u16(vmovl_u8(vget_low_u8(v))); }
inline i16x8 widen_high(u8x16 v) { return vreinterpretq_s16_u16(vmovl_high_u8(v)); }
// Clamped to pixels.
inline u8x16 narrow(i16x8 low, i16x8 high) {
  return vcombine_u8(vqmovun_s16(low), vqmovun_s16(high));
}

// The two products of the inverse DCT: the multiplication doubles, so one is halved
// and the other's factor is half.
inline i16x8 times_cosine(i16x8 x) {
  return vaddq_s16(x, vshrq_n_s16(vqdmulhq_n_s16(x, 20091), 1));
}
inline i16x8 times_sine(i16x8 x) { return vqdmulhq_n_s16(x, 35468 / 2); }

// (a * Fa + b * Fb + half) >> Shift, computed in 32 bits.
template <int Fa, int Fb, int Shift>
inline i16x8 weigh(i16x8 a, i16x8 b) {
  const int32x4_t low = vmlal_n_s16(vmull_n_s16(vget_low_s16(a), Fa), vget_low_s16(b), Fb);
  const int32x4_t high = vmlal_n_s16(vmull_n_s16(vget_high_s16(a), Fa), vget_high_s16(b), Fb);
  return vcombine_s16(vrshrn_n_s32(low, Shift), vrshrn_n_s32(high, Shift));
}

// ---- sums ----

using Sum32 = uint32x4_t;  // four partial sums

inline Sum32 no_sum() { return vdupq_n_u32(0); }
inline Sum32 add_sums(Sum32 a, Sum32 b) { return vaddq_u32(a, b); }
inline int total(Sum32 sum) { return static_cast<int>(vaddvq_u32(sum)); }
inline int total_of_bytes(Sum32 sum) { return total(sum); }
inline Sum32 add_bytes(Sum32 sum, u8x16 v) { return vpadalq_u16(sum, vpaddlq_u8(v)); }
inline Sum32 add_differences(Sum32 sum, u8x16 a, u8x16 b) { return add_bytes(sum, vabdq_u8(a, b)); }
inline Sum32 add_squares(Sum32 sum, u8x16 v) {
  sum = vpadalq_u16(sum, vmull_u8(vget_low_u8(v), vget_low_u8(v)));
  return vpadalq_u16(sum, vmull_high_u8(v, v));
}
// Adds lanes of up to 32767.
inline Sum32 add_lanes(Sum32 sum, i16x8 v) { return vpadalq_u16(sum, vreinterpretq_u16_s16(v)); }
// The greater of each two neighbouring lanes of `a` and of `b`; neither is negative.
inline i16x8 greater_neighbours(i16x8 a, i16x8 b) { return vpmaxq_s16(a, b); }

// ---- quantisation ----

// min(((|c| + rounding) * reciprocal) >> 16, 2047) with the sign of c.
inline i16x8 quantize_lanes(i16x8 c, i16x8 rounding, i16x8 reciprocal) {
  const int16x8_t sign = vshrq_n_s16(c, 15);
  // -32768 becomes 32768, read without a sign.
  const uint16x8_t magnitude = vreinterpretq_u16_s16(vabsq_s16(c));
  const uint16x8_t sum = vqaddq_u16(magnitude, vreinterpretq_u16_s16(rounding));
  const uint16x8_t factor = vreinterpretq_u16_s16(reciprocal);
  const uint32x4_t low = vmull_u16(vget_low_u16(sum), vget_low_u16(factor));
  const uint32x4_t high = vmull_high_u16(sum, factor);
  const uint16x8_t level = vminq_u16(
      vuzp2q_u16(vreinterpretq_u16_u32(low), vreinterpretq_u16_u32(high)), vdupq_n_u16(2047));
  return vsubq_s16(veorq_s16(vreinterpretq_s16_u16(level), sign), sign);
}
// A bit for each of the 16 lanes that is not zero.
inline std::uint32_t bits_where_nonzero(i16x8 low, i16x8 high) {
  const uint8x8_t bits = vcreate_u8(0x8040201008040201);
  const uint8x8_t first = vand_u8(vmovn_u16(vtstq_s16(low, low)), bits);
  const uint8x8_t second = vand_u8(vmovn_u16(vtstq_s16(high, high)), bits);
  return static_cast<std::uint32_t>(vaddv_u8(first) | vaddv_u8(second) << 8);
}

// ---- interpolation ----

// Magnitudes; the second and the fifth tap are never positive, the others never
// negative.
struct SixtapTaps {
  uint8x8_t tap[6];
};
inline SixtapTaps sixtap_taps(const std::int16_t* t) {
  SixtapTaps taps;
  for (int i = 0; i < 6; ++i) {
    taps.tap[i] = vdup_n_u8(static_cast<std::uint8_t>(t[i] < 0 ? -t[i] : t[i]));
  }
  return taps;
}
// The fourth tap's product is added last and saturates only if the pixel is 255 anyway; all
// sums before it fit into 16 bits.
inline uint8x8_t round_taps(uint16x8_t sum, uint16x8_t last) {
  return vqrshrun_n_s16(vqaddq_s16(vreinterpretq_s16_u16(sum), vreinterpretq_s16_u16(last)), 7);
}
inline uint16x8_t three_products(uint8x8_t b, uint8x8_t c, uint8x8_t e, const SixtapTaps& taps) {
  const uint16x8_t sum = vmlsl_u8(vmull_u8(c, taps.tap[2]), b, taps.tap[1]);
  return vmlsl_u8(sum, e, taps.tap[4]);
}
inline u8x16 filter_four(u8x16 b, u8x16 c, u8x16 d, u8x16 e, const SixtapTaps& taps) {
  const uint16x8_t low = three_products(vget_low_u8(b), vget_low_u8(c), vget_low_u8(e), taps);
  const uint16x8_t high = three_products(vget_high_u8(b), vget_high_u8(c), vget_high_u8(e), taps);
  return vcombine_u8(round_taps(low, vmull_u8(vget_low_u8(d), taps.tap[3])),
                     round_taps(high, vmull_u8(vget_high_u8(d), taps.tap[3])));
}
inline u8x16 filter_six(u8x16 a, u8x16 b, u8x16 c, u8x16 d, u8x16 e, u8x16 f,
                        const SixtapTaps& taps) {
  uint16x8_t low = three_products(vget_low_u8(b), vget_low_u8(c), vget_low_u8(e), taps);
  low = vmlal_u8(vmlal_u8(low, vget_low_u8(a), taps.tap[0]), vget_low_u8(f), taps.tap[5]);
  uint16x8_t high = three_products(vget_high_u8(b), vget_high_u8(c), vget_high_u8(e), taps);
  high = vmlal_u8(vmlal_u8(high, vget_high_u8(a), taps.tap[0]), vget_high_u8(f), taps.tap[5]);
  return vcombine_u8(round_taps(low, vmull_u8(vget_low_u8(d), taps.tap[3])),
                     round_taps(high, vmull_u8(vget_high_u8(d), taps.tap[3])));
}
// (a * (128 - share) + b * share + 64) >> 7; `share` from 1 to 127.
inline u8x16 filter_two(u8x16 a, u8x16 b, int share) {
  const uint8x8_t rest = vdup_n_u8(static_cast<std::uint8_t>(128 - share));
  const uint8x8_t part = vdup_n_u8(static_cast<std::uint8_t>(share));
  const uint16x8_t low = vmlal_u8(vmull_u8(vget_low_u8(a), rest), vget_low_u8(b), part);
  const uint16x8_t high = vmlal_u8(vmull_u8(vget_high_u8(a), rest), vget_high_u8(b), part);
  return vcombine_u8(vrshrn_n_u16(low, 7), vrshrn_n_u16(high, 7));
}

}  // namespace
}  // namespace vp8
