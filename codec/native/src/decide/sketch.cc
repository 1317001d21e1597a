#include "decide/sketch.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <string>
#include <utility>

#include "common/status.h"
#include "kernels/kernels.h"

namespace vp8 {
namespace {

constexpr int kSmallestSide = 24;
constexpr int kMostCost = 0xffff;
// A quarter of the size of larger pictures shows enough.
constexpr int kLargestHalvedPx = 1'500'000;
// What a whole pixel of difference to the neighbours' vector must gain, in absolute
// differences of a block: still noise would make vectors of its own otherwise.
constexpr int kVectorPrice = 2;
// Blocks that differ by no more, two grey levels a pixel, are not searched further if only
// whole vectors are wanted.
constexpr int kFoundWhole = 2 * Sketch::kBlock * Sketch::kBlock;
// How far all vectors of the smallest level are tried, in its pixels.
constexpr int kWidest = 12;

// Halves a plane each way; pixels beyond the edge repeat it.
template <typename From, typename To>
void halve(From&& from, int width, int height, To&& to) {
  for (int y = 0; y < (height + 1) / 2; ++y) {
    const std::uint8_t* above = from(2 * y);
    const std::uint8_t* below = from(std::min(2 * y + 1, height - 1));
    std::uint8_t* out = to(y);
    for (int x = 0; x < width / 2; ++x) {
      const int sum = above[2 * x] + above[2 * x + 1] + below[2 * x] + below[2 * x + 1];
      out[x] = static_cast<std::uint8_t>((sum + 2) >> 2);
    }
    if (width % 2 != 0) {
      out[width / 2] = static_cast<std::uint8_t>((above[width - 1] + below[width - 1] + 1) >> 1);
    }
  }
}

}  // namespace

Sketch::Level::Level(int level_width, int level_height)
    : width(level_width),
      height(level_height),
      columns((width + kBlock - 1) / kBlock),
      rows((height + kBlock - 1) / kBlock),
      stride(columns * kBlock + 2 * kBorder),
      pixels(static_cast<std::size_t>(stride) *
             static_cast<std::size_t>(rows * kBlock + 2 * kBorder)) {}

void Sketch::Level::repeat_edges() {
  const auto right = static_cast<std::size_t>(columns * kBlock - width + kBorder);
  for (int y = 0; y < height; ++y) {
    std::memset(at(-kBorder, y), *at(0, y), kBorder);
    std::memset(at(width, y), *at(width - 1, y), right);
  }
  const auto row_bytes = static_cast<std::size_t>(stride);
  for (int y = -kBorder; y < 0; ++y) std::memcpy(at(-kBorder, y), at(-kBorder, 0), row_bytes);
  for (int y = height; y < rows * kBlock + kBorder; ++y) {
    std::memcpy(at(-kBorder, y), at(-kBorder, height - 1), row_bytes);
  }
}

int Sketch::halvings_for(const Raster& raster) {
  return raster.width() * raster.height() > kLargestHalvedPx ? 2 : 1;
}

Sketch::Sketch(const Raster& raster, int halvings) {
  if (halvings < 1 || halvings > 2) {
    throw CodecError(Status::kInvalidArgument, "a sketch is halved once or twice, not " +
                                                   std::to_string(halvings) + " times");
  }
  const Plane luma = raster.plane(0);
  int width = raster.width();
  int height = raster.height();
  const auto add = [&](auto&& from) {
    Level level((width + 1) / 2, (height + 1) / 2);
    halve(from, width, height, [&](int y) { return level.at(0, y); });
    level.repeat_edges();
    width = level.width;
    height = level.height;
    return level;
  };
  levels_.push_back(add([&](int y) { return luma.at(0, y); }));
  const auto add_half_of_last = [&] { return add([&](int y) { return levels_.back().at(0, y); }); };
  if (halvings == 2) levels_.back() = add_half_of_last();
  while (std::min(width, height) >= 2 * kSmallestSide) levels_.push_back(add_half_of_last());
}

void Sketch::intra_costs(std::uint16_t* costs) const {
  const Level& level = levels_[0];
  constexpr std::ptrdiff_t kStride = 32;
  alignas(32) std::uint8_t area[(kBlock + 1) * kStride];
  std::uint8_t* const block = area + kStride + 16;
  const Kernels& k = kernels();
  for (int row = 0; row < rows(); ++row) {
    for (int column = 0; column < columns(); ++column) {
      const std::uint8_t* source = level.at(column * kBlock, row * kBlock);
      int best = kMostCost;
      const auto weigh = [&](auto&& predict) {
        std::memcpy(block - kStride - 1, source - level.stride - 1, kBlock + 1);
        for (int y = 0; y < kBlock; ++y) block[y * kStride - 1] = source[y * level.stride - 1];
        predict();
        best = std::min(best, k.satd[1](source, level.stride, block, kStride));
      };
      weigh([&] { k.predict_dc[0](block, kStride, true, true); });
      weigh([&] { k.predict_vertical[0](block, kStride); });
      weigh([&] { k.predict_horizontal[0](block, kStride); });
      weigh([&] { k.predict_true_motion[0](block, kStride); });
      *costs++ = static_cast<std::uint16_t>(best);
    }
  }
}

// The search of one picture, level by level from the smallest.
class SketchMotion {
 public:
  SketchMotion(const Sketch& reference, const Sketch& picture)
      : reference_(reference), picture_(picture) {}

