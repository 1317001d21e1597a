#include "loop_filter.h"

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

struct EdgeFilters {
  Kernels::EdgeFilter macroblock_columns, macroblock_rows, subblock_columns, subblock_rows;
};

EdgeFilters edge_filters(bool simple) {
  const Kernels& k = kernels();
  if (simple) {
    return {k.simple_edge_columns, k.simple_edge_rows, k.simple_edge_columns, k.simple_edge_rows};
  }
  return {k.macroblock_edge_columns, k.macroblock_edge_rows, k.subblock_edge_columns,
          k.subblock_edge_rows};
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
  const EdgeFilters filters = edge_filters(settings.simple);
  const bool filter_inside = info.has_tokens || !info.has_y2();

  // The simple filter leaves chroma alone.
  const int planes = settings.simple ? 1 : kPlanes;
  for (int i = 0; i < planes; ++i) {
    const int size = i == 0 ? 16 : 8;
    const MutablePlane plane = raster.mutable_plane(i);
    std::uint8_t* pixels = plane.at(mb_col * size, mb_row * size);
    if (mb_col > 0) filters.macroblock_columns(pixels, plane.stride, size, outer);
    if (filter_inside) {
      for (int x = 4; x < size; x += 4) {
        filters.subblock_columns(pixels + x, plane.stride, size, inner);
      }
    }
    if (mb_row > 0) filters.macroblock_rows(pixels, plane.stride, size, outer);
    if (filter_inside) {
      for (int y = 4; y < size; y += 4) {
        filters.subblock_rows(pixels + y * plane.stride, plane.stride, size, inner);
      }
    }
  }
}

void filter_frame(Raster& raster, const MacroblockGrid& macroblocks,
                  const LoopFilterSettings& settings) {
  if (settings.level == 0) return;
  for (int row = 0; row < macroblocks.rows(); ++row) {
    for (int col = 0; col < macroblocks.columns(); ++col) {
      filter_macroblock(raster, row, col, settings, macroblocks.at(row, col));
    }
  }
}

}  // namespace vp8
