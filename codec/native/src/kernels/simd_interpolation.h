// Subpixel interpolation (RFC 6386, section 18.3), 16 pixels at once: one row of 16,
// two of 8 or four of 4.
#pragma once

#include "common/tables.h"
#include "kernels/vector128.h"

namespace vp8 {
namespace {

template <int Width>
void copy_simd(const std::uint8_t* source, std::ptrdiff_t source_stride, std::uint8_t* target,
               std::ptrdiff_t target_stride, int height) {
  // Four rows are loaded before any is stored: they do not depend on each other, but the
  // compiler cannot know that.
  for (int y = 0; y < height; y += 4) {
    if constexpr (Width == 16) {
      const u8x16 a = load_u8(source);
      const u8x16 b = load_u8(source + source_stride);
      const u8x16 c = load_u8(source + 2 * source_stride);
      const u8x16 d = load_u8(source + 3 * source_stride);
      store_u8(target, a);
      store_u8(target + target_stride, b);
      store_u8(target + 2 * target_stride, c);
      store_u8(target + 3 * target_stride, d);
    } else {
      std::uint64_t rows[4] = {};
      for (int i = 0; i < 4; ++i) std::memcpy(&rows[i], source + i * source_stride, Width);
      for (int i = 0; i < 4; ++i) std::memcpy(target + i * target_stride, &rows[i], Width);
    }
    source += 4 * source_stride;
    target += 4 * target_stride;
  }
}

// Filters of an odd number of eighths have no outer taps.
inline bool has_outer_taps(int eighths) { return (eighths & 1) == 0; }

// One vector of a pass, whose taps lie `step` apart.
template <int Width, bool Outer>
inline u8x16 sixtap_rows(const std::uint8_t* source, std::ptrdiff_t stride, std::ptrdiff_t step,
                         const SixtapTaps& taps) {
  const auto at = [&](int tap) { return rows_of<Width>(source + tap * step, stride); };
  if constexpr (Outer) {
    return filter_six(at(-2), at(-1), at(0), at(1), at(2), at(3), taps);
  } else {
    return filter_four(at(-1), at(0), at(1), at(2), taps);
  }
}

template <int Width, bool Outer>
inline void sixtap_pass(const std::uint8_t* source, std::ptrdiff_t source_stride,
                        std::ptrdiff_t step, std::uint8_t* target, std::ptrdiff_t target_stride,
                        int height, const std::int16_t* filter) {
  constexpr int kRows = 16 / Width;
  const SixtapTaps taps = sixtap_taps(filter);
  for (int y = 0; y < height; y += kRows) {
    store_rows_of<Width>(
        target + y * target_stride, target_stride,
        sixtap_rows<Width, Outer>(source + y * source_stride, source_stride, step, taps));
  }
}

template <int Width>
inline void sixtap_pass(const std::uint8_t* source, std::ptrdiff_t source_stride,
                        std::ptrdiff_t step, std::uint8_t* target, std::ptrdiff_t target_stride,
                        int height, int eighths) {
  const std::int16_t* filter = kSixtapFilters[eighths];
  if (has_outer_taps(eighths)) {
    sixtap_pass<Width, true>(source, source_stride, step, target, target_stride, height, filter);
  } else {
    sixtap_pass<Width, false>(source, source_stride, step, target, target_stride, height, filter);
  }
}

// Horizontally into whole pixels, then vertically.
template <int Width>
void sixtap_simd(const std::uint8_t* source, std::ptrdiff_t source_stride, std::uint8_t* target,
                 std::ptrdiff_t target_stride, int height, int mx, int my) {
  if (my == 0) {
    sixtap_pass<Width>(source, source_stride, 1, target, target_stride, height, mx);
    return;
  }
  if (mx == 0) {
    sixtap_pass<Width>(source, source_stride, source_stride, target, target_stride, height, my);
    return;
  }
  alignas(16) std::uint8_t between[(16 + 5) * Width];
  // The five more rows that the second pass needs: a vector may hold more than that, so the
  // last one comes alone.
  constexpr int kRows = 16 / Width;
  const int rows = height + 5;
  const int whole = rows / kRows * kRows;
  const std::uint8_t* first = source - 2 * source_stride;
  sixtap_pass<Width>(first, source_stride, 1, between, Width, whole, mx);
  if (kRows > 1) {
    // Again the last rows, some of which are done.
    const int at = rows - kRows;
    sixtap_pass<Width>(first + at * source_stride, source_stride, 1, between + at * Width, Width,
                       kRows, mx);
  }
  sixtap_pass<Width>(between + 2 * Width, Width, Width, target, target_stride, height, my);
}

template <int Width>
inline void bilinear_pass(const std::uint8_t* source, std::ptrdiff_t source_stride,
                          std::ptrdiff_t step, std::uint8_t* target, std::ptrdiff_t target_stride,
                          int height, int eighths) {
  constexpr int kRows = 16 / Width;
  const int share = kBilinearFilters[eighths][1];
  for (int y = 0; y < height; y += kRows) {
    const std::uint8_t* rows = source + y * source_stride;
    const u8x16 here = rows_of<Width>(rows, source_stride);
    const u8x16 next = rows_of<Width>(rows + step, source_stride);
    store_rows_of<Width>(target + y * target_stride, target_stride, filter_two(here, next, share));
  }
}

template <int Width>
void bilinear_simd(const std::uint8_t* source, std::ptrdiff_t source_stride, std::uint8_t* target,
                   std::ptrdiff_t target_stride, int height, int mx, int my) {
  if (my == 0) {
    bilinear_pass<Width>(source, source_stride, 1, target, target_stride, height, mx);
    return;
  }
  if (mx == 0) {
    bilinear_pass<Width>(source, source_stride, source_stride, target, target_stride, height, my);
    return;
  }
  alignas(16) std::uint8_t between[(16 + 1) * Width];
  constexpr int kRows = 16 / Width;
  bilinear_pass<Width>(source, source_stride, 1, between, Width, height, mx);
  const int at = height + 1 - kRows;
  bilinear_pass<Width>(source + at * source_stride, source_stride, 1, between + at * Width, Width,
                       kRows, mx);
  bilinear_pass<Width>(between, Width, Width, target, target_stride, height, my);
}

inline void install_simd_interpolation(Kernels& table) {
  table.sixtap[0] = sixtap_simd<4>;
  table.sixtap[1] = sixtap_simd<8>;
  table.sixtap[2] = sixtap_simd<16>;
  table.bilinear[0] = bilinear_simd<4>;
  table.bilinear[1] = bilinear_simd<8>;
  table.bilinear[2] = bilinear_simd<16>;
  table.copy[0] = copy_simd<4>;
  table.copy[1] = copy_simd<8>;
  table.copy[2] = copy_simd<16>;
}

}  // namespace
}  // namespace vp8