  // `costs` may be null: then fractions are not searched.
  void run(std::uint16_t* costs, MotionVector* vectors) {
    std::vector<MotionVector> coarser;
    int coarser_columns = 0;
    for (std::size_t index = picture_.levels_.size(); index-- > 0;) {
      const Sketch::Level& level = picture_.levels_[index];
      std::vector<MotionVector> found(static_cast<std::size_t>(level.columns * level.rows));
      for (int row = 0; row < level.rows; ++row) {
        for (int column = 0; column < level.columns; ++column) {
          begin(index, row, column);
          const auto at = [&](int r, int c) {
            return found[static_cast<std::size_t>(r * level.columns + c)];
          };
          if (column > 0) near_ = at(row, column - 1);
          if (column > 0) try_vector(near_);
          try_vector({});
          if (costs != nullptr || best_cost_ > kFoundWhole) {
            if (row > 0) {
              try_vector(at(row - 1, column));
              if (column + 1 < level.columns) try_vector(at(row - 1, column + 1));
            }
            if (coarser.empty()) {
              try_all();
            } else {
              try_coarser(coarser, coarser_columns, row, column);
            }
            descend();
          }
          found[static_cast<std::size_t>(row * level.columns + column)] = best_;
          if (index != 0) continue;
          if (costs != nullptr) *costs++ = static_cast<std::uint16_t>(refine());
          *vectors++ = best_;
        }
      }
      coarser = std::move(found);
      coarser_columns = level.columns;
    }
  }

 private:
  void begin(std::size_t index, int row, int column) {
    level_ = &reference_.levels_[index];
    stride_ = level_->stride;
    x_ = column * Sketch::kBlock;
    y_ = row * Sketch::kBlock;
    source_ = picture_.levels_[index].at(x_, y_);
    near_ = {};
    best_ = {};
    best_cost_ = 1 << 30;
  }

  // Whole pixels, as everything before refine(); vectors are in quarters all the same.
  bool allowed(MotionVector mv) const {
    const int x = x_ + (mv.col >> 2);
    const int y = y_ + (mv.row >> 2);
    constexpr int kOut = Sketch::kBorder - 4;
    return x >= -kOut && y >= -kOut &&
           x <= level_->columns * Sketch::kBlock - Sketch::kBlock + kOut &&
           y <= level_->rows * Sketch::kBlock - Sketch::kBlock + kOut;
  }

  int price(MotionVector mv) const {
    return ((std::abs(mv.row - near_.row) + std::abs(mv.col - near_.col)) * kVectorPrice) >> 2;
  }

  bool try_vector(MotionVector mv) {
    mv = {static_cast<std::int16_t>(mv.row & ~3), static_cast<std::int16_t>(mv.col & ~3)};
    if (!allowed(mv)) return false;
    const int cost = kernels().sad[1](source_, stride_,
                                      level_->at(x_ + (mv.col >> 2), y_ + (mv.row >> 2)), stride_) +
                     price(mv);
    if (cost >= best_cost_) return false;
    best_cost_ = cost;
    best_ = mv;
    return true;
  }

