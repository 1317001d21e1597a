// The loop filters (RFC 6386, section 15) on 16 positions of an edge at once.
#pragma once

#include "kernels/vector128.h"

namespace vp8 {
namespace {

struct EdgeLimitVectors {
  u8x16 edge;
  u8x16 interior;
  u8x16 high_variance;

  explicit EdgeLimitVectors(const EdgeLimits& limits)
      : edge(splat_u8(limits.edge)),
        interior(splat_u8(limits.interior)),
        high_variance(splat_u8(limits.high_variance)) {}
};

// The pixels across 16 positions, in the RFC's names: P3 to P0, then Q0 to Q3.
enum EdgePixel { kP3, kP2, kP1, kP0, kQ0, kQ1, kQ2, kQ3 };

// By how much an edge exceeds its limit; zero where it does not.
inline u8x16 beyond_edge_limit(const u8x16* v, u8x16 limit) {
  const u8x16 inner = difference_u8(v[kP0], v[kQ0]);
  const u8x16 outer = shift_right_u8<1>(difference_u8(v[kP1], v[kQ1]));
  return sub_sat_u8(add_sat_u8(add_sat_u8(inner, inner), outer), limit);
}

struct EdgeMasks {
  u8x16 filtered;
  u8x16 low_variance;
};

inline EdgeMasks edge_masks(const u8x16* v, const EdgeLimitVectors& limits) {
  const u8x16 variance = max_u8(difference_u8(v[kP1], v[kP0]), difference_u8(v[kQ1], v[kQ0]));
  const u8x16 left = max_u8(difference_u8(v[kP3], v[kP2]), difference_u8(v[kP2], v[kP1]));
  const u8x16 right = max_u8(difference_u8(v[kQ3], v[kQ2]), difference_u8(v[kQ2], v[kQ1]));
  const u8x16 interior = max_u8(variance, max_u8(left, right));
  const u8x16 beyond =
      bit_or(sub_sat_u8(interior, limits.interior), beyond_edge_limit(v, limits.edge));
  return {is_zero_u8(beyond), is_zero_u8(sub_sat_u8(variance, limits.high_variance))};
}

// Pixels as signed numbers around mid-grey, and back.
inline u8x16 flip_sign(u8x16 v) { return bit_xor(v, splat_u8(0x80)); }

// clamp(outer + 3 * (q0 - p0)); saturating once a step comes to the same.
inline u8x16 base_adjustment(u8x16 outer, u8x16 p0, u8x16 q0) {
  const u8x16 step = sub_sat_i8(q0, p0);
  return add_sat_i8(add_sat_i8(add_sat_i8(outer, step), step), step);
}

// clamp(a + rounding) >> 3 of signed bytes, plus 16: shifts are of unsigned ones.
inline u8x16 eighth_plus_16(u8x16 a, int rounding) {
  return shift_right_u8<3>(add_sat_u8(flip_sign(a), splat_u8(rounding)));
}

// Moves signed p0 and q0 towards each other by the adjustment a. Returns how far
// q0 went, plus 16.
inline u8x16 adjust_inner(u8x16 a, u8x16& p0, u8x16& q0) {
  const u8x16 sixteen = splat_u8(16);
  const u8x16 down = eighth_plus_16(a, 4);
  q0 = sub_sat_i8(q0, sub_u8(down, sixteen));
  p0 = add_sat_i8(p0, sub_u8(eighth_plus_16(a, 3), sixteen));
  return down;
}

// Each filter returns whether it changed anything.

inline bool filter_simple(u8x16* v, const EdgeLimitVectors& limits) {
  const u8x16 filtered = is_zero_u8(beyond_edge_limit(v, limits.edge));
  if (none_set(filtered)) return false;
  u8x16 p0 = flip_sign(v[kP0]);
  u8x16 q0 = flip_sign(v[kQ0]);
  const u8x16 outer = sub_sat_i8(flip_sign(v[kP1]), flip_sign(v[kQ1]));
  adjust_inner(bit_and(base_adjustment(outer, p0, q0), filtered), p0, q0);
  v[kP0] = flip_sign(p0);
  v[kQ0] = flip_sign(q0);
  return true;
}

inline bool filter_subblock(u8x16* v, const EdgeLimitVectors& limits) {
  const EdgeMasks masks = edge_masks(v, limits);
  if (none_set(masks.filtered)) return false;
  const u8x16 p1 = flip_sign(v[kP1]);
  u8x16 p0 = flip_sign(v[kP0]);
  u8x16 q0 = flip_sign(v[kQ0]);
  const u8x16 q1 = flip_sign(v[kQ1]);
  const u8x16 outer = clear_where(sub_sat_i8(p1, q1), masks.low_variance);
  const u8x16 down = adjust_inner(bit_and(base_adjustment(outer, p0, q0), masks.filtered), p0, q0);
  v[kP0] = flip_sign(p0);
  v[kQ0] = flip_sign(q0);
  // (down + 1) >> 1 with 16 taken off again.
  const u8x16 half = sub_u8(average_u8(down, splat_u8(0)), splat_u8(8));
  const u8x16 a = bit_and(half, masks.low_variance);
  v[kP1] = flip_sign(add_sat_i8(p1, a));
  v[kQ1] = flip_sign(sub_sat_i8(q1, a));
  return true;
}

inline bool filter_macroblock_edge(u8x16* v, const EdgeLimitVectors& limits) {
  const EdgeMasks masks = edge_masks(v, limits);
  if (none_set(masks.filtered)) return false;
  const u8x16 p2 = flip_sign(v[kP2]);
  const u8x16 p1 = flip_sign(v[kP1]);
  u8x16 p0 = flip_sign(v[kP0]);
  u8x16 q0 = flip_sign(v[kQ0]);
  const u8x16 q1 = flip_sign(v[kQ1]);
  const u8x16 q2 = flip_sign(v[kQ2]);
  const u8x16 w = bit_and(base_adjustment(sub_sat_i8(p1, q1), p0, q0), masks.filtered);
  adjust_inner(clear_where(w, masks.low_variance), p0, q0);
  const u8x16 wide = bit_and(w, masks.low_variance);
  const u8x16 a = scale_i8<27>(wide);
  const u8x16 b = scale_i8<18>(wide);
  const u8x16 c = scale_i8<9>(wide);
  v[kP0] = flip_sign(add_sat_i8(p0, a));
  v[kQ0] = flip_sign(sub_sat_i8(q0, a));
  v[kP1] = flip_sign(add_sat_i8(p1, b));
  v[kQ1] = flip_sign(sub_sat_i8(q1, b));
  v[kP2] = flip_sign(add_sat_i8(p2, c));
  v[kQ2] = flip_sign(sub_sat_i8(q2, c));
  return true;
}

using FilterEdge = bool (*)(u8x16* v, const EdgeLimitVectors& limits);

// ---- rows ----

// Pixels a filter may change on either side of the edge.
template <FilterEdge Filter>
constexpr int kReach = Filter == filter_macroblock_edge ? 3
                       : Filter == filter_subblock      ? 2
                                                        : 1;

template <FilterEdge Filter>
void edge_rows(std::uint8_t* pixels, std::ptrdiff_t stride, EdgeLimits limits) {
  u8x16 v[8];
  for (int i = 0; i < 8; ++i) v[i] = load_u8(pixels + (i - 4) * stride);
  if (!Filter(v, EdgeLimitVectors(limits))) return;
  for (int i = 4 - kReach<Filter>; i < 4 + kReach<Filter>; ++i) {
    store_u8(pixels + (i - 4) * stride, v[i]);
  }
}

template <FilterEdge Filter>
void three_edges_rows(std::uint8_t* pixels, std::ptrdiff_t stride, EdgeLimits edge_limits) {
  const EdgeLimitVectors limits(edge_limits);
  u8x16 v[8];
  for (int i = 0; i < 4; ++i) v[i] = load_u8(pixels + i * stride);
  for (int y = 4; y < 16; y += 4) {
    std::uint8_t* edge = pixels + y * stride;
    for (int i = 4; i < 8; ++i) v[i] = load_u8(edge + (i - 4) * stride);
    if (Filter(v, limits)) {
      for (int i = 4 - kReach<Filter>; i < 4 + kReach<Filter>; ++i) {
        store_u8(edge + (i - 4) * stride, v[i]);
      }
    }
    for (int i = 0; i < 4; ++i) v[i] = v[4 + i];
  }
}

// U in the low half, V in the high one.
template <FilterEdge Filter, int At>
void chroma_edge_rows(std::uint8_t* u, std::uint8_t* v, std::ptrdiff_t stride, EdgeLimits limits) {
  u += At * stride;
  v += At * stride;
  u8x16 pixels[8];
  for (int i = 0; i < 8; ++i) pixels[i] = two_rows(u + (i - 4) * stride, v + (i - 4) * stride);
  if (!Filter(pixels, EdgeLimitVectors(limits))) return;
  for (int i = 4 - kReach<Filter>; i < 4 + kReach<Filter>; ++i) {
    store_u8_low(u + (i - 4) * stride, pixels[i]);
    store_u8_high(v + (i - 4) * stride, pixels[i]);
  }
}

// ---- columns ----

// One step of a transposition: of a byte's place, vector and lane in binary, the
// digits move up by one and the first becomes the last.
template <int Count>
inline void rotate_places(const u8x16 (&from)[Count], u8x16 (&to)[Count]) {
#pragma GCC unroll 16
  for (int i = 0; i < Count / 2; ++i) {
    to[2 * i] = zip_low_u8(from[i], from[i + Count / 2]);
    to[2 * i + 1] = zip_high_u8(from[i], from[i + Count / 2]);
  }
}

// Several steps, from one array to the other and back, so that nothing is copied:
// `from` is used up.
template <int Steps, int Count>
inline void rotate_places(u8x16 (&from)[Count], u8x16 (&to)[Count]) {
  static_assert(Steps == 3 || Steps == 4);
  if constexpr (Steps == 3) {
    rotate_places(from, to);
    rotate_places(to, from);
    rotate_places(from, to);
  } else {
    u8x16 between[Count];
    rotate_places(from, between);
    rotate_places<3>(between, to);
  }
}

// 16 rows of 8 pixels, the first 8 from `upper` and the others from `lower`, as 8
// columns.
inline void load_columns(const std::uint8_t* upper, const std::uint8_t* lower,
                         std::ptrdiff_t stride, u8x16 (&v)[8]) {
  u8x16 rows[8];
  for (int i = 0; i < 8; ++i) {
    rows[i] = zip_low_u8(load_u8_low(upper + i * stride), load_u8_low(lower + i * stride));
  }
  rotate_places<3>(rows, v);
}

inline void store_columns(std::uint8_t* upper, std::uint8_t* lower, std::ptrdiff_t stride,
                          u8x16 (&v)[8]) {
  u8x16 rows[8];
  rotate_places<3>(v, rows);
  for (int i = 0; i < 4; ++i) store_two_rows(upper + 2 * i * stride, stride, rows[i]);
  for (int i = 0; i < 4; ++i) store_two_rows(lower + 2 * i * stride, stride, rows[4 + i]);
}

template <FilterEdge Filter>
inline void filter_columns(std::uint8_t* upper, std::uint8_t* lower, std::ptrdiff_t stride,
                           const EdgeLimits& limits) {
  u8x16 v[8];
  load_columns(upper, lower, stride, v);
  if (Filter(v, EdgeLimitVectors(limits))) store_columns(upper, lower, stride, v);
}

template <FilterEdge Filter>
void edge_columns(std::uint8_t* pixels, std::ptrdiff_t stride, EdgeLimits limits) {
  filter_columns<Filter>(pixels - 4, pixels - 4 + 8 * stride, stride, limits);
}

template <FilterEdge Filter, int At>
void chroma_edge_columns(std::uint8_t* u, std::uint8_t* v, std::ptrdiff_t stride,
                         EdgeLimits limits) {
  filter_columns<Filter>(u + At - 4, v + At - 4, stride, limits);
}

// Turns the whole macroblock once for all three edges. Vectors of 256 bits are no
// faster here: what they save in zips goes into crossing their halves.
template <FilterEdge Filter>
void three_edges_columns(std::uint8_t* pixels, std::ptrdiff_t stride, EdgeLimits edge_limits) {
  const EdgeLimitVectors limits(edge_limits);
  u8x16 rows[16];
  u8x16 v[16];
#pragma GCC unroll 16
  for (int i = 0; i < 16; ++i) rows[i] = load_u8(pixels + i * stride);
  rotate_places<4>(rows, v);
  bool changed = Filter(v, limits);
  changed |= Filter(v + 4, limits);
  changed |= Filter(v + 8, limits);
  if (!changed) return;
  rotate_places<4>(v, rows);
#pragma GCC unroll 16
  for (int i = 0; i < 16; ++i) store_u8(pixels + i * stride, rows[i]);
}

inline void install_simd_loop_filters(Kernels& table) {
  table.macroblock_edge_columns = edge_columns<filter_macroblock_edge>;
  table.macroblock_edge_rows = edge_rows<filter_macroblock_edge>;
  table.inner_edges_columns = three_edges_columns<filter_subblock>;
  table.inner_edges_rows = three_edges_rows<filter_subblock>;
  table.macroblock_edge_columns_uv = chroma_edge_columns<filter_macroblock_edge, 0>;
  table.macroblock_edge_rows_uv = chroma_edge_rows<filter_macroblock_edge, 0>;
  table.inner_edge_columns_uv = chroma_edge_columns<filter_subblock, 4>;
  table.inner_edge_rows_uv = chroma_edge_rows<filter_subblock, 4>;
  table.simple_edge_columns = edge_columns<filter_simple>;
  table.simple_edge_rows = edge_rows<filter_simple>;
  table.simple_inner_edges_columns = three_edges_columns<filter_simple>;
  table.simple_inner_edges_rows = three_edges_rows<filter_simple>;
}

}  // namespace
}  // namespace vp8
