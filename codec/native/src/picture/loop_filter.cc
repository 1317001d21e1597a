#include "picture/loop_filter.h"

#include "kernels/kernels.h"
#include "picture/inter_prediction.h"

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

EdgeLimits edge_limits(int edge, int interior, int high_variance) {
  return {static_cast<std::uint8_t>(edge), static_cast<std::uint8_t>(interior),
          static_cast<std::uint8_t>(high_variance)};
}

// The level of a macroblock, 0 to 63.
int filter_level(const LoopFilterSettings& settings, int segment, int reference, int mode) {
  int level = settings.segment_levels[static_cast<std::size_t>(segment)];
  if (settings.deltas_enabled) {
    const LoopFilterDeltas& deltas = settings.deltas;
    level += deltas.reference[static_cast<std::size_t>(reference)];
    if (reference == kIntraFrame) {
      if (mode == B_PRED) level += deltas.mode[0];
    } else if (mode == ZEROMV) {
      level += deltas.mode[1];
    } else {
      level += deltas.mode[mode == SPLITMV ? 3 : 2];
    }
  }
  return clamp_int(level, 0, kMaxLoopFilterLevel);
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

bool filters_inside(const MacroblockInfo& info) { return info.has_tokens || !info.has_y2(); }

}  // namespace

LoopFilter::LoopFilter(const LoopFilterSettings& settings) : simple_(settings.simple) {
  // Level 0 in the header turns the filter off for the whole frame.
  if (settings.level != 0) {
    for (int segment = 0; segment < kMaxSegments; ++segment) {
      for (int reference = 0; reference < kReferenceFrames; ++reference) {
        for (int mode = 0; mode <= SPLITMV; ++mode) {
          levels_[segment][reference][mode] =
              static_cast<std::uint8_t>(filter_level(settings, segment, reference, mode));
        }
      }
    }
  }
  for (int level = 0; level <= kMaxLoopFilterLevel; ++level) {
    const int interior = interior_limit(level, settings.sharpness_level);
    const int variance = high_variance_threshold(level, settings.key_frame);
    outer_[level] = edge_limits((level + 2) * 2 + interior, interior, variance);
    inner_[level] = edge_limits(level * 2 + interior, interior, variance);
  }
}

void LoopFilter::filter_macroblock(Raster& raster, int mb_row, int mb_col,
                                   const MacroblockInfo& info) const {
  if (simple_) {  // the simple filter does not filter chroma
    filter_macroblock_luma(raster, mb_row, mb_col, info);
    return;
  }
  const int level = level_of(info);
  if (level == 0) return;
  const MacroblockPixels target = macroblock_pixels(raster, mb_row, mb_col);
  const ChromaPixels chroma{target.pixels[1], target.pixels[2], target.stride[1]};
  const auto filter = [&](Kernels::PlanesEdgeFilter kernel, const EdgeLimits& limits) {
    kernel(target.pixels[0], target.stride[0], chroma, limits);
  };
  const Kernels& k = kernels();
  const bool inside = filters_inside(info);
  if (mb_col > 0) filter(k.macroblock_edge_columns_yuv, outer_[level]);
  if (inside) filter(k.inner_edges_columns_yuv, inner_[level]);
  if (mb_row > 0) filter(k.macroblock_edge_rows_yuv, outer_[level]);
  if (inside) filter(k.inner_edges_rows_yuv, inner_[level]);
}

void LoopFilter::filter_macroblock_luma(Raster& raster, int mb_row, int mb_col,
                                        const MacroblockInfo& info) const {
  const int level = level_of(info);
  if (level == 0) return;
  const MutablePlane& plane = raster.mutable_plane(0);
  std::uint8_t* const pixels = plane.at(mb_col * kMacroblockSize, mb_row * kMacroblockSize);
  const LumaFilters luma = luma_filters(kernels(), simple_);
  const bool inside = filters_inside(info);
  if (mb_col > 0) luma.left_edge(pixels, plane.stride, outer_[level]);
  if (inside) luma.inner_columns(pixels, plane.stride, inner_[level]);
  if (mb_row > 0) luma.top_edge(pixels, plane.stride, outer_[level]);
  if (inside) luma.inner_rows(pixels, plane.stride, inner_[level]);
}

}  // namespace vp8
