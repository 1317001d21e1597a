#include "loop_filter.h"

#include "inter_prediction.h"
#include "kernels/kernels.h"

namespace vp8 {
namespace {

int interior_limit(int level, int sharpness_level) {
  int limit = level;
  if (sharpness_level > 0) {
    limit >>= sharpness_level > 4 ? 2 : 1;
    limit = limit > 9 - sharpness_level ? 9 - sharpness_level : limit;
  }
  return limit < 1 ? 1 : limit;
}

int high_variance_threshold(int level, bool key_frame) {
  if (key_frame) return level >= 40 ? 2 : level >= 15 ? 1 : 0;
  return level >= 40 ? 3 : level >= 20 ? 2 : level >= 15 ? 1 : 0;
}

struct LumaFilters {
  Kernels::EdgeFilter left_edge, inner_columns, top_edge, inner_rows;
};

LumaFilters luma_filters(const Kernels& k, bool simple) {
  if (simple) {
    return {k.simple_edge_columns, k.simple_inner_edges_columns, k.simple_edge_rows,
            k.simple_inner_edges_rows};
  }
  return {k.macroblock_edge_columns, k.inner_edges_columns, k.macroblock_edge_rows,
          k.inner_edges_rows};
}

}  // namespace

int macroblock_filter_level(const LoopFilterSettings& settings, const MacroblockInfo& info) {
  int level = settings.segment_levels[info.segment];
  if (settings.deltas_enabled) {
    level += settings.deltas.reference[info.reference];
    if (!info.is_inter()) {
      if (info.y_mode == B_PRED) level += settings.deltas.mode[0];
    } else if (info.y_mode == ZEROMV) {
      level += settings.deltas.mode[1];
    } else {
      level += settings.deltas.mode[info.y_mode == SPLITMV ? 3 : 2];
    }
  }
  return clamp_int(level, 0, kMaxLoopFilterLevel);
}

void filter_macroblock(Raster& raster, int mb_row, int mb_col, const LoopFilterSettings& settings,
                       const MacroblockInfo& info) {
  const int level = macroblock_filter_level(settings, info);
  if (level == 0) return;
  const int interior = interior_limit(level, settings.sharpness_level);
  const int variance = high_variance_threshold(level, settings.key_frame);
  const EdgeLimits outer{(level + 2) * 2 + interior, interior, variance};
  const EdgeLimits inner{level * 2 + interior, interior, variance};
  const bool filter_inside = info.has_tokens || !info.has_y2();

  const Kernels& k = kernels();
  const LumaFilters luma = luma_filters(k, settings.simple);
  const MacroblockPixels target = macroblock_pixels(raster, mb_row, mb_col);
  std::uint8_t* y = target.pixels[0];
  if (mb_col > 0) luma.left_edge(y, target.stride[0], outer);
  if (filter_inside) luma.inner_columns(y, target.stride[0], inner);
  if (mb_row > 0) luma.top_edge(y, target.stride[0], outer);
  if (filter_inside) luma.inner_rows(y, target.stride[0], inner);

  // The simple filter leaves chroma alone.
  if (settings.simple) return;
  std::uint8_t* u = target.pixels[1];
  std::uint8_t* v = target.pixels[2];
  const std::ptrdiff_t stride = target.stride[1];
  if (mb_col > 0) k.macroblock_edge_columns_uv(u, v, stride, outer);
  if (filter_inside) k.inner_edge_columns_uv(u, v, stride, inner);
  if (mb_row > 0) k.macroblock_edge_rows_uv(u, v, stride, outer);
  if (filter_inside) k.inner_edge_rows_uv(u, v, stride, inner);
}

}  // namespace vp8
