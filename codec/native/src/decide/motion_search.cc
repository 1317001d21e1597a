#include "decide/motion_search.h"

#include <algorithm>
#include <cstdlib>

#include "kernels/kernels.h"
#include "picture/inter_prediction.h"

namespace vp8 {
namespace {

int size_index(int size) { return size == 16 ? 2 : size == 8 ? 1 : 0; }

// The difference over a rectangle, summed over square tiles.
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

// A 4x4 block is found nowhere near if the best match differs by ten grey levels a pixel.
constexpr int kNotFound = 10 * 16;

}  // namespace

void MotionSearch::whole_pixel_differences(const SearchBlock& block, const Around& around,
                                           int* differences) const {
  const std::uint8_t* pixels[8];
  for (int i = 0; i < around.count; ++i) {
    const MotionVector mv = around.mvs[i];
    pixels[i] = reference.at(block.x + (mv.col >> 2), block.y + (mv.row >> 2));
  }
  const int tile = std::min(block.width, block.height);
  const auto weigh = kernels().sad_many[size_index(tile)];
  weigh(block.source, block.source_stride, pixels, reference.stride, around.count, differences);
  if (block.width == block.height) return;
  // The other half.
  const bool right = block.width > tile;
  for (int i = 0; i < around.count; ++i) pixels[i] += tile * (right ? 1 : reference.stride);
  int others[8];
  weigh(block.source + tile * (right ? 1 : block.source_stride), block.source_stride, pixels,
        reference.stride, around.count, others);
  for (int i = 0; i < around.count; ++i) differences[i] += others[i];
}

// Vectors around one share three columns, so one horizontal interpolation for each column
// serves all its rows. The result is the same: kernels that do both passes also round to
// pixels in between.
void MotionSearch::fraction_differences(const SearchBlock& block, const Around& around,
                                        MotionVector centre, int step, int* differences) const {
  constexpr int kTapsAbove = 2;
  const int top = block.y + ((centre.row - step) >> 2) - kTapsAbove;
  // One row more than one vector needs, in whole vectors of pixels.
  const int rows = block.width == 4 ? 12 : block.height + 6;
  const bool within = displaced(reference, block.x + ((centre.col - step) >> 2) - kTapsAbove, top,
                                block.width + kTapsAbove + 4, rows) != nullptr;
  if (bilinear || !within) {
    for (int i = 0; i < around.count; ++i) differences[i] = difference(block, around.mvs[i]);
    return;
  }
  const Kernels& k = kernels();
  const Kernels::Interpolate interpolate = k.sixtap[size_index(block.width)];
  struct Column {
    const std::uint8_t* pixels = nullptr;  // from `top` on
    std::ptrdiff_t stride;
  };
  Column columns[3];
  alignas(32) std::uint8_t across[3][Kernels::kMaxRows * 16];
  const auto column_of = [&](MotionVector mv) {
    const int index = (mv.col - centre.col + step) / step;
    Column& column = columns[index];
    if (column.pixels == nullptr) {
      const std::uint8_t* pixels = reference.at(block.x + (mv.col >> 2), top);
      column = {pixels, reference.stride};
      if ((mv.col & 3) != 0) {
        interpolate(pixels, reference.stride, across[index], 16, rows, (mv.col & 3) * 2, 0);
        column = {across[index], 16};
      }
    }
    return column;
  };
  for (int i = 0; i < around.count; ++i) {
    const MotionVector mv = around.mvs[i];
    const Column column = column_of(mv);
    const std::uint8_t* pixels = column.pixels + (block.y + (mv.row >> 2) - top) * column.stride;
    alignas(32) std::uint8_t prediction[16 * 16];
    if ((mv.row & 3) == 0) {
      differences[i] = tiled(k.satd, block, pixels, column.stride);
    } else {
      interpolate(pixels, column.stride, prediction, 16, block.height, 0, (mv.row & 3) * 2);
      differences[i] = tiled(k.satd, block, prediction, 16);
    }
  }
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

MotionSearch::Around MotionSearch::look_around(const Found& found, MotionVector before,
                                               int step) const {
  struct Line {
    bool allowed;
    bool seen;
    Rate rate;
  };
  Line rows[3];
  Line cols[3];
  const MotionVector centre = found.mv;
  const bool first = centre == before;
  for (int i = 0; i < 3; ++i) {
    const int row = centre.row + (i - 1) * step;
    const int col = centre.col + (i - 1) * step;
    Line& r = rows[i];
    Line& c = cols[i];
    r.allowed = row >= bounds.top && row <= bounds.bottom && MvRates::codable(row - predicted.row);
    c.allowed = col >= bounds.left && col <= bounds.right && MvRates::codable(col - predicted.col);
    r.seen = !first && std::abs(row - before.row) <= step;
    c.seen = std::abs(col - before.col) <= step;
    r.rate = r.allowed ? rates.of_row(row - predicted.row) : 0;
    c.rate = c.allowed ? rates.of_col(col - predicted.col) : 0;
  }
  Around around;
  for (const auto& offset : kAround) {
    const Line& row = rows[offset[0] + 1];
    const Line& col = cols[offset[1] + 1];
    // The vector's rate alone may cost too much.
    const Cost own = lagrangian.absolute_cost(0, row.rate + col.rate);
    around.mvs[around.count] = moved(centre, offset[0] * step, offset[1] * step);
    around.own[around.count] = own;
    // Counted without a branch, since it could not be predicted.
    around.count +=
        (row.allowed & col.allowed & !(row.seen & col.seen) & (own < found.cost)) ? 1 : 0;
  }
  return around;
}

template <typename Differences>
void MotionSearch::descend(Differences&& differences, int step, int moves, Found& found) const {
  MotionVector before = found.mv;  // the last centre
  for (; moves > 0; --moves) {
    const MotionVector centre = found.mv;
    const Around around = look_around(found, before, step);
    int differing[8];
    differences(around, centre, step, differing);
    int best = -1;
    for (int i = 0; i < around.count; ++i) {
      const Cost cost = lagrangian.absolute_cost(differing[i], 0) + around.own[i];
      best = cost < found.cost ? i : best;
      found.cost = std::min(cost, found.cost);
    }
    if (best < 0) return;
    found.mv = around.mvs[best];
    found.difference = differing[best];
    before = centre;
  }
}

void MotionSearch::search_everywhere(const SearchBlock& block, Found& found) const {
  const auto whole = [](int low, int high) { return PixelRange{low, high - low + 1}; };
  const MotionVector centre = everywhere->centre;
  const int reach = everywhere->reach_px;
  const int middle = centre.row >> 2;
  const int up = std::max(middle - reach, (bounds.top + 3) >> 2);
  const int down = std::min(middle + reach, bounds.bottom >> 2);
  const int left = std::max((centre.col >> 2) - reach, (bounds.left + 3) >> 2);
  const int right = std::min((centre.col >> 2) + reach, bounds.right >> 2);
  if (up > down || left > right) return;
  if (!everywhere->read) {
    const int x = block.x & ~15;
    const int y = block.y & ~15;
    everywhere->sums.read(reference, whole(x + left, x + right + 12), whole(y + up, y + down + 12));
    everywhere->read = true;
  }
  int sum = 0;
  for (int y = 0; y < 4; ++y) {
    for (int x = 0; x < 4; ++x) sum += block.source[y * block.source_stride + x];
  }
  Around around;
  const auto compare = [&] {
    int differing[8];
    whole_pixel_differences(block, around, differing);
    for (int i = 0; i < around.count; ++i) {
      const Cost cost = lagrangian.absolute_cost(differing[i], 0) + around.own[i];
      if (cost >= found.cost) continue;
      found.mv = around.mvs[i];
      found.difference = differing[i];
      found.cost = cost;
    }
    around.count = 0;
  };
  constexpr int kGroup = 16;
  // From the centre outwards: what is near has cheaper vectors, and spares more of the rest.
  for (int i = 0; i <= 2 * reach; ++i) {
    const int row = middle + (i % 2 == 0 ? i / 2 : -(i + 1) / 2);
    if (row < up || row > down || !MvRates::codable(row * 4 - predicted.row)) continue;
    const Rate row_rate = rates.of_row(row * 4 - predicted.row);
    const std::uint16_t* sums = everywhere->sums.at(block.x + left, block.y + row);
    for (int first = left; first <= right; first += kGroup, sums += kGroup) {
      const Cost room = found.cost - lagrangian.absolute_cost(0, row_rate);
      if (room <= 0) break;
      const int most = static_cast<int>(room >> 8);
      const int count = std::min(kGroup, right - first + 1);
      int differing[kGroup];
      int least = most + 1;
      for (int j = 0; j < count; ++j) {
        differing[j] = std::abs(sums[j] - sum);
        least = std::min(least, differing[j]);
      }
      if (least > most) continue;
      for (int j = 0; j < count; ++j) {
        const int col = (first + j) * 4 - predicted.col;
        if (differing[j] > most || !MvRates::codable(col)) continue;
        const Cost own = lagrangian.absolute_cost(0, row_rate + rates.of_col(col));
        if (lagrangian.absolute_cost(differing[j], 0) + own >= found.cost) continue;
        around.mvs[around.count] = {static_cast<std::int16_t>(row * 4),
                                    static_cast<std::int16_t>((first + j) * 4)};
        around.own[around.count++] = own;
        if (around.count == 8) compare();
      }
    }
  }
  if (around.count > 0) compare();
}

MotionSearch::Found MotionSearch::search(const SearchBlock& block,
                                         std::initializer_list<MotionVector> starts,
                                         const VectorEffort& effort, Cost fractions_below) const {
  const auto weighed = [&](MotionVector mv, int differing) {
    return Found{mv, differing, lagrangian.absolute_cost(differing, rate_of(mv)), 0};
  };
  MotionVector start = bounds.clamp(predicted);
  start = {static_cast<std::int16_t>(start.row & ~3), static_cast<std::int16_t>(start.col & ~3)};
  Around all;
  all.mvs[all.count++] = start;
  for (const MotionVector other : starts) {
    const MotionVector mv{static_cast<std::int16_t>((other.row + 2) & ~3),
                          static_cast<std::int16_t>((other.col + 2) & ~3)};
    if (allowed(mv) && std::find(all.mvs, all.mvs + all.count, mv) == all.mvs + all.count) {
      all.mvs[all.count++] = mv;
    }
  }
  int differing[8];
  whole_pixel_differences(block, all, differing);
  Found found = weighed(start, differing[0]);
  for (int i = 1; i < all.count; ++i) {
    const Found other = weighed(all.mvs[i], differing[i]);
    if (other.cost < found.cost) found = other;
  }
  const auto by_whole_pixels = [&](const Around& around, MotionVector, int, int* differences) {
    whole_pixel_differences(block, around, differences);
  };
  for (int step = effort.first_step_px; step >= 1; step /= 2) {
    descend(by_whole_pixels, step * 4, effort.moves, found);
  }
  if (everywhere != nullptr && found.difference >= kNotFound) search_everywhere(block, found);
  const Cost by_whole = found.cost;
  found = weighed(found.mv, difference(block, found.mv));
  found.by_whole_pixels = by_whole;
  if (by_whole >= fractions_below) return found;
  const auto by_fractions = [&](const Around& around, MotionVector centre, int step,
                                int* differences) {
    fraction_differences(block, around, centre, step, differences);
  };
  for (const int step : {2, 1}) descend(by_fractions, step, effort.fraction_moves, found);
  return found;
}

MotionSearch::Found MotionSearch::refine(const SearchBlock& block,
                                         std::initializer_list<MotionVector> mvs, int moves) const {
  Found found{.mv = {}, .difference = 0, .cost = kNever, .by_whole_pixels = kNever};
  for (const MotionVector mv : mvs) {
    if ((found.cost != kNever && mv == found.mv) || !allowed(mv)) continue;
    const int differing = difference(block, mv);
    const Cost cost = lagrangian.absolute_cost(differing, rate_of(mv));
    if (cost < found.cost) found = {mv, differing, cost, kNever};
  }
  if (found.cost == kNever) return found;
  const auto by_fractions = [&](const Around& around, MotionVector centre, int step,
                                int* differences) {
    fraction_differences(block, around, centre, step, differences);
  };
  descend(by_fractions, 1, moves, found);
  return found;
}

}  // namespace vp8
