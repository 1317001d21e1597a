// The loop filters' edge arithmetic (RFC 6386, sections 15.2 and 15.3), plain.
#include <cstdlib>

#include "common/types.h"
#include "kernels/kernels.h"

namespace vp8 {
namespace {

int clamp_signed(int value) { return clamp_int(value, -128, 127); }
// Pixels as signed numbers around mid-grey.
int to_signed(std::uint8_t pixel) { return pixel - 128; }
std::uint8_t to_pixel(int value) { return static_cast<std::uint8_t>(clamp_signed(value) + 128); }

// The eight pixels across an edge lie `step` apart; q0 is the first after it.
struct Edge {
  std::uint8_t* q0;
  std::ptrdiff_t step;

  std::uint8_t& p(int i) const { return q0[-(i + 1) * step]; }
  std::uint8_t& q(int i) const { return q0[i * step]; }
};

bool within_edge_limit(const Edge& edge, int limit) {
  return std::abs(edge.p(0) - edge.q(0)) * 2 + (std::abs(edge.p(1) - edge.q(1)) >> 1) <= limit;
}

bool is_smooth(const Edge& edge, const EdgeLimits& limits) {
  const int i = limits.interior;
  return within_edge_limit(edge, limits.edge) && std::abs(edge.p(3) - edge.p(2)) <= i &&
         std::abs(edge.p(2) - edge.p(1)) <= i && std::abs(edge.p(1) - edge.p(0)) <= i &&
         std::abs(edge.q(3) - edge.q(2)) <= i && std::abs(edge.q(2) - edge.q(1)) <= i &&
         std::abs(edge.q(1) - edge.q(0)) <= i;
}

bool has_high_variance(const Edge& edge, int threshold) {
  return std::abs(edge.p(1) - edge.p(0)) > threshold || std::abs(edge.q(1) - edge.q(0)) > threshold;
}

// Moves p0 and q0 towards each other; returns how far q0 went.
int adjust_inner(const Edge& edge, bool use_outer_taps) {
  const int p0 = to_signed(edge.p(0));
  const int q0 = to_signed(edge.q(0));
  const int outer = use_outer_taps ? clamp_signed(to_signed(edge.p(1)) - to_signed(edge.q(1))) : 0;
  const int a = clamp_signed(outer + 3 * (q0 - p0));
  const int down = clamp_signed(a + 4) >> 3;
  const int up = clamp_signed(a + 3) >> 3;
  edge.q(0) = to_pixel(q0 - down);
  edge.p(0) = to_pixel(p0 + up);
  return down;
}

void filter_simple(const Edge& edge, const EdgeLimits& limits) {
  if (within_edge_limit(edge, limits.edge)) adjust_inner(edge, true);
}

void filter_subblock(const Edge& edge, const EdgeLimits& limits) {
  if (!is_smooth(edge, limits)) return;
  const bool high_variance = has_high_variance(edge, limits.high_variance);
  const int a = (adjust_inner(edge, high_variance) + 1) >> 1;
  if (high_variance) return;
  edge.q(1) = to_pixel(to_signed(edge.q(1)) - a);
  edge.p(1) = to_pixel(to_signed(edge.p(1)) + a);
}

void filter_macroblock(const Edge& edge, const EdgeLimits& limits) {
  if (!is_smooth(edge, limits)) return;
  if (has_high_variance(edge, limits.high_variance)) {
    adjust_inner(edge, true);
    return;
  }
  const int w = clamp_signed(clamp_signed(to_signed(edge.p(1)) - to_signed(edge.q(1))) +
                             3 * (to_signed(edge.q(0)) - to_signed(edge.p(0))));
  for (int i = 0; i < 3; ++i) {
    const int a = clamp_signed((w * (27 - 9 * i) + 63) >> 7);
    edge.q(i) = to_pixel(to_signed(edge.q(i)) - a);
    edge.p(i) = to_pixel(to_signed(edge.p(i)) + a);
  }
}

using FilterOne = void (*)(const Edge&, const EdgeLimits&);

template <FilterOne Filter, int Length>
void columns(std::uint8_t* pixels, std::ptrdiff_t stride, const EdgeLimits& limits) {
  for (int i = 0; i < Length; ++i) Filter(Edge{pixels + i * stride, 1}, limits);
}

template <FilterOne Filter, int Length>
void rows(std::uint8_t* pixels, std::ptrdiff_t stride, const EdgeLimits& limits) {
  for (int i = 0; i < Length; ++i) Filter(Edge{pixels + i, stride}, limits);
}

template <FilterOne Filter>
void three_columns(std::uint8_t* pixels, std::ptrdiff_t stride, const EdgeLimits& limits) {
  for (int x = 4; x < 16; x += 4) columns<Filter, 16>(pixels + x, stride, limits);
}

template <FilterOne Filter>
void three_rows(std::uint8_t* pixels, std::ptrdiff_t stride, const EdgeLimits& limits) {
  for (int y = 4; y < 16; y += 4) rows<Filter, 16>(pixels + y * stride, stride, limits);
}

// All three edges of luma or the one left or above, then chroma's.
template <Kernels::EdgeFilter Luma, FilterOne Filter, int At>
void columns_yuv(std::uint8_t* luma, std::ptrdiff_t stride, const ChromaPixels& chroma,
                 const EdgeLimits& limits) {
  Luma(luma, stride, limits);
  columns<Filter, 8>(chroma.u + At, chroma.stride, limits);
  columns<Filter, 8>(chroma.v + At, chroma.stride, limits);
}

template <Kernels::EdgeFilter Luma, FilterOne Filter, int At>
void rows_yuv(std::uint8_t* luma, std::ptrdiff_t stride, const ChromaPixels& chroma,
              const EdgeLimits& limits) {
  Luma(luma, stride, limits);
  rows<Filter, 8>(chroma.u + At * chroma.stride, chroma.stride, limits);
  rows<Filter, 8>(chroma.v + At * chroma.stride, chroma.stride, limits);
}

}  // namespace

void install_reference_loop_filters(Kernels& table) {
  table.macroblock_edge_columns = columns<filter_macroblock, 16>;
  table.macroblock_edge_rows = rows<filter_macroblock, 16>;
  table.inner_edges_columns = three_columns<filter_subblock>;
  table.inner_edges_rows = three_rows<filter_subblock>;
  table.macroblock_edge_columns_yuv =
      columns_yuv<columns<filter_macroblock, 16>, filter_macroblock, 0>;
  table.macroblock_edge_rows_yuv = rows_yuv<rows<filter_macroblock, 16>, filter_macroblock, 0>;
  table.inner_edges_columns_yuv = columns_yuv<three_columns<filter_subblock>, filter_subblock, 4>;
  table.inner_edges_rows_yuv = rows_yuv<three_rows<filter_subblock>, filter_subblock, 4>;
  table.simple_edge_columns = columns<filter_simple, 16>;
  table.simple_edge_rows = rows<filter_simple, 16>;
  table.simple_inner_edges_columns = three_columns<filter_simple>;
  table.simple_inner_edges_rows = three_rows<filter_simple>;
}

}  // namespace vp8
