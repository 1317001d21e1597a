// Transforms and quantisation (RFC 6386, section 14) on 16-bit lanes, two blocks to
// a vector of 128 bits.
//
// Templates over the vector: with 256 bits every operation works on each half by itself, so
// the same code transforms four blocks, two in each half.
#pragma once

#include "kernels/vector128.h"

namespace vp8 {
namespace {

// Rows of the two blocks A and B, lane by lane in turn (A0 B0 A1 B1 ...), become
// columns in the same order.
template <typename Lanes>
inline void transpose_pairs(Lanes (&v)[4]) {
  const Lanes a = zip_low_pairs(v[0], v[2]);
  const Lanes b = zip_high_pairs(v[0], v[2]);
  const Lanes c = zip_low_pairs(v[1], v[3]);
  const Lanes d = zip_high_pairs(v[1], v[3]);
  v[0] = zip_low_pairs(a, c);
  v[1] = zip_high_pairs(a, c);
  v[2] = zip_low_pairs(b, d);
  v[3] = zip_high_pairs(b, d);
}

// The same, and the blocks' lanes end up apart (A0 to A3, then B0 to B3).
template <typename Lanes>
inline void transpose_and_part(Lanes (&v)[4]) {
  const Lanes a = zip_low_i16(v[0], v[2]);
  const Lanes b = zip_high_i16(v[0], v[2]);
  const Lanes c = zip_low_i16(v[1], v[3]);
  const Lanes d = zip_high_i16(v[1], v[3]);
  v[0] = zip_low_i16(a, c);
  v[1] = zip_high_i16(a, c);
  v[2] = zip_low_i16(b, d);
  v[3] = zip_high_i16(b, d);
}

template <typename Lanes>
inline void inverse_dct_pass(Lanes (&v)[4]) {
  const Lanes a = add_i16(v[0], v[2]);
  const Lanes b = sub_i16(v[0], v[2]);
  const Lanes c = sub_i16(times_sine(v[1]), times_cosine(v[3]));
  const Lanes d = add_i16(times_cosine(v[1]), times_sine(v[3]));
  v[0] = add_i16(a, d);
  v[1] = add_i16(b, c);
  v[2] = sub_i16(b, c);
  v[3] = sub_i16(a, d);
}

// From rows in turn to the residue's rows, blocks apart.
template <typename Lanes>
inline void inverse_dct(Lanes (&v)[4], Lanes rounding) {
  inverse_dct_pass(v);
  transpose_pairs(v);
  v[0] = add_i16(v[0], rounding);
  inverse_dct_pass(v);
  transpose_and_part(v);
  for (Lanes& row : v) row = shift_right_i16<3>(row);
}

// The dequantised rows of two blocks in turn.
inline void load_two_blocks(const std::int16_t* values, int dc_step, int ac_step, i16x8 (&v)[4]) {
  const i16x8 first_steps = first_and_rest(dc_step, ac_step);
  const i16x8 steps = splat_i16(ac_step);
  const i16x8 a01 = mul_i16(load_i16(values), first_steps);
  const i16x8 a23 = mul_i16(load_i16(values + 8), steps);
  const i16x8 b01 = mul_i16(load_i16(values + 16), first_steps);
  const i16x8 b23 = mul_i16(load_i16(values + 24), steps);
  v[0] = zip_low_i16(a01, b01);
  v[1] = zip_high_i16(a01, b01);
  v[2] = zip_low_i16(a23, b23);
  v[3] = zip_high_i16(a23, b23);
}

// Adds residue to pixels, two rows of eight.
inline void add_two_rows(std::uint8_t* pixels, std::ptrdiff_t stride, i16x8 first, i16x8 second) {
  const i16x8 a = add_i16(widen_low(load_u8_low(pixels)), first);
  const i16x8 b = add_i16(widen_low(load_u8_low(pixels + stride)), second);
  store_two_rows(pixels, stride, narrow(a, b));
}

inline void dequantize_inverse_dct_add_two(const std::int16_t* values, int dc_step, int ac_step,
                                           std::uint8_t* pixels, std::ptrdiff_t stride) {
  i16x8 v[4];
  load_two_blocks(values, dc_step, ac_step, v);
  inverse_dct(v, splat_i16(4));
  add_two_rows(pixels, stride, v[0], v[1]);
  add_two_rows(pixels + 2 * stride, stride, v[2], v[3]);
}

inline void dequantize_inverse_dct_add_four(const std::int16_t* values, int dc_step, int ac_step,
                                            std::uint8_t* pixels, std::ptrdiff_t stride) {
  dequantize_inverse_dct_add_two(values, dc_step, ac_step, pixels, stride);
  dequantize_inverse_dct_add_two(values + 32, dc_step, ac_step, pixels + 8, stride);
}

inline void dequantize_inverse_dct_add_one(const std::int16_t* values, int dc_step, int ac_step,
                                           std::uint8_t* pixels, std::ptrdiff_t stride) {
  const i16x8 rows01 = mul_i16(load_i16(values), first_and_rest(dc_step, ac_step));
  const i16x8 rows23 = mul_i16(load_i16(values + 8), splat_i16(ac_step));
  // The other block's lanes are filled with the same values.
  i16x8 v[4] = {zip_low_i16(rows01, rows01), zip_high_i16(rows01, rows01),
                zip_low_i16(rows23, rows23), zip_high_i16(rows23, rows23)};
  inverse_dct(v, splat_i16(4));
  const u8x16 old = four_rows(pixels, stride);
  const u8x16 sum = narrow(add_i16(widen_low(old), join_low(v[0], v[1])),
                           add_i16(widen_high(old), join_low(v[2], v[3])));
  store_four_rows(pixels, stride, sum);
}

// (dc + 4) >> 3 of four blocks as bytes to add and to subtract, each for four pixels.
inline void spread_dcs(i16x8 dcs, u8x16* up, u8x16* down) {
  const i16x8 value = shift_right_i16<3>(add_i16(dcs, splat_i16(4)));
  const u8x16 bytes = narrow(value, sub_i16(splat_i16(0), value));
  const u8x16 twice_up = zip_low_u8(bytes, bytes);
  const u8x16 twice_down = zip_high_u8(bytes, bytes);
  *up = as_u8(zip_low_i16(as_i16(twice_up), as_i16(twice_up)));
  *down = as_u8(zip_low_i16(as_i16(twice_down), as_i16(twice_down)));
}

template <int Width>
void inverse_dct_dc_add_simd(const std::int16_t* dcs, std::uint8_t* pixels, std::ptrdiff_t stride) {
  u8x16 up;
  u8x16 down;
  if constexpr (Width == 16) {
    spread_dcs(load_i16_low(dcs), &up, &down);
  } else if constexpr (Width == 8) {
    spread_dcs(as_i16(load_u8_4(dcs)), &up, &down);
    up = join_low_u8(up, up);
    down = join_low_u8(down, down);
  } else {
    spread_dcs(splat_i16(dcs[0]), &up, &down);
  }
  constexpr int kRows = 16 / Width;
  for (int y = 0; y < 4; y += kRows) {
    std::uint8_t* rows = pixels + y * stride;
    const u8x16 old = rows_of<Width>(rows, stride);
    store_rows_of<Width>(rows, stride, sub_sat_u8(add_sat_u8(old, up), down));
  }
}

template <typename Lanes>
inline void walsh_pass(Lanes (&v)[4]) {
  const Lanes a = add_i16(v[0], v[3]);
  const Lanes b = add_i16(v[1], v[2]);
  const Lanes c = sub_i16(v[1], v[2]);
  const Lanes d = sub_i16(v[0], v[3]);
  v[0] = add_i16(a, b);
  v[1] = add_i16(c, d);
  v[2] = sub_i16(a, b);
  v[3] = sub_i16(d, c);
}

inline void dequantize_inverse_walsh_simd(const std::int16_t* values, int dc_step, int ac_step,
                                          std::int16_t* dc_of_16_blocks) {
  const i16x8 rows01 = mul_i16(load_i16(values), first_and_rest(dc_step, ac_step));
  const i16x8 rows23 = mul_i16(load_i16(values + 8), splat_i16(ac_step));
  i16x8 v[4] = {zip_low_i16(rows01, rows01), zip_high_i16(rows01, rows01),
                zip_low_i16(rows23, rows23), zip_high_i16(rows23, rows23)};
  walsh_pass(v);
  transpose_pairs(v);
  v[0] = add_i16(v[0], splat_i16(3));  // in every sum once
  walsh_pass(v);
  transpose_and_part(v);
  store_i16(dc_of_16_blocks, shift_right_i16<3>(join_low(v[0], v[1])));
  store_i16(dc_of_16_blocks + 8, shift_right_i16<3>(join_low(v[2], v[3])));
}

// ---- forward ----

// cos(pi / 8) and sin(pi / 8) times sqrt(2), in 4096ths.
constexpr int kForwardCosine = 5352;
constexpr int kForwardSine = 2217;

// Rows of differences, blocks apart, to coefficients of rows, blocks apart.
template <typename Lanes>
inline void forward_dct_of(Lanes (&v)[4], Lanes eight) {
  // Three turns of zips: blocks apart to columns in turn.
  const Lanes t0 = zip_low_i16(v[0], v[2]);
  const Lanes t1 = zip_high_i16(v[0], v[2]);
  const Lanes t2 = zip_low_i16(v[1], v[3]);
  const Lanes t3 = zip_high_i16(v[1], v[3]);
  const Lanes a01 = zip_low_i16(t0, t2);
  const Lanes a23 = zip_high_i16(t0, t2);
  const Lanes b01 = zip_low_i16(t1, t3);
  const Lanes b23 = zip_high_i16(t1, t3);
  const Lanes x0 = shift_left_i16<3>(zip_low_i16(a01, b01));
  const Lanes x1 = shift_left_i16<3>(zip_high_i16(a01, b01));
  const Lanes x2 = shift_left_i16<3>(zip_low_i16(a23, b23));
  const Lanes x3 = shift_left_i16<3>(zip_high_i16(a23, b23));
  Lanes a = add_i16(x0, x3);
  Lanes b = add_i16(x1, x2);
  Lanes c = sub_i16(x1, x2);
  Lanes d = sub_i16(x0, x3);
  v[0] = add_i16(a, b);
  v[1] = weigh<kForwardSine, kForwardCosine, 12>(c, d);
  v[2] = sub_i16(a, b);
  v[3] = weigh<-kForwardCosine, kForwardSine, 12>(c, d);
  transpose_and_part(v);
  a = add_i16(v[0], v[3]);
  b = add_i16(v[1], v[2]);
  c = sub_i16(v[1], v[2]);
  d = sub_i16(v[0], v[3]);
  a = add_i16(a, eight);
  v[0] = shift_right_i16<4>(add_i16(a, b));
  v[1] = weigh<kForwardSine, kForwardCosine, 16>(c, d);
  v[2] = shift_right_i16<4>(sub_i16(a, b));
  v[3] = weigh<-kForwardCosine, kForwardSine, 16>(c, d);
}

inline void forward_dct_two(const std::uint8_t* source, std::ptrdiff_t source_stride,
                            const std::uint8_t* prediction, std::ptrdiff_t prediction_stride,
                            std::int16_t* blocks) {
  i16x8 v[4];
  for (int y = 0; y < 4; ++y) {
    v[y] = sub_i16(widen_low(load_u8_low(source + y * source_stride)),
                   widen_low(load_u8_low(prediction + y * prediction_stride)));
  }
  forward_dct_of(v, splat_i16(8));
  store_i16(blocks, join_low(v[0], v[1]));
  store_i16(blocks + 8, join_low(v[2], v[3]));
  store_i16(blocks + 16, join_high(v[0], v[1]));
  store_i16(blocks + 24, join_high(v[2], v[3]));
}

// Squares of `Size` pixels by rows of blocks.
template <int Size>
void forward_dct_rows(const std::uint8_t* source, std::ptrdiff_t source_stride,
                      const std::uint8_t* prediction, std::ptrdiff_t prediction_stride,
                      std::int16_t* blocks) {
  for (int y = 0; y < Size; y += 4) {
    for (int x = 0; x < Size; x += 8) {
      forward_dct_two(source + x, source_stride, prediction + x, prediction_stride, blocks);
      blocks += 32;
    }
    source += 4 * source_stride;
    prediction += 4 * prediction_stride;
  }
}

inline void forward_dct_one(const std::uint8_t* source, std::ptrdiff_t source_stride,
                            const std::uint8_t* prediction, std::ptrdiff_t prediction_stride,
                            std::int16_t* block) {
  i16x8 v[4];
  for (int y = 0; y < 4; ++y) {
    v[y] = sub_i16(widen_low(load_u8_4(source + y * source_stride)),
                   widen_low(load_u8_4(prediction + y * prediction_stride)));
  }
  forward_dct_of(v, splat_i16(8));
  store_i16(block, join_low(v[0], v[1]));
  store_i16(block + 8, join_low(v[2], v[3]));
}

// The first values of four blocks.
inline i16x8 four_dcs(const std::int16_t* blocks) {
  return zip_low_pairs(zip_low_i16(as_i16(load_u8_4(blocks)), as_i16(load_u8_4(blocks + 16))),
                       zip_low_i16(as_i16(load_u8_4(blocks + 32)), as_i16(load_u8_4(blocks + 48))));
}

// Nothing is rounded before the end, so the passes may change places.
inline void forward_walsh_simd(const std::int16_t* blocks, std::int16_t* block) {
  const i16x8 rows01 = join_low(four_dcs(blocks), four_dcs(blocks + 64));
  const i16x8 rows23 = join_low(four_dcs(blocks + 128), four_dcs(blocks + 192));
  i16x8 v[4] = {zip_low_i16(rows01, rows01), zip_high_i16(rows01, rows01),
                zip_low_i16(rows23, rows23), zip_high_i16(rows23, rows23)};
  walsh_pass(v);
  transpose_pairs(v);
  walsh_pass(v);
  transpose_and_part(v);
  const auto halve = [](i16x8 sum) {
    const i16x8 away_from_zero = sub_i16(sum, is_negative_i16(sum));
    return shift_right_i16<1>(add_i16(away_from_zero, splat_i16(1)));
  };
  store_i16(block, halve(join_low(v[0], v[1])));
  store_i16(block + 8, halve(join_low(v[2], v[3])));
}

inline std::uint32_t quantize_simd(const std::int16_t* blocks, int count,
                                   const Quantizer& quantizer, std::int16_t* values,
                                   std::uint16_t* nonzero) {
  const i16x8 rounding = splat_i16(quantizer.rounding[1]);
  const i16x8 reciprocal = splat_i16(quantizer.reciprocal[1]);
  const i16x8 first_rounding = first_and_rest(quantizer.rounding[0], quantizer.rounding[1]);
  const i16x8 first_reciprocal = first_and_rest(quantizer.reciprocal[0], quantizer.reciprocal[1]);
  std::uint32_t any = 0;
  for (int block = 0; block < count; ++block) {
    const i16x8 low = quantize_lanes(load_i16(blocks), first_rounding, first_reciprocal);
    const i16x8 high = quantize_lanes(load_i16(blocks + 8), rounding, reciprocal);
    store_i16(values, low);
    store_i16(values + 8, high);
    const std::uint32_t bits = bits_where_nonzero(low, high);
    nonzero[block] = static_cast<std::uint16_t>(bits);
    any |= static_cast<std::uint32_t>(bits != 0) << block;
    blocks += 16;
    values += 16;
  }
  return any;
}

inline void install_simd_transforms(Kernels& table) {
  table.dequantize_inverse_dct_add[0] = dequantize_inverse_dct_add_one;
  table.dequantize_inverse_dct_add[1] = dequantize_inverse_dct_add_two;
  table.dequantize_inverse_dct_add[2] = dequantize_inverse_dct_add_four;
  table.inverse_dct_dc_add[0] = inverse_dct_dc_add_simd<4>;
  table.inverse_dct_dc_add[1] = inverse_dct_dc_add_simd<8>;
  table.inverse_dct_dc_add[2] = inverse_dct_dc_add_simd<16>;
  table.dequantize_inverse_walsh = dequantize_inverse_walsh_simd;
  table.forward_dct[0] = forward_dct_one;
  table.forward_dct[1] = forward_dct_rows<8>;
  table.forward_dct[2] = forward_dct_rows<16>;
  table.forward_walsh = forward_walsh_simd;
  table.quantize = quantize_simd;
}

}  // namespace
}  // namespace vp8
