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
constexpr int kMaxFractionMoves = 2;

}  // namespace

bool MotionSearch::allowed(int row, int col) const {
  return row >= bounds.top && row <= bounds.bottom && col >= bounds.left && col <= bounds.right &&
         MvRates::codable(row - predicted.row, col - predicted.col);
}

Cost MotionSearch::whole_pixel_cost(const SearchBlock& block, MotionVector mv) const {
  const std::uint8_t* pixels = reference.at(block.x + (mv.col >> 2), block.y + (mv.row >> 2));
  const int sad = tiled(kernels().sad, block, pixels, reference.stride);
  return lagrangian.absolute_cost(sad, rates.of(moved(mv, -predicted.row, -predicted.col)));
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

Cost MotionSearch::fraction_cost(const SearchBlock& block, MotionVector mv) const {
  return lagrangian.absolute_cost(difference(block, mv),
                                  rates.of(moved(mv, -predicted.row, -predicted.col)));
}

void MotionSearch::descend(const SearchBlock& block, CostOf cost_of, int step, int moves,
                           Found& found) const {
  MotionVector before = found.mv;  // the last centre
  for (bool improved = true; improved && moves > 0; --moves) {
    improved = false;
    const MotionVector centre = found.mv;
    const bool first = centre == before;
    for (const auto& offset : kAround) {
      const MotionVector mv = moved(centre, offset[0] * step, offset[1] * step);
      if (!allowed(mv.row, mv.col)) continue;
      // What lies around the last centre has been weighed and was no better.
      if (!first && std::abs(mv.row - before.row) <= step &&
          std::abs(mv.col - before.col) <= step) {
        continue;
      }
      const Cost cost = (this->*cost_of)(block, mv);
      if (cost < found.cost) {
        found = {mv, cost};
        improved = true;
      }
    }
    before = centre;
  }
}

MotionVector MotionSearch::search(const SearchBlock& block,
                                  std::initializer_list<MotionVector> starts,
                                  int first_step_px) const {
  MotionVector start = bounds.clamp(predicted);
  start = {static_cast<std::int16_t>(start.row & ~3), static_cast<std::int16_t>(start.col & ~3)};
  Found found{start, whole_pixel_cost(block, start)};
  for (const MotionVector other : starts) {
    const MotionVector mv{static_cast<std::int16_t>((other.row + 2) & ~3),
                          static_cast<std::int16_t>((other.col + 2) & ~3)};
    if (mv == found.mv || !allowed(mv.row, mv.col)) continue;
    const Cost cost = whole_pixel_cost(block, mv);
    if (cost < found.cost) found = {mv, cost};
  }
  for (int step = first_step_px; step >= 1; step /= 2) {
    descend(block, &MotionSearch::whole_pixel_cost, step * 4, kMaxMovesPerStep, found);
  }
  found.cost = fraction_cost(block, found.mv);
  for (const int step : {2, 1}) {
    descend(block, &MotionSearch::fraction_cost, step, kMaxFractionMoves, found);
  }
  return found.mv;
}

}  // namespace vp8
