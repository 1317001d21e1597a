// The loop filters (RFC 6386, section 15) on 16 positions of an edge at once. Operations on
// bytes are templates over the vector: one of 256 bits has 32 positions.
#pragma once

#include "kernels/vector128.h"

namespace vp8 {
namespace {

// The pixels across as many positions as a vector has bytes, in the RFC's names: P3 to
// P0, then Q0 to Q3.
enum EdgePixel { kP3, kP2, kP1, kP0, kQ0, kQ1, kQ2, kQ3 };

// By how much an edge exceeds its limit, or zero.
template <typename Bytes>
inline Bytes beyond_edge_limit(const Bytes* v, int limit) {
  const Bytes inner = difference_u8(v[kP0], v[kQ0]);
  const Bytes outer = shift_right_u8<1>(difference_u8(v[kP1], v[kQ1]));
  return sub_sat_u8(add_sat_u8(add_sat_u8(inner, inner), outer), splat_like(inner, limit));
}

template <typename Bytes>
inline void edge_masks(const Bytes* v, const EdgeLimits& limits, Bytes& filtered,
                       Bytes& low_variance) {
  const Bytes variance = max_u8(difference_u8(v[kP1], v[kP0]), difference_u8(v[kQ1], v[kQ0]));
  const Bytes left = max_u8(difference_u8(v[kP3], v[kP2]), difference_u8(v[kP2], v[kP1]));
  const Bytes right = max_u8(difference_u8(v[kQ3], v[kQ2]), difference_u8(v[kQ2], v[kQ1]));
  const Bytes interior = max_u8(variance, max_u8(left, right));
  filtered = is_zero_u8(bit_or(sub_sat_u8(interior, splat_like(interior, limits.interior)),
                               beyond_edge_limit(v, limits.edge)));
  low_variance = is_zero_u8(sub_sat_u8(variance, splat_like(variance, limits.high_variance)));
}

// Pixels as signed numbers around mid-grey, and back.
template <typename Bytes>
inline Bytes flip_sign(Bytes v) {
  return bit_xor(v, splat_like(v, 0x80));
}

// clamp(outer + 3 * (q0 - p0)); saturating at every step comes to the same.
template <typename Bytes>
inline Bytes base_adjustment(Bytes outer, Bytes p0, Bytes q0) {
  const Bytes step = sub_sat_i8(q0, p0);
  return add_sat_i8(add_sat_i8(add_sat_i8(outer, step), step), step);
}

// clamp(a + rounding) >> 3 of signed bytes, plus 16: shifts are of unsigned ones.
template <typename Bytes>
inline Bytes eighth_plus_16(Bytes a, int rounding) {
  return shift_right_u8<3>(add_sat_u8(flip_sign(a), splat_like(a, rounding)));
}

// Moves signed p0 and q0 towards each other by the adjustment a. Returns how far
// q0 went, plus 16.
template <typename Bytes>
inline Bytes adjust_inner(Bytes a, Bytes& p0, Bytes& q0) {
  const Bytes sixteen = splat_like(a, 16);
  const Bytes down = eighth_plus_16(a, 4);
  q0 = sub_sat_i8(q0, sub_u8(down, sixteen));
  p0 = add_sat_i8(p0, sub_u8(eighth_plus_16(a, 3), sixteen));
  return down;
}

// Filters of an edge: `apply` returns whether it changed anything, at most kReach
// pixels on either side.

struct SimpleFilter {
  static constexpr int kReach = 1;

  template <typename Bytes>
  static bool apply(Bytes* v, const EdgeLimits& limits) {
    const Bytes filtered = is_zero_u8(beyond_edge_limit(v, limits.edge));
    if (none_set(filtered)) return false;
    Bytes p0 = flip_sign(v[kP0]);
    Bytes q0 = flip_sign(v[kQ0]);
    const Bytes outer = sub_sat_i8(flip_sign(v[kP1]), flip_sign(v[kQ1]));
    adjust_inner(bit_and(base_adjustment(outer, p0, q0), filtered), p0, q0);
    v[kP0] = flip_sign(p0);
    v[kQ0] = flip_sign(q0);
    return true;
  }
};

struct SubblockFilter {
  static constexpr int kReach = 2;

