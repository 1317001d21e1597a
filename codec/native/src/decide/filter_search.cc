#include "decide/filter_search.h"

#include <cstring>

#include "kernels/kernels.h"
#include "parallel/wavefront.h"

namespace vp8 {
namespace {

constexpr int kMaxSharpness = 7;

std::int64_t luma_error(const Raster& a, const Raster& b) {
  const Plane p = a.plane(0);
  const Plane q = b.plane(0);
  std::int64_t sum = 0;
  for (int y = 0; y < p.height; y += 16) {
    for (int x = 0; x < p.width; x += 16) {
      sum += kernels().sse[2](p.at(x, y), p.stride, q.at(x, y), q.stride);
    }
  }
  return sum;
}

void filter_luma(const Raster& unfiltered, const MacroblockGrid& macroblocks,
                 const LoopFilterSettings& settings, Raster& filtered, ThreadTeam& team) {
  const Plane from = unfiltered.plane(0);
  const MutablePlane& to = filtered.mutable_plane(0);
  const LoopFilter filter(settings);
  Wavefront wavefront(macroblocks.rows(), macroblocks.columns());
  wavefront.run(team, [&](int row) {
    for (int y = row * kMacroblockSize; y < (row + 1) * kMacroblockSize; ++y) {
      std::memcpy(to.at(0, y), from.at(0, y), static_cast<std::size_t>(from.width));
    }
    int seen = 0;
    for (int column = 0; column < macroblocks.columns(); ++column) {
      wavefront.await_above(row, column, seen);
      filter.filter_macroblock_luma(filtered, row, column, macroblocks.at(row, column));
      wavefront.publish(row, column);
    }
  });
}

}  // namespace

LoopFilterHeader best_filter(const Raster& source, const Raster& unfiltered,
                             const MacroblockGrid& macroblocks, FrameHeader header,
                             const CodingContext& context, const FilterEffort& effort,
                             ThreadTeam& team) {
  LoopFilterHeader best = header.loop_filter;
  std::int64_t tried[kMaxSharpness + 1][kMaxLoopFilterLevel + 1];
  std::memset(tried, -1, sizeof tried);  // not yet
  Raster filtered(unfiltered.width(), unfiltered.height());
  const auto error_of = [&](const LoopFilterHeader& filter) {
    std::int64_t& error = tried[filter.sharpness_level][filter.level];
    if (error >= 0) return error;
    header.loop_filter = filter;
    filter_luma(unfiltered, macroblocks, loop_filter_settings(header, context), filtered, team);
    return error = luma_error(source, filtered);
  };
  const auto improve = [&](int level, int sharpness) {
    if (level < 0 || level > kMaxLoopFilterLevel || sharpness > kMaxSharpness) return false;
    LoopFilterHeader other = best;
    other.level = level;
    other.sharpness_level = sharpness;
    if (error_of(other) >= error_of(best)) return false;
    best = other;
    return true;
  };
  const auto improve_level = [&](int step) {
    while (improve(best.level - step, best.sharpness_level) ||
           improve(best.level + step, best.sharpness_level)) {
    }
  };
  best.level = clamp_int(best.level, 0, kMaxLoopFilterLevel);
  for (int step = effort.first_step; step >= 1; step /= 2) improve_level(step);
  // A sharper filter spares edges, so that a higher level may serve the rest.
  while (effort.sharpness && (improve(best.level, best.sharpness_level + 1) ||
                              improve(best.level + 2, best.sharpness_level + 1))) {
    improve_level(1);
  }
  return best;
}

void keep_levels_in_range(int level, Segmentation& segmentation) {
  for (std::int8_t& delta : segmentation.loop_filter) {
    delta = static_cast<std::int8_t>(clamp_int(level + delta, 0, kMaxLoopFilterLevel) - level);
  }
}

}  // namespace vp8
