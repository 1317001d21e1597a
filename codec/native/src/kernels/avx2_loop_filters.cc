// The inner edges between columns in AVX2, where the macroblock is turned with 256 bits.
//
// Everything here is in an unnamed namespace, and calls no inline function of another
// header: the linker merges copies of those, and might keep the one with AVX2.
#if defined(__x86_64__)

#include "kernels/avx2.h"
#include "kernels/simd_loop_filters.h"

namespace vp8 {
namespace {

// The two middle quarters change places.
inline Wide swap_middle(Wide v) { return _mm256_permute4x64_epi64(v, 0xd8); }

template <FilterEdge Filter>
void three_edges_columns_wide(std::uint8_t* pixels, std::ptrdiff_t stride, EdgeLimits edge_limits) {
  const EdgeLimitVectors limits(edge_limits);
  Wide rows[8];
  for (int i = 0; i < 8; ++i) {
    rows[i] = wide(load_u8(pixels + i * stride), load_u8(pixels + (i + 8) * stride));
  }
  // Each half turns eight rows; then two columns' upper and lower parts come together.
  Wide pairs[8];
  rotate_places<3>(rows, pairs);
  u8x16 v[16];
  for (int i = 0; i < 8; ++i) {
    const Wide columns = swap_middle(pairs[i]);
    v[2 * i] = low_half(columns);
    v[2 * i + 1] = high_half(columns);
  }
  bool changed = Filter(v, limits);
  changed |= Filter(v + 4, limits);
  changed |= Filter(v + 8, limits);
  if (!changed) return;
  for (int i = 0; i < 8; ++i) pairs[i] = swap_middle(wide(v[2 * i], v[2 * i + 1]));
  rotate_places<4>(pairs, rows);
  for (int i = 0; i < 8; ++i) {
    store_u8(pixels + i * stride, low_half(rows[i]));
    store_u8(pixels + (i + 8) * stride, high_half(rows[i]));
  }
}

}  // namespace

void install_avx2_loop_filters(Kernels& table) {
  table.inner_edges_columns = three_edges_columns_wide<filter_subblock>;
  table.simple_inner_edges_columns = three_edges_columns_wide<filter_simple>;
}

}  // namespace vp8

#endif