  template <typename Bytes>
  static bool apply(Bytes* v, const EdgeLimits& limits) {
    Bytes filtered;
    Bytes low_variance;
    edge_masks(v, limits, filtered, low_variance);
    if (none_set(filtered)) return false;
    const Bytes p1 = flip_sign(v[kP1]);
    Bytes p0 = flip_sign(v[kP0]);
    Bytes q0 = flip_sign(v[kQ0]);
    const Bytes q1 = flip_sign(v[kQ1]);
    const Bytes outer = clear_where(sub_sat_i8(p1, q1), low_variance);
    const Bytes down = adjust_inner(bit_and(base_adjustment(outer, p0, q0), filtered), p0, q0);
    v[kP0] = flip_sign(p0);
    v[kQ0] = flip_sign(q0);
    // (down + 1) >> 1 with 16 taken off again.
    const Bytes half = sub_u8(average_u8(down, splat_like(down, 0)), splat_like(down, 8));
    const Bytes a = bit_and(half, low_variance);
    v[kP1] = flip_sign(add_sat_i8(p1, a));
    v[kQ1] = flip_sign(sub_sat_i8(q1, a));
    return true;
  }
};

struct MacroblockFilter {
  static constexpr int kReach = 3;

  template <typename Bytes>
  static bool apply(Bytes* v, const EdgeLimits& limits) {
    Bytes filtered;
    Bytes low_variance;
    edge_masks(v, limits, filtered, low_variance);
    if (none_set(filtered)) return false;
    const Bytes p2 = flip_sign(v[kP2]);
    const Bytes p1 = flip_sign(v[kP1]);
    Bytes p0 = flip_sign(v[kP0]);
    Bytes q0 = flip_sign(v[kQ0]);
    const Bytes q1 = flip_sign(v[kQ1]);
    const Bytes q2 = flip_sign(v[kQ2]);
    const Bytes w = bit_and(base_adjustment(sub_sat_i8(p1, q1), p0, q0), filtered);
    adjust_inner(clear_where(w, low_variance), p0, q0);
    const Bytes wide = bit_and(w, low_variance);
    const Bytes a = scale_i8<27>(wide);
    const Bytes b = scale_i8<18>(wide);
    const Bytes c = scale_i8<9>(wide);
    v[kP0] = flip_sign(add_sat_i8(p0, a));
    v[kQ0] = flip_sign(sub_sat_i8(q0, a));
    v[kP1] = flip_sign(add_sat_i8(p1, b));
    v[kQ1] = flip_sign(sub_sat_i8(q1, b));
    v[kP2] = flip_sign(add_sat_i8(p2, c));
    v[kQ2] = flip_sign(sub_sat_i8(q2, c));
    return true;
  }
};

// ---- rows ----

template <typename Filter>
inline void store_rows(std::uint8_t* edge, std::ptrdiff_t stride, const u8x16* v) {
  for (int i = 4 - Filter::kReach; i < 4 + Filter::kReach; ++i) {
    store_u8(edge + (i - 4) * stride, v[i]);
  }
}

// U in the low half, V in the high one.
inline u8x16 load_chroma_row(const ChromaPixels& chroma, std::ptrdiff_t row) {
  return two_rows(chroma.u + row * chroma.stride, chroma.v + row * chroma.stride);
}

template <typename Filter>
inline void store_chroma_rows(const ChromaPixels& chroma, int at, const u8x16* v) {
  for (int i = 4 - Filter::kReach; i < 4 + Filter::kReach; ++i) {
    const std::ptrdiff_t row = (at + i - 4) * chroma.stride;
    store_u8_low(chroma.u + row, v[i]);
    store_u8_high(chroma.v + row, v[i]);
  }
}

template <typename Filter>
void edge_rows(std::uint8_t* pixels, std::ptrdiff_t stride, const EdgeLimits& limits) {
  u8x16 v[8];
  for (int i = 0; i < 8; ++i) v[i] = load_u8(pixels + (i - 4) * stride);
  if (Filter::apply(v, limits)) store_rows<Filter>(pixels, stride, v);
}

// The edges at row `First` and below. v[0] to v[3] are the four rows above it.
template <typename Filter, int First>
inline void edges_rows_from(std::uint8_t* pixels, std::ptrdiff_t stride, EdgeLimits limits,
                            u8x16* v) {
  for (int y = First; y < 16; y += 4) {
    std::uint8_t* edge = pixels + y * stride;
    for (int i = 4; i < 8; ++i) v[i] = load_u8(edge + (i - 4) * stride);
    if (Filter::apply(v, limits)) store_rows<Filter>(edge, stride, v);
    for (int i = 0; i < 4; ++i) v[i] = v[4 + i];
  }
}

template <typename Filter>
void three_edges_rows(std::uint8_t* pixels, std::ptrdiff_t stride, const EdgeLimits& limits) {
  u8x16 v[8];
  for (int i = 0; i < 4; ++i) v[i] = load_u8(pixels + i * stride);
  edges_rows_from<Filter, 4>(pixels, stride, limits, v);
}

template <typename Filter, int At>
inline void chroma_edge_rows(const ChromaPixels& chroma, const EdgeLimits& limits) {
  u8x16 v[8];
  for (int i = 0; i < 8; ++i) v[i] = load_chroma_row(chroma, At + i - 4);
  if (Filter::apply(v, limits)) store_chroma_rows<Filter>(chroma, At, v);
}

// ---- columns ----

// One step of a transposition: of a byte's place, vector and lane in binary, the
// digits move up by one and the first becomes the last.
template <typename Bytes, int Count>
inline void rotate_places(const Bytes (&from)[Count], Bytes (&to)[Count]) {
#pragma GCC unroll 16
  for (int i = 0; i < Count / 2; ++i) {
    to[2 * i] = zip_low_u8(from[i], from[i + Count / 2]);
    to[2 * i + 1] = zip_high_u8(from[i], from[i + Count / 2]);
  }
}

// Several steps, from one array to the other and back, so that nothing is copied:
// `from` is used up.
template <int Steps, typename Bytes, int Count>
inline void rotate_places(Bytes (&from)[Count], Bytes (&to)[Count]) {
  static_assert(Steps == 3 || Steps == 4);
  if constexpr (Steps == 3) {
    rotate_places(from, to);
    rotate_places(to, from);
    rotate_places(from, to);
  } else {
    Bytes between[Count];
    rotate_places(from, between);
    rotate_places<3>(between, to);
  }
}

// Rows of 8 pixels, one from `upper` and one from `lower` in turn.
inline u8x16 load_row_pair(const std::uint8_t* upper, const std::uint8_t* lower) {
  return zip_low_u8(load_u8_low(upper), load_u8_low(lower));
}

// 16 rows of 8 pixels, the first 8 from `upper` and the others from `lower`, as 8
// columns.
inline void load_columns(const std::uint8_t* upper, const std::uint8_t* lower,
                         std::ptrdiff_t stride, u8x16 (&v)[8]) {
  u8x16 rows[8];
  for (int i = 0; i < 8; ++i) rows[i] = load_row_pair(upper + i * stride, lower + i * stride);
  rotate_places<3>(rows, v);
}

// Two rows to a vector.
inline void store_row_pairs(std::uint8_t* upper, std::uint8_t* lower, std::ptrdiff_t stride,
                            const u8x16 (&rows)[8]) {
  for (int i = 0; i < 4; ++i) store_two_rows(upper + 2 * i * stride, stride, rows[i]);
  for (int i = 0; i < 4; ++i) store_two_rows(lower + 2 * i * stride, stride, rows[4 + i]);
}

inline void store_columns(std::uint8_t* upper, std::uint8_t* lower, std::ptrdiff_t stride,
                          u8x16 (&v)[8]) {
  u8x16 rows[8];
  rotate_places<3>(v, rows);
  store_row_pairs(upper, lower, stride, rows);
}

template <typename Filter>
inline void filter_columns(std::uint8_t* upper, std::uint8_t* lower, std::ptrdiff_t stride,
                           const EdgeLimits& limits) {
  u8x16 v[8];
  load_columns(upper, lower, stride, v);
  if (Filter::apply(v, limits)) store_columns(upper, lower, stride, v);
}

template <typename Filter>
void edge_columns(std::uint8_t* pixels, std::ptrdiff_t stride, const EdgeLimits& limits) {
  filter_columns<Filter>(pixels - 4, pixels - 4 + 8 * stride, stride, limits);
}

template <typename Filter, int At>
inline void chroma_edge_columns(const ChromaPixels& chroma, const EdgeLimits& limits) {
  filter_columns<Filter>(chroma.u + At - 4, chroma.v + At - 4, chroma.stride, limits);
}

// A whole macroblock as 16 columns. Vectors of 256 bits are no faster here: crossing their
// halves costs what they save in zips.
inline void load_all_columns(const std::uint8_t* pixels, std::ptrdiff_t stride, u8x16 (&v)[16]) {
  u8x16 rows[16];
#pragma GCC unroll 16
  for (int i = 0; i < 16; ++i) rows[i] = load_u8(pixels + i * stride);
  rotate_places<4>(rows, v);
}

inline void store_all_columns(std::uint8_t* pixels, std::ptrdiff_t stride, u8x16 (&v)[16]) {
  u8x16 rows[16];
  rotate_places<4>(v, rows);
#pragma GCC unroll 16
  for (int i = 0; i < 16; ++i) store_u8(pixels + i * stride, rows[i]);
}

// Turns the whole macroblock once for all three edges.
template <typename Filter>
void three_edges_columns(std::uint8_t* pixels, std::ptrdiff_t stride, const EdgeLimits& limits) {
  u8x16 v[16];
  load_all_columns(pixels, stride, v);
  bool changed = Filter::apply(v, limits);
  changed |= Filter::apply(v + 4, limits);
  changed |= Filter::apply(v + 8, limits);
  if (changed) store_all_columns(pixels, stride, v);
}

// ---- all planes ----

template <Kernels::EdgeFilter Luma, void (*Chroma)(const ChromaPixels&, const EdgeLimits&)>
void luma_then_chroma(std::uint8_t* luma, std::ptrdiff_t stride, const ChromaPixels& chroma,
                      const EdgeLimits& limits) {
  Luma(luma, stride, limits);
  Chroma(chroma, limits);
}

inline void install_simd_loop_filters(Kernels& table) {
  table.macroblock_edge_columns = edge_columns<MacroblockFilter>;
  table.macroblock_edge_rows = edge_rows<MacroblockFilter>;
  table.inner_edges_columns = three_edges_columns<SubblockFilter>;
  table.inner_edges_rows = three_edges_rows<SubblockFilter>;
  table.macroblock_edge_columns_yuv =
      luma_then_chroma<edge_columns<MacroblockFilter>, chroma_edge_columns<MacroblockFilter, 0>>;
  table.macroblock_edge_rows_yuv =
      luma_then_chroma<edge_rows<MacroblockFilter>, chroma_edge_rows<MacroblockFilter, 0>>;
  table.inner_edges_columns_yuv =
      luma_then_chroma<three_edges_columns<SubblockFilter>, chroma_edge_columns<SubblockFilter, 4>>;
  table.inner_edges_rows_yuv =
      luma_then_chroma<three_edges_rows<SubblockFilter>, chroma_edge_rows<SubblockFilter, 4>>;
  table.simple_edge_columns = edge_columns<SimpleFilter>;
  table.simple_edge_rows = edge_rows<SimpleFilter>;
  table.simple_inner_edges_columns = three_edges_columns<SimpleFilter>;
  table.simple_inner_edges_rows = three_edges_rows<SimpleFilter>;
}

}  // namespace
}  // namespace vp8
