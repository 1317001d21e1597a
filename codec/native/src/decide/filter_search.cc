#include "decide/filter_search.h"

#include <cstring>
#include <map>

#include "kernels/kernels.h"
#include "parallel/wavefront.h"

namespace vp8 {
namespace {

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

int best_filter_level(const Raster& source, const Raster& unfiltered,
                      const MacroblockGrid& macroblocks, FrameHeader header,
                      const CodingContext& context, int first_step, ThreadTeam& team) {
  const int start = header.loop_filter.level;
  std::map<int, std::int64_t> tried;
  Raster filtered(unfiltered.width(), unfiltered.height());
  const auto error_at = [&](int level) {
    if (const auto found = tried.find(level); found != tried.end()) return found->second;
    header.loop_filter.level = level;
    filter_luma(unfiltered, macroblocks, loop_filter_settings(header, context), filtered, team);
    return tried[level] = luma_error(source, filtered);
  };
  int best = clamp_int(start, 0, kMaxLoopFilterLevel);
  for (int step = first_step; step >= 1; step /= 2) {
    for (bool improved = true; improved;) {
      improved = false;
      for (const int level : {best - step, best + step}) {
        if (level < 0 || level > kMaxLoopFilterLevel) continue;
        if (error_at(level) < error_at(best)) {
          best = level;
          improved = true;
          break;
        }
      }
    }
  }
  return best;
}

void keep_levels_in_range(int level, Segmentation& segmentation) {
  for (std::int8_t& delta : segmentation.loop_filter) {
    delta = static_cast<std::int8_t>(clamp_int(level + delta, 0, kMaxLoopFilterLevel) - level);
  }
}

}  // namespace vp8
