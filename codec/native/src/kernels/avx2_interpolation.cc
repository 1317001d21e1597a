// Subpixel interpolation in AVX2: 16 pixels at once, one row of 16, two of 8 or four of
// 4.
//
// Everything here is in an unnamed namespace, and calls no inline function of another
// header: the linker merges copies of those, and might keep the one with AVX2.
#if defined(__x86_64__)

#include "common/tables.h"
#include "kernels/avx2.h"
#include "kernels/vector128.h"

namespace vp8 {
namespace {

// Two taps to a lane of 16 bits, for pmaddubsw. The sum of a pair fits into 16 bits, and
// sums of pairs saturate only if the pixel is 255 anyway.
struct TapPairs {
  Wide outer, before, after;

  explicit TapPairs(const std::int16_t* t)
      : outer(pair(t[0], t[5])), before(pair(t[1], t[2])), after(pair(t[3], t[4])) {}
  static Wide pair(int a, int b) { return wide_i16((a & 0xff) | ((b & 0xff) << 8)); }
};

// Pixels under each pair of taps, to 16 pixels in 16-bit lanes.
inline Wide weigh_pairs(Wide before, Wide after, const TapPairs& taps) {
  return _mm256_adds_epi16(_mm256_maddubs_epi16(before, taps.before),
                           _mm256_maddubs_epi16(after, taps.after));
}
inline Wide weigh_outer(Wide sum, Wide outer, const TapPairs& taps) {
  return _mm256_adds_epi16(sum, _mm256_maddubs_epi16(outer, taps.outer));
}
// (sum + 64) >> 7
inline Wide rounded(Wide sum) { return _mm256_mulhrs_epi16(sum, wide_i16(256)); }
// 16 lanes as 16 pixels in a row.
inline u8x16 packed(Wide lanes) {
  return low_half(_mm256_permute4x64_epi64(_mm256_packus_epi16(lanes, lanes), 0x08));
}
// 16 pixels with the first 8 at the start of one half and the others at that of the other,
// as zips need them.
inline Wide spread(u8x16 pixels) {
  return _mm256_permute4x64_epi64(_mm256_castsi128_si256(pixels), 0x50);
}

// ---- horizontally ----
//
// The bytes that a vector needs are loaded with nothing beyond them, and byte shuffles
// put them under their taps. `Width` 8 loads 8 bytes from 2 before a row on and 8 from 3
// after its start; 16 does the same with 16 bytes in each half.

struct Shuffle {
  alignas(32) std::uint8_t lanes[32];
};

// Where pixel `x` of a row lies in one half.
constexpr int place(int width, int half, int x) {
  if (width == 16) return half == 0 ? x + 2 : x - 3;
  return x <= 5 ? x + 2 : x - 3 + 8;
}

// Bytes for pixels x + first and x + second of each x.
constexpr Shuffle shuffle(int width, int first, int second) {
  Shuffle result = {};
  for (int i = 0; i < 16; ++i) {
    const int half = i / 8;
    if (width == 4) {  // 8 bytes of two rows in each half
      const int row = i / 4 % 2 * 8;
      result.lanes[2 * i] = static_cast<std::uint8_t>(row + i % 4 + first + 2);
      result.lanes[2 * i + 1] =
          second > 2 ? 255 : static_cast<std::uint8_t>(row + i % 4 + second + 2);
    } else {
      const int x = width == 16 ? i : i % 8;
      result.lanes[2 * i] = static_cast<std::uint8_t>(place(width, half, x + first));
      result.lanes[2 * i + 1] = static_cast<std::uint8_t>(place(width, half, x + second));
    }
  }
  return result;
}

template <int Width, int First, int Second>
inline Wide shuffled(Wide v) {
  static constexpr Shuffle kShuffle = shuffle(Width, First, Second);
  return _mm256_shuffle_epi8(v, load_wide(kShuffle.lanes));
}

// The rows from `pixels` on.
template <int Width>
inline Wide load_with_taps(const std::uint8_t* pixels, std::ptrdiff_t stride) {
  if constexpr (Width == 16) {
    return wide(load_u8(pixels - 2), load_u8(pixels + 3));
  } else if constexpr (Width == 8) {
    return wide(two_rows(pixels - 2, pixels + 3),
                two_rows(pixels + stride - 2, pixels + stride + 3));
  } else {
    return wide(two_rows(pixels - 2, pixels + stride - 2),
                two_rows(pixels + 2 * stride - 2, pixels + 3 * stride - 2));
  }
}

template <int Width, bool Outer>
inline Wide across(const std::uint8_t* pixels, std::ptrdiff_t stride, const TapPairs& taps) {
  const Wide v = load_with_taps<Width>(pixels, stride);
  Wide sum = weigh_pairs(shuffled<Width, -1, 0>(v), shuffled<Width, 1, 2>(v), taps);
  if constexpr (Outer) {
    Wide outer = shuffled<Width, -2, 3>(v);
    if constexpr (Width == 4) {  // nine bytes a row: the last four are loaded apart
      const Wide last = _mm256_cvtepu8_epi16(four_rows(pixels + 3, stride));
      outer = _mm256_or_si256(outer, _mm256_slli_epi16(last, 8));
    }
    sum = weigh_outer(sum, outer, taps);
  }
  return rounded(sum);
}

template <int Width, bool Outer>
void across_only(const std::uint8_t* source, std::ptrdiff_t source_stride, std::uint8_t* target,
                 std::ptrdiff_t target_stride, int height, int mx) {
  constexpr int kRows = 16 / Width;
  const TapPairs taps(kSixtapFilters[mx]);
  for (int y = 0; y < height; y += kRows) {
    store_rows_of<Width>(target, target_stride,
                         packed(across<Width, Outer>(source, source_stride, taps)));
    source += kRows * source_stride;
    target += kRows * target_stride;
  }
}

// ---- vertically ----

inline Wide zip_rows(Wide a, Wide b) { return _mm256_unpacklo_epi8(a, b); }

// `next()` returns a row of 16 at each call, spread, from two above the block on.
template <bool Outer, typename Next>
inline void down_16(Next&& next, std::uint8_t* target, std::ptrdiff_t target_stride, int height,
                    const TapPairs& taps) {
  // Rows above, at and below the pixel, by name: some compilers would keep an array of them
  // in memory.
  Wide a = next();
  Wide b = next();
  Wide c = next();
  Wide d = next();
  Wide e = next();
  // Zipped rows serve twice, below and above the pixel.
  Wide bc = zip_rows(b, c);
  Wide cd = zip_rows(c, d);
  Wide de = zip_rows(d, e);
  for (int y = 0; y < height; ++y) {
    const Wide f = next();
    Wide sum = weigh_pairs(bc, de, taps);
    if constexpr (Outer) sum = weigh_outer(sum, zip_rows(a, f), taps);
    store_u8(target, packed(rounded(sum)));
    target += target_stride;
    bc = cd;
    cd = de;
    de = zip_rows(e, f);
    a = b;
    b = c;
    c = d;
    d = e;
    e = f;
  }
}

// `next()` returns two rows of 8.
template <bool Outer, typename Next>
inline void down_8(Next&& next, std::uint8_t* target, std::ptrdiff_t target_stride, int height,
                   const TapPairs& taps) {
  const auto between = [](u8x16 a, u8x16 b) { return spread(_mm_alignr_epi8(b, a, 8)); };
  u8x16 rows = next();
  u8x16 after = next();
  // Pixels of each row, from two above on, and of the row after it.
  Wide a = spread(rows);
  Wide b = between(rows, after);
  Wide c = spread(after);
  rows = next();
  Wide d = between(after, rows);
  Wide bc = zip_rows(b, c);
  for (int y = 0; y < height; y += 2) {
    after = next();
    const Wide e = spread(rows);
    const Wide f = between(rows, after);
    const Wide de = zip_rows(d, e);
    Wide sum = weigh_pairs(bc, de, taps);
    if constexpr (Outer) sum = weigh_outer(sum, zip_rows(a, f), taps);
    store_two_rows(target, target_stride, packed(rounded(sum)));
    target += 2 * target_stride;
    rows = after;
    bc = de;
    a = c;
    c = e;
    d = f;
  }
}

// `next()` returns four rows of 4.
template <bool Outer, typename Next>
inline void down_4(Next&& next, std::uint8_t* target, std::ptrdiff_t target_stride, int height,
                   const TapPairs& taps) {
  u8x16 rows = next();
  u8x16 after = next();
  for (int y = 0; y < height; y += 4) {
    const u8x16 last = next();
    const Wide before =
        zip_rows(spread(_mm_alignr_epi8(after, rows, 4)), spread(_mm_alignr_epi8(after, rows, 8)));
    Wide sum = weigh_pairs(before,
                           zip_rows(spread(_mm_alignr_epi8(after, rows, 12)), spread(after)), taps);
    if constexpr (Outer) {
      sum = weigh_outer(sum, zip_rows(spread(rows), spread(_mm_alignr_epi8(last, after, 4))), taps);
    }
    store_four_rows(target, target_stride, packed(rounded(sum)));
    target += 4 * target_stride;
    rows = after;
    after = last;
  }
}

// `rows_at(pixels, stride)` returns the vector of rows from `pixels` on. Only one row of
// the last vector is needed, which repeats it.
template <int Width, bool Outer, typename RowsAt>
inline void down(RowsAt&& rows_at, const std::uint8_t* source, std::ptrdiff_t stride,
                 std::uint8_t* target, std::ptrdiff_t target_stride, int height, int my) {
  constexpr int kRows = 16 / Width;
  const std::uint8_t* at = source - 2 * stride;
  const std::uint8_t* last = source + (height + 2) * stride;
  const auto next = [&] {
    const auto rows = rows_at(at, at == last ? 0 : stride);
    at += kRows * stride;
    return rows;
  };
  const TapPairs taps(kSixtapFilters[my]);
  if constexpr (Width == 16) {
    down_16<Outer>(next, target, target_stride, height, taps);
  } else if constexpr (Width == 8) {
    down_8<Outer>(next, target, target_stride, height, taps);
  } else {
    down_4<Outer>(next, target, target_stride, height, taps);
  }
}

template <int Width, bool Outer>
void down_only(const std::uint8_t* source, std::ptrdiff_t source_stride, std::uint8_t* target,
               std::ptrdiff_t target_stride, int height, int my) {
  const auto rows_at = [](const std::uint8_t* pixels, std::ptrdiff_t stride) {
    if constexpr (Width == 16) {
      return spread(load_u8(pixels));
    } else {
      return rows_of<Width>(pixels, stride);
    }
  };
  down<Width, Outer>(rows_at, source, source_stride, target, target_stride, height, my);
}

template <int Width, bool OuterAcross, bool OuterDown>
void across_and_down(const std::uint8_t* source, std::ptrdiff_t source_stride, std::uint8_t* target,
                     std::ptrdiff_t target_stride, int height, int mx, int my) {
  const TapPairs taps(kSixtapFilters[mx]);
  const auto rows_at = [&](const std::uint8_t* pixels, std::ptrdiff_t stride) {
    const Wide rows = across<Width, OuterAcross>(pixels, stride, taps);
    if constexpr (Width == 16) {
      return _mm256_packus_epi16(rows, rows);  // spread as it is
    } else {
      return packed(rows);
    }
  };
  down<Width, OuterDown>(rows_at, source, source_stride, target, target_stride, height, my);
}

template <int Width>
void sixtap(const std::uint8_t* source, std::ptrdiff_t source_stride, std::uint8_t* target,
            std::ptrdiff_t target_stride, int height, int mx, int my) {
  // Filters of an odd number of eighths have no outer taps.
  const bool outer_across = (mx & 1) == 0;
  const bool outer_down = (my & 1) == 0;
  if (my == 0) {
    (outer_across ? across_only<Width, true> : across_only<Width, false>)(source, source_stride,
                                                                          target, target_stride,
                                                                          height, mx);
  } else if (mx == 0) {
    (outer_down ? down_only<Width, true> : down_only<Width, false>)(source, source_stride, target,
                                                                    target_stride, height, my);
  } else {
    (outer_across
         ? (outer_down ? across_and_down<Width, true, true> : across_and_down<Width, true, false>)
         : (outer_down ? across_and_down<Width, false, true>
                       : across_and_down<Width, false, false>))(source, source_stride, target,
                                                                target_stride, height, mx, my);
  }
}

}  // namespace

void install_avx2_interpolation(Kernels& table) {
  table.sixtap[0] = sixtap<4>;
  table.sixtap[1] = sixtap<8>;
  table.sixtap[2] = sixtap<16>;
}

}  // namespace vp8

#endif
