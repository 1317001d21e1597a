// The loop filters of all planes in AVX2: 16 positions of luma in the low half of a
// vector, 8 each of U and V in the high one.
//
// Everything here is in an unnamed namespace, and calls no inline function of another
// header: the linker merges copies of those, and might keep the one with AVX2.
#if defined(__x86_64__)

#include "kernels/avx2.h"
#include "kernels/simd_loop_filters.h"
#include "kernels/vector128.h"

namespace vp8 {
namespace {

inline void join_halves(const u8x16* low, const u8x16* high, Wide (&v)[8]) {
  for (int i = 0; i < 8; ++i) v[i] = wide(low[i], high[i]);
}

inline void part_halves(const Wide (&v)[8], u8x16* low, u8x16* high) {
  for (int i = 0; i < 8; ++i) {
    low[i] = low_half(v[i]);
    high[i] = high_half(v[i]);
  }
}

void macroblock_edge_rows_wide(std::uint8_t* luma, std::ptrdiff_t stride,
                               const ChromaPixels& chroma, const EdgeLimits& limits) {
  Wide v[8];
  for (int i = 0; i < 8; ++i) {
    v[i] = wide(load_u8(luma + (i - 4) * stride), load_chroma_row(chroma, i - 4));
  }
  if (!MacroblockFilter::apply(v, limits)) return;
  u8x16 low[8];
  u8x16 high[8];
  part_halves(v, low, high);
  store_rows<MacroblockFilter>(luma, stride, low);
  store_chroma_rows<MacroblockFilter>(chroma, 0, high);
}

// Chroma's edge goes with the first of luma's.
void inner_edges_rows_wide(std::uint8_t* luma, std::ptrdiff_t stride, const ChromaPixels& chroma,
                           const EdgeLimits& limits) {
  Wide v[8];
  for (int i = 0; i < 8; ++i) v[i] = wide(load_u8(luma + i * stride), load_chroma_row(chroma, i));
  const bool changed = SubblockFilter::apply(v, limits);
  u8x16 low[8];
  u8x16 high[8];
  part_halves(v, low, high);
  if (changed) {
    store_rows<SubblockFilter>(luma + 4 * stride, stride, low);
    store_chroma_rows<SubblockFilter>(chroma, 4, high);
  }
  for (int i = 0; i < 4; ++i) low[i] = low[4 + i];
  edges_rows_from<SubblockFilter, 8>(luma, stride, limits, low);
}

void macroblock_edge_columns_wide(std::uint8_t* luma, std::ptrdiff_t stride,
                                  const ChromaPixels& chroma, const EdgeLimits& limits) {
  std::uint8_t* const upper = luma - 4;
  std::uint8_t* const lower = upper + 8 * stride;
  std::uint8_t* const u = chroma.u - 4;
  std::uint8_t* const v = chroma.v - 4;
  Wide rows[8];
  Wide columns[8];
  for (int i = 0; i < 8; ++i) {
    rows[i] = wide(load_row_pair(upper + i * stride, lower + i * stride),
                   load_row_pair(u + i * chroma.stride, v + i * chroma.stride));
  }
  rotate_places<3>(rows, columns);
  if (!MacroblockFilter::apply(columns, limits)) return;
  rotate_places<3>(columns, rows);
  u8x16 low[8];
  u8x16 high[8];
  part_halves(rows, low, high);
  store_row_pairs(upper, lower, stride, low);
  store_row_pairs(u, v, chroma.stride, high);
}

void inner_edges_columns_wide(std::uint8_t* luma, std::ptrdiff_t stride, const ChromaPixels& chroma,
                              const EdgeLimits& limits) {
  u8x16 low[16];
  u8x16 high[8];
  load_all_columns(luma, stride, low);
  load_columns(chroma.u, chroma.v, chroma.stride, high);
  Wide v[8];
  join_halves(low, high, v);
  bool changed = SubblockFilter::apply(v, limits);
  if (changed) {
    part_halves(v, low, high);
    store_columns(chroma.u, chroma.v, chroma.stride, high);
  }
  changed |= SubblockFilter::apply(low + 4, limits);
  changed |= SubblockFilter::apply(low + 8, limits);
  if (changed) store_all_columns(luma, stride, low);
}

}  // namespace

void install_avx2_loop_filters(Kernels& table) {
  table.macroblock_edge_columns_yuv = macroblock_edge_columns_wide;
  table.macroblock_edge_rows_yuv = macroblock_edge_rows_wide;
  table.inner_edges_columns_yuv = inner_edges_columns_wide;
  table.inner_edges_rows_yuv = inner_edges_rows_wide;
}

}  // namespace vp8

#endif