  void try_coarser(const std::vector<MotionVector>& coarser, int columns, int row, int column) {
    const int rows = static_cast<int>(coarser.size()) / columns;
    for (const auto& [down, right] : {std::pair{0, 0}, {0, 1}, {1, 0}, {0, -1}, {-1, 0}}) {
      const int r = std::clamp(row / 2 + down, 0, rows - 1);
      const int c = std::clamp(column / 2 + right, 0, columns - 1);
      const MotionVector mv = coarser[static_cast<std::size_t>(r * columns + c)];
      try_vector({static_cast<std::int16_t>(mv.row * 2), static_cast<std::int16_t>(mv.col * 2)});
    }
  }

  // The smallest level has few blocks, and its steps are wide.
  void try_all() {
    for (int row = -kWidest; row <= kWidest; ++row) {
      for (int col = -kWidest; col <= kWidest; ++col) {
        try_vector({static_cast<std::int16_t>(4 * row), static_cast<std::int16_t>(4 * col)});
      }
    }
  }

  void descend() {
    for (const int step : {8, 4}) {
      for (int moves = 0; moves < 8; ++moves) {
        const MotionVector centre = best_;
        bool moved = false;
        for (const auto& [row, col] : {std::pair{-1, 0}, {1, 0}, {0, -1}, {0, 1}}) {
          moved |= try_vector({static_cast<std::int16_t>(centre.row + row * step),
                               static_cast<std::int16_t>(centre.col + col * step)});
        }
        if (!moved) break;
      }
    }
  }

  // Halves and quarters of a pixel; returns the Hadamard difference.
  int refine() {
    int best = satd_at(best_);
    for (const int step : {2, 1}) {
      const MotionVector centre = best_;
      for (const auto& [row, col] : {std::pair{-1, 0}, {1, 0}, {0, -1}, {0, 1}}) {
        const MotionVector mv{static_cast<std::int16_t>(centre.row + row * step),
                              static_cast<std::int16_t>(centre.col + col * step)};
        if (!allowed(mv)) continue;
        const int satd = satd_at(mv);
        if (satd >= best) continue;
        best = satd;
        best_ = mv;
      }
    }
    return std::min(best, kMostCost);
  }

  int satd_at(MotionVector mv) const {
    const std::uint8_t* pixels = level_->at(x_ + (mv.col >> 2), y_ + (mv.row >> 2));
    alignas(32) std::uint8_t block[Sketch::kBlock * 16];
    const Kernels& k = kernels();
    if (((mv.row | mv.col) & 3) == 0) return k.satd[1](source_, stride_, pixels, stride_);
    k.bilinear[1](pixels, stride_, block, 16, Sketch::kBlock, (mv.col & 3) * 2, (mv.row & 3) * 2);
    return k.satd[1](source_, stride_, block, 16);
  }

  const Sketch& reference_;
  const Sketch& picture_;
  const Sketch::Level* level_ = nullptr;
  std::ptrdiff_t stride_ = 0;
  int x_ = 0;
  int y_ = 0;
  const std::uint8_t* source_ = nullptr;
  MotionVector near_{};
  MotionVector best_{};
  int best_cost_ = 0;
};

namespace {

void check_sizes(const Sketch& reference, const Sketch& picture) {
  if (reference.width() != picture.width() || reference.height() != picture.height()) {
    throw CodecError(Status::kInvalidArgument, "two sketches differ in size");
  }
}

}  // namespace

void find_motion(const Sketch& reference, const Sketch& picture, std::uint16_t* costs,
                 MotionVector* vectors) {
  check_sizes(reference, picture);
  SketchMotion(reference, picture).run(costs, vectors);
}

void find_whole_motion(const Sketch& reference, const Sketch& picture, MotionVector* vectors) {
  check_sizes(reference, picture);
  SketchMotion(reference, picture).run(nullptr, vectors);
}

}  // namespace vp8
