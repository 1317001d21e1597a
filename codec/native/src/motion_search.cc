#include "motion_search.h"

#include <algorithm>
#include <cstdlib>

#include "inter_prediction.h"
#include "kernels/kernels.h"

namespace vp8 {
namespace {

int size_index(int size) { return size == 16 ? 2 : size == 8 ? 1 : 0; }

// Sums a square difference over a rectangle.
int tiled(const Kernels::Distortion* table, const SearchBlock& block, const std::uint8_t* other,
          std::ptrdiff_t other_stride) {
  const int tile = std::min(block.width, block.height);
  int sum = 0;
  for (int y = 0; y < block.height; y += tile) {
    for (int x = 0; x < block.width; x += tile) {
      sum +=
          table[size_index(tile)](block.source + y * block.source_stride + x, block.source_stride,
                                  other + y * other_stride + x, other_stride);
    }
  }
  return sum;
}

MotionVector moved(MotionVector mv, int row, int col) {
  return {static_cast<std::int16_t>(mv.row + row), static_cast<std::int16_t>(mv.col + col)};
}

constexpr int kAround[8][2] = {{-1, 0},  {0, -1}, {0, 1},  {1, 0},
                               {-1, -1}, {-1, 1}, {1, -1}, {1, 1}};
constexpr int kMaxMovesPerStep = 16;

}  // namespace

int MotionSearch::whole_pixel_difference(const SearchBlock& block, MotionVector mv) const {
  const std::uint8_t* pixels = reference.at(block.x + (mv.col >> 2), block.y + (mv.row >> 2));
  return tiled(kernels().sad, block, pixels, reference.stride);
}

int MotionSearch::difference(const SearchBlock& block, MotionVector mv) const {
  if (((mv.row | mv.col) & 3) == 0) {
    const std::uint8_t* pixels = displaced(reference, block.x + (mv.col >> 2),
                                           block.y + (mv.row >> 2), block.width, block.height);
    if (pixels != nullptr) return tiled(kernels().satd, block, pixels, reference.stride);
  }
  std::uint8_t prediction[16 * 16];
  predict_luma_block(reference, block.x, block.y, mv, block.width, block.height, bilinear,
                     prediction, 16);
  return tiled(kernels().satd, block, prediction, 16);
}

bool MotionSearch::allowed(MotionVector mv) const {
  return mv.row >= bounds.top && mv.row <= bounds.bottom && mv.col >= bounds.left &&
         mv.col <= bounds.right && MvRates::codable(mv.row - predicted.row, mv.col - predicted.col);
}

Rate MotionSearch::rate_of(MotionVector mv) const {
  return rates.of(moved(mv, -predicted.row, -predicted.col));
}

template <typename Difference>
void MotionSearch::descend(Difference&& difference, int step, int moves, Found& found) const {
  MotionVector before = found.mv;  // the last centre
  for (bool improved = true; improved && moves > 0; --moves) {
    improved = false;
    const MotionVector centre = found.mv;
    const bool first = centre == before;
    const bool all_allowed =
        allowed(moved(centre, -step, -step)) && allowed(moved(centre, step, step));
    for (const auto& offset : kAround) {
      const MotionVector mv = moved(centre, offset[0] * step, offset[1] * step);
      if (!all_allowed && !allowed(mv)) continue;
      // What lies around the last centre has been weighed and was no better.
      if (!first && std::abs(mv.row - before.row) <= step &&
          std::abs(mv.col - before.col) <= step) {
        continue;
      }
      // The vector alone may cost too much.
      const Cost own = lagrangian.absolute_cost(0, rate_of(mv));
      if (own >= found.cost) continue;
      const int differing = difference(mv);
      const Cost cost = lagrangian.absolute_cost(differing, 0) + own;
      if (cost < found.cost) {
        found = {mv, differing, cost, found.by_whole_pixels};
        improved = true;
      }
    }
    before = centre;
  }
}

MotionSearch::Found MotionSearch::search(const SearchBlock& block,
                                         std::initializer_list<MotionVector> starts,
                                         const Effort& effort) const {
  const auto weighed = [&](MotionVector mv, int differing) {
    return Found{mv, differing, lagrangian.absolute_cost(differing, rate_of(mv)), 0};
  };
  const auto by_whole_pixels = [&](MotionVector mv) { return whole_pixel_difference(block, mv); };
  MotionVector start = bounds.clamp(predicted);
  start = {static_cast<std::int16_t>(start.row & ~3), static_cast<std::int16_t>(start.col & ~3)};
  Found found = weighed(start, by_whole_pixels(start));
  for (const MotionVector other : starts) {
    const MotionVector mv{static_cast<std::int16_t>((other.row + 2) & ~3),
                          static_cast<std::int16_t>((other.col + 2) & ~3)};
    if (mv == found.mv || !allowed(mv)) continue;
    const Found weighed_other = weighed(mv, by_whole_pixels(mv));
    if (weighed_other.cost < found.cost) found = weighed_other;
  }
  for (int step = effort.first_step_px; step >= 1; step /= 2) {
    descend(by_whole_pixels, step * 4, kMaxMovesPerStep, found);
  }
  const auto by_fractions = [&](MotionVector mv) { return difference(block, mv); };
  const Cost by_whole = found.cost;
  found = weighed(found.mv, by_fractions(found.mv));
  found.by_whole_pixels = by_whole;
  if (by_whole >= effort.worth) return found;
  for (const int step : {2, 1}) descend(by_fractions, step, effort.fraction_moves, found);
  return found;
}

}  // namespace vp8
