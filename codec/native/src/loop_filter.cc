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

namespace {

// What one macroblock is filtered with.
struct MacroblockFilter {
  MacroblockFilter(const LoopFilterSettings& settings, const MacroblockInfo& info)
      : level(macroblock_filter_level(settings, info)), inside(info.has_tokens || !info.has_y2()) {
    const int interior = interior_limit(level, settings.sharpness_level);
    const int variance = high_variance_threshold(level, settings.key_frame);
    outer = {(level + 2) * 2 + interior, interior, variance};
    inner = {level * 2 + interior, interior, variance};
  }

  int level;
  bool inside;
  EdgeLimits outer;
  EdgeLimits inner;
};

void filter_luma(const MacroblockPixels& target, int mb_row, int mb_col, bool simple,
                 const MacroblockFilter& filter) {
  const LumaFilters luma = luma_filters(kernels(), simple);
  std::uint8_t* y = target.pixels[0];
  const std::ptrdiff_t stride = target.stride[0];
  if (mb_col > 0) luma.left_edge(y, stride, filter.outer);
  if (filter.inside) luma.inner_columns(y, stride, filter.inner);
  if (mb_row > 0) luma.top_edge(y, stride, filter.outer);
  if (filter.inside) luma.inner_rows(y, stride, filter.inner);
}

void filter_chroma(const MacroblockPixels& target, int mb_row, int mb_col,
                   const MacroblockFilter& filter) {
  const Kernels& k = kernels();
  std::uint8_t* u = target.pixels[1];
  std::uint8_t* v = target.pixels[2];
  const std::ptrdiff_t stride = target.stride[1];
  if (mb_col > 0) k.macroblock_edge_columns_uv(u, v, stride, filter.outer);
  if (filter.inside) k.inner_edge_columns_uv(u, v, stride, filter.inner);
  if (mb_row > 0) k.macroblock_edge_rows_uv(u, v, stride, filter.outer);
  if (filter.inside) k.inner_edge_rows_uv(u, v, stride, filter.inner);
}

}  // namespace

void filter_macroblock(Raster& raster, int mb_row, int mb_col, const LoopFilterSettings& settings,
                       const MacroblockInfo& info) {
  const MacroblockFilter filter(settings, info);
  if (filter.level == 0) return;
  const MacroblockPixels target = macroblock_pixels(raster, mb_row, mb_col);
  filter_luma(target, mb_row, mb_col, settings.simple, filter);
  // The simple filter leaves chroma alone.
  if (!settings.simple) filter_chroma(target, mb_row, mb_col, filter);
}

void filter_macroblock_luma(Raster& raster, int mb_row, int mb_col,
                            const LoopFilterSettings& settings, const MacroblockInfo& info) {
  const MacroblockFilter filter(settings, info);
  if (filter.level == 0) return;
  filter_luma(macroblock_pixels(raster, mb_row, mb_col), mb_row, mb_col, settings.simple, filter);
}

}  // namespace vp8
