// Block differences for the encoder's decisions, 16 pixels at once.
#pragma once

#include "kernels/vector128.h"

namespace vp8 {
namespace {

template <int Size>
int sad_simd(const std::uint8_t* a, std::ptrdiff_t a_stride, const std::uint8_t* b,
             std::ptrdiff_t b_stride) {
  constexpr int kRows = 16 / Size;
  // Two sums, so that additions need not wait for each other.
  Sum32 sums[2] = {no_sum(), no_sum()};
  for (int i = 0; i < Size / kRows; ++i) {
    sums[i & 1] =
        add_differences(sums[i & 1], rows_of<Size>(a, a_stride), rows_of<Size>(b, b_stride));
    a += kRows * a_stride;
    b += kRows * b_stride;
  }
  return total_of_bytes(add_sums(sums[0], sums[1]));
}

template <int Size>
void sad_many_simd(const std::uint8_t* source, std::ptrdiff_t source_stride,
                   const std::uint8_t* const* others, std::ptrdiff_t stride, int count, int* sads) {
  for (int i = 0; i < count; ++i) {
    sads[i] = sad_simd<Size>(source, source_stride, others[i], stride);
  }
}

template <int Size>
int sse_simd(const std::uint8_t* a, std::ptrdiff_t a_stride, const std::uint8_t* b,
             std::ptrdiff_t b_stride) {
  Sum32 sum = no_sum();
  for (int y = 0; y < Size; y += 16 / Size) {
    sum = add_squares(sum, difference_u8(rows_of<Size>(a + y * a_stride, a_stride),
                                         rows_of<Size>(b + y * b_stride, b_stride)));
  }
  return total(sum);
}

// ---- Hadamard ----
//
// The sum is of absolute values, so neither the order nor the signs of coefficients matter.
// The last step of butterflies is left out: |x + y| + |x - y| is twice the greater of |x|
// and |y|, and halving the sum cancels the doubling.

template <typename Lanes>
inline void butterfly(Lanes& a, Lanes& b) {
  const Lanes sum = add_i16(a, b);
  b = sub_i16(a, b);
  a = sum;
}

// Sums and differences of each two neighbouring columns of a - b.
inline void column_pairs(u8x16 a, u8x16 b, i16x8& sums, i16x8& differences) {
  sums = sub_i16(even_bytes(a), even_bytes(b));
  differences = sub_i16(odd_bytes(a), odd_bytes(b));
  butterfly(sums, differences);
}

template <typename Lanes>
inline Lanes four_rows_hadamard(Lanes (&v)[4]) {
  butterfly(v[0], v[1]);
  butterfly(v[2], v[3]);
  butterfly(v[0], v[2]);
  butterfly(v[1], v[3]);
  return add_i16(greater_neighbours(abs_i16(v[0]), abs_i16(v[1])),
                 greater_neighbours(abs_i16(v[2]), abs_i16(v[3])));
}

// Four rows of 16 pixels, or of twice 8.
inline i16x8 satd_lanes(const u8x16 (&a)[4], const u8x16 (&b)[4]) {
  i16x8 sums[4];
  i16x8 differences[4];
  for (int y = 0; y < 4; ++y) column_pairs(a[y], b[y], sums[y], differences[y]);
  return add_i16(four_rows_hadamard(sums), four_rows_hadamard(differences));
}

inline int satd16_simd(const std::uint8_t* a, std::ptrdiff_t a_stride, const std::uint8_t* b,
                       std::ptrdiff_t b_stride) {
  i16x8 lanes = splat_i16(0);
  for (int y = 0; y < 16; y += 4) {
    u8x16 p[4];
    u8x16 q[4];
    for (int i = 0; i < 4; ++i) {
      p[i] = load_u8(a + (y + i) * a_stride);
      q[i] = load_u8(b + (y + i) * b_stride);
    }
    lanes = add_i16(lanes, satd_lanes(p, q));  // up to 16 times 2040
  }
  return total(add_lanes(no_sum(), lanes));
}

inline int satd8_simd(const std::uint8_t* a, std::ptrdiff_t a_stride, const std::uint8_t* b,
                      std::ptrdiff_t b_stride) {
  u8x16 p[4];
  u8x16 q[4];
  for (int i = 0; i < 4; ++i) {
    p[i] = two_rows(a + i * a_stride, a + (i + 4) * a_stride);
    q[i] = two_rows(b + i * b_stride, b + (i + 4) * b_stride);
  }
  return total(add_lanes(no_sum(), satd_lanes(p, q)));
}

// Of one 4x4 block, from sums and differences of its columns.
template <typename Lanes>
inline Lanes satd4_lanes(Lanes sums, Lanes differences) {
  // Rows 0 and 1 against 2 and 3, then even against odd.
  Lanes a = join_low(sums, differences);
  Lanes b = join_high(sums, differences);
  butterfly(a, b);
  const Lanes low = zip_low_pairs(a, b);
  const Lanes high = zip_high_pairs(a, b);
  a = join_low(low, high);
  b = join_high(low, high);
  butterfly(a, b);
  return greater_neighbours(abs_i16(a), abs_i16(b));
}

inline int satd4_simd(const std::uint8_t* a, std::ptrdiff_t a_stride, const std::uint8_t* b,
                      std::ptrdiff_t b_stride) {
  i16x8 sums;
  i16x8 differences;
  column_pairs(four_rows(a, a_stride), four_rows(b, b_stride), sums, differences);
  return total(add_lanes(no_sum(), satd4_lanes(sums, differences)));
}

inline void satd_many_simd(const std::uint8_t* source, std::ptrdiff_t source_stride,
                           const std::uint8_t (*predictions)[16], int count, int* satds) {
  const u8x16 pixels = four_rows(source, source_stride);
  for (int i = 0; i < count; ++i) {
    i16x8 sums;
    i16x8 differences;
    column_pairs(pixels, load_u8(predictions[i]), sums, differences);
    satds[i] = total(add_lanes(no_sum(), satd4_lanes(sums, differences)));
  }
}

inline void sum_and_squares_simd(const std::uint8_t* pixels, std::ptrdiff_t stride,
                                 std::uint32_t* sum, std::uint32_t* squares) {
  Sum32 bytes = no_sum();
  Sum32 squared = no_sum();
  for (int y = 0; y < 16; ++y) {
    const u8x16 row = load_u8(pixels + y * stride);
    bytes = add_bytes(bytes, row);
    squared = add_squares(squared, row);
  }
  *sum = static_cast<std::uint32_t>(total(bytes));
  *squares = static_cast<std::uint32_t>(total(squared));
}

inline void install_simd_distortion(Kernels& table) {
  table.sad[0] = sad_simd<4>;
  table.sad[1] = sad_simd<8>;
  table.sad[2] = sad_simd<16>;
  table.sse[0] = sse_simd<4>;
  table.sse[1] = sse_simd<8>;
  table.sse[2] = sse_simd<16>;
  table.satd[0] = satd4_simd;
  table.satd[1] = satd8_simd;
  table.satd[2] = satd16_simd;
  table.sad_many[0] = sad_many_simd<4>;
  table.sad_many[1] = sad_many_simd<8>;
  table.sad_many[2] = sad_many_simd<16>;
  table.satd_many = satd_many_simd;
  table.sum_and_squares = sum_and_squares_simd;
}

}  // namespace
}  // namespace vp8
