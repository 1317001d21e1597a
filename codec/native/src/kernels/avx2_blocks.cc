// Transforms of four blocks and block differences in AVX2.
//
// Everything here is in an unnamed namespace, and calls no inline function of another
// header: the linker merges copies of those, and might keep the one with AVX2.
#if defined(__x86_64__)

#include "kernels/avx2.h"
#include "kernels/simd_distortion.h"
#include "kernels/simd_transforms.h"
#include "kernels/vector128.h"

namespace vp8 {
namespace {

// The first halves of two vectors, and the second ones.
inline Wide low_halves(Wide a, Wide b) { return _mm256_permute2x128_si256(a, b, 0x20); }
inline Wide high_halves(Wide a, Wide b) { return _mm256_permute2x128_si256(a, b, 0x31); }

// ---- transforms ----

inline void add_two_wide_rows(std::uint8_t* pixels, std::ptrdiff_t stride, Wide first,
                              Wide second) {
  const Wide sum = _mm256_packus_epi16(add_i16(load_pixels(pixels), first),
                                       add_i16(load_pixels(pixels + stride), second));
  const Wide rows = _mm256_permute4x64_epi64(sum, 0xd8);
  store_u8(pixels, low_half(rows));
  store_u8(pixels + stride, high_half(rows));
}

void dequantize_inverse_dct_add_wide(const std::int16_t* values, int dc_step, int ac_step,
                                     std::uint8_t* pixels, std::ptrdiff_t stride) {
  const Wide steps = wide(first_and_rest(dc_step, ac_step), splat_i16(ac_step));
  const auto load = [&](int block) {
    return _mm256_mullo_epi16(load_wide(values + 16 * block), steps);
  };
  const Wide a = load(0);
  const Wide b = load(1);
  const Wide c = load(2);
  const Wide d = load(3);
  // Rows 0 and 2, and 1 and 3, of two blocks each.
  const Wide even_ab = zip_low_i16(a, b);
  const Wide odd_ab = zip_high_i16(a, b);
  const Wide even_cd = zip_low_i16(c, d);
  const Wide odd_cd = zip_high_i16(c, d);
  Wide v[4] = {low_halves(even_ab, even_cd), low_halves(odd_ab, odd_cd),
               high_halves(even_ab, even_cd), high_halves(odd_ab, odd_cd)};
  inverse_dct(v, wide_i16(4));
  add_two_wide_rows(pixels, stride, v[0], v[1]);
  add_two_wide_rows(pixels + 2 * stride, stride, v[2], v[3]);
}

// Four blocks from the differences of their rows, each row with all four's pixels.
inline void forward_dct_four(Wide (&v)[4], std::int16_t* blocks) {
  forward_dct_of(v, wide_i16(8));
  const Wide ac01 = join_low(v[0], v[1]);
  const Wide ac23 = join_low(v[2], v[3]);
  const Wide bd01 = join_high(v[0], v[1]);
  const Wide bd23 = join_high(v[2], v[3]);
  store_wide(blocks, low_halves(ac01, ac23));
  store_wide(blocks + 16, low_halves(bd01, bd23));
  store_wide(blocks + 32, high_halves(ac01, ac23));
  store_wide(blocks + 48, high_halves(bd01, bd23));
}

void forward_dct16_wide(const std::uint8_t* source, std::ptrdiff_t source_stride,
                        const std::uint8_t* prediction, std::ptrdiff_t prediction_stride,
                        std::int16_t* blocks) {
  for (int row = 0; row < 4; ++row) {
    Wide v[4];
    for (Wide& line : v) {
      line = sub_i16(load_pixels(source), load_pixels(prediction));
      source += source_stride;
      prediction += prediction_stride;
    }
    forward_dct_four(v, blocks + 64 * row);
  }
}

void forward_dct8_wide(const std::uint8_t* source, std::ptrdiff_t source_stride,
                       const std::uint8_t* prediction, std::ptrdiff_t prediction_stride,
                       std::int16_t* blocks) {
  // Two blocks and the two below them.
  const auto load = [](const std::uint8_t* pixels, std::ptrdiff_t stride) {
    return _mm256_cvtepu8_epi16(two_rows(pixels, pixels + 4 * stride));
  };
  Wide v[4];
  for (Wide& line : v) {
    line = sub_i16(load(source, source_stride), load(prediction, prediction_stride));
    source += source_stride;
    prediction += prediction_stride;
  }
  forward_dct_four(v, blocks);
}

std::uint32_t quantize_wide(const std::int16_t* blocks, int count, const Quantizer& quantizer,
                            std::int16_t* values, std::uint16_t* nonzero) {
  const Wide rounding = wide(first_and_rest(quantizer.rounding[0], quantizer.rounding[1]),
                             splat_i16(quantizer.rounding[1]));
  const Wide reciprocal = wide(first_and_rest(quantizer.reciprocal[0], quantizer.reciprocal[1]),
                               splat_i16(quantizer.reciprocal[1]));
  const auto level_of = [&](Wide magnitude) {
    const Wide sum = _mm256_adds_epu16(magnitude, rounding);
    return _mm256_min_epu16(_mm256_mulhi_epu16(sum, reciprocal), wide_i16(2047));
  };
  // Loaded by halves, since they may just have been stored by halves.
  const auto load = [](const std::int16_t* block) {
    return wide(load_i16(block), load_i16(block + 8));
  };
  // In most macroblocks every level is rounded to zero: that is so if the greatest is.
  if (count > 1) {
    Wide greatest = _mm256_setzero_si256();
    for (int block = 0; block < count; ++block) {
      greatest = _mm256_max_epu16(greatest, abs_i16(load(blocks + 16 * block)));
    }
    const Wide level = level_of(greatest);
    if (_mm256_testz_si256(level, level) != 0) return 0;
  }
  std::uint32_t any = 0;
  for (int block = 0; block < count; ++block) {
    const Wide c = load(blocks);
    const Wide level = level_of(abs_i16(c));
    const Wide sign = shift_right_i16<15>(c);
    store_wide(values, sub_i16(_mm256_xor_si256(level, sign), sign));
    const std::uint32_t bits = bits_where_nonzero(low_half(level), high_half(level));
    nonzero[block] = static_cast<std::uint16_t>(bits);
    any |= static_cast<std::uint32_t>(bits != 0) << block;
    blocks += 16;
    values += 16;
  }
  return any;
}

// ---- differences ----

int sad16_wide(const std::uint8_t* a, std::ptrdiff_t a_stride, const std::uint8_t* b,
               std::ptrdiff_t b_stride) {
  const std::ptrdiff_t a3 = 3 * a_stride;
  const std::ptrdiff_t b3 = 3 * b_stride;
  Wide sums[2] = {_mm256_setzero_si256(), _mm256_setzero_si256()};
// If this were unrolled, every row's address would wait for the one before.
#pragma GCC unroll 1
  for (int y = 0; y < 4; ++y) {
    const Wide first = _mm256_sad_epu8(wide(load_u8(a), load_u8(a + a_stride)),
                                       wide(load_u8(b), load_u8(b + b_stride)));
    const Wide second = _mm256_sad_epu8(wide(load_u8(a + 2 * a_stride), load_u8(a + a3)),
                                        wide(load_u8(b + 2 * b_stride), load_u8(b + b3)));
    sums[0] = _mm256_add_epi32(sums[0], first);
    sums[1] = _mm256_add_epi32(sums[1], second);
    a += 4 * a_stride;
    b += 4 * b_stride;
  }
  const Wide sum = _mm256_add_epi32(sums[0], sums[1]);
  return total_of_bytes(_mm_add_epi32(low_half(sum), high_half(sum)));
}

// The source stays in registers, two rows in each.
void sad16_many_wide(const std::uint8_t* source, std::ptrdiff_t source_stride,
                     const std::uint8_t* const* others, std::ptrdiff_t stride, int count,
                     int* sads) {
  const auto two_at = [](const std::uint8_t* pixels, std::ptrdiff_t step) {
    return wide(load_u8(pixels), load_u8(pixels + step));
  };
  Wide rows[8];
  for (int y = 0; y < 8; ++y) rows[y] = two_at(source + 2 * y * source_stride, source_stride);
  for (int i = 0; i < count; ++i) {
    const std::uint8_t* other = others[i];
    Wide sums[2] = {_mm256_setzero_si256(), _mm256_setzero_si256()};
    for (int y = 0; y < 8; ++y) {
      sums[y & 1] = _mm256_add_epi32(sums[y & 1], _mm256_sad_epu8(rows[y], two_at(other, stride)));
      other += 2 * stride;
    }
    const Wide sum = _mm256_add_epi32(sums[0], sums[1]);
    sads[i] = total_of_bytes(_mm_add_epi32(low_half(sum), high_half(sum)));
  }
}

int sse16_wide(const std::uint8_t* a, std::ptrdiff_t a_stride, const std::uint8_t* b,
               std::ptrdiff_t b_stride) {
  Wide sums[2] = {_mm256_setzero_si256(), _mm256_setzero_si256()};
  for (int y = 0; y < 16; y += 2) {
    for (Wide& sum : sums) {
      const Wide difference = sub_i16(load_pixels(a), load_pixels(b));
      sum = _mm256_add_epi32(sum, _mm256_madd_epi16(difference, difference));
      a += a_stride;
      b += b_stride;
    }
  }
  return total(_mm256_add_epi32(sums[0], sums[1]));
}

void sum_and_squares_wide(const std::uint8_t* pixels, std::ptrdiff_t stride, std::uint32_t* sum,
                          std::uint32_t* squares) {
  Wide bytes = _mm256_setzero_si256();
  Wide squared = _mm256_setzero_si256();
  for (int y = 0; y < 16; ++y) {
    const Wide row = load_pixels(pixels);
    bytes = add_i16(bytes, row);  // up to 16 times 255
    squared = _mm256_add_epi32(squared, _mm256_madd_epi16(row, row));
    pixels += stride;
  }
  *sum = static_cast<std::uint32_t>(total(add_lanes(_mm256_setzero_si256(), bytes)));
  *squares = static_cast<std::uint32_t>(total(squared));
}

// ---- Hadamard ----

// Sums of neighbouring columns in the first half, differences in the second.
inline Wide sums_and_differences(u8x16 pixels) {
  const Wide signs = wide(splat_u8(1), splat_i16(0xff01));
  return _mm256_maddubs_epi16(twice(pixels), signs);
}

inline Wide satd_rows(const u8x16 (&a)[4], const u8x16 (&b)[4]) {
  Wide v[4];
  for (int y = 0; y < 4; ++y)
    v[y] = sub_i16(sums_and_differences(a[y]), sums_and_differences(b[y]));
  return four_rows_hadamard(v);
}

int satd16_wide(const std::uint8_t* a, std::ptrdiff_t a_stride, const std::uint8_t* b,
                std::ptrdiff_t b_stride) {
  Wide lanes = _mm256_setzero_si256();
  for (int y = 0; y < 16; y += 4) {
    u8x16 p[4];
    u8x16 q[4];
    for (int i = 0; i < 4; ++i) {
      p[i] = load_u8(a + (y + i) * a_stride);
      q[i] = load_u8(b + (y + i) * b_stride);
    }
    lanes = add_i16(lanes, satd_rows(p, q));  // up to 8 times 2040
  }
  return total(add_lanes(_mm256_setzero_si256(), lanes));
}

int satd8_wide(const std::uint8_t* a, std::ptrdiff_t a_stride, const std::uint8_t* b,
               std::ptrdiff_t b_stride) {
  u8x16 p[4];
  u8x16 q[4];
  for (int i = 0; i < 4; ++i) {
    p[i] = two_rows(a + i * a_stride, a + (i + 4) * a_stride);
    q[i] = two_rows(b + i * b_stride, b + (i + 4) * b_stride);
  }
  return total(add_lanes(_mm256_setzero_si256(), satd_rows(p, q)));
}

// Two predictions at a time, each in its half.
void satd_many_wide(const std::uint8_t* source, std::ptrdiff_t source_stride,
                    const std::uint8_t (*predictions)[16], int count, int* satds) {
  const u8x16 pixels = four_rows(source, source_stride);
  const Wide ones = _mm256_set1_epi8(1);
  const Wide signs = wide_i16(0xff01);
  const Wide source_sums = _mm256_maddubs_epi16(twice(pixels), ones);
  const Wide source_differences = _mm256_maddubs_epi16(twice(pixels), signs);
  const auto pair = [&](Wide two) {
    const Wide lanes = satd4_lanes(sub_i16(source_sums, _mm256_maddubs_epi16(two, ones)),
                                   sub_i16(source_differences, _mm256_maddubs_epi16(two, signs)));
    return add_lanes(_mm256_setzero_si256(), lanes);
  };
  int i = 0;
  for (; i + 4 <= count; i += 4) {
    const Wide sums =
        _mm256_hadd_epi32(pair(load_wide(predictions[i])), pair(load_wide(predictions[i + 2])));
    const Wide totals = _mm256_hadd_epi32(sums, sums);
    store_u8_low(satds + i, _mm_unpacklo_epi32(low_half(totals), high_half(totals)));
    satds[i + 2] = _mm_extract_epi32(low_half(totals), 1);
    satds[i + 3] = _mm_extract_epi32(high_half(totals), 1);
  }
  for (; i + 2 <= count; i += 2) {
    const Wide sums = pair(load_wide(predictions[i]));
    satds[i] = total(low_half(sums));
    satds[i + 1] = total(high_half(sums));
  }
  if (i < count) satds[i] = total(low_half(pair(twice(load_u8(predictions[i])))));
}

}  // namespace

void install_avx2_blocks(Kernels& table) {
  table.dequantize_inverse_dct_add[2] = dequantize_inverse_dct_add_wide;
  table.forward_dct[1] = forward_dct8_wide;
  table.forward_dct[2] = forward_dct16_wide;
  table.quantize = quantize_wide;
  table.sad[2] = sad16_wide;
  table.sse[2] = sse16_wide;
  table.satd[1] = satd8_wide;
  table.satd[2] = satd16_wide;
  table.sad_many[2] = sad16_many_wide;
  table.satd_many = satd_many_wide;
  table.sum_and_squares = sum_and_squares_wide;
}

}  // namespace vp8

#endif
