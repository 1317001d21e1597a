#include "decide/steady.h"

#include <algorithm>
#include <string>

#include "common/status.h"
#include "decide/sketch.h"
#include "kernels/kernels.h"
#include "parallel/wavefront.h"

namespace vp8 {
namespace {

constexpr int kChromaPlanes[] = {1, 2};  // planes

constexpr int kFullWeight = 16;
// Sums of weights then fit into 8 bits, and those of pixels into 16.
constexpr std::size_t kMostNeighbours = 14;
constexpr int kSmallestMost = 8;
constexpr int kLargestMost = 255;

// A neighbour, and the vectors to it in whole pixels.
struct Neighbour {
  const Raster* raster;
  std::vector<MotionVector> vectors;  // by block of a sketch
};

// The weight of each difference between two pixels, by that of the block they are in.
struct Weights {
  std::uint8_t of[kFullWeight + 1][32];
};

// A block counts nothing if its pixels differ by `most` 16ths in the mean, and a pixel if it
// differs by twice as much, which is less than 32.
Weights weights_of(int most) {
  Weights weights;
  for (int block = 0; block <= kFullWeight; ++block) {
    for (int difference = 0; difference < 32; ++difference) {
      const int share = 8 * difference;  // of `most`
      const int lost = std::min(kFullWeight * share * share / (most * most), kFullWeight);
      weights.of[block][difference] =
          static_cast<std::uint8_t>((kFullWeight - lost) * block / kFullWeight);
    }
  }
  return weights;
}

template <int Size>
void begin(const Plane& plane, int x, int y, WeightedSums& sums) {
  for (int row = 0; row < Size; ++row) {
    const std::uint8_t* pixels = plane.at(x, y + row);
    for (int i = 0; i < Size; ++i) {
      sums.pixels[row * Size + i] = static_cast<std::uint16_t>(pixels[i] * kFullWeight);
      sums.weights[row * Size + i] = kFullWeight;
    }
  }
}

template <int Size>
void finish(const WeightedSums& sums, const MutablePlane& plane, int x, int y) {
  for (int row = 0; row < Size; ++row) {
    std::uint8_t* out = plane.at(x, y + row);
    for (int i = 0; i < Size; ++i) {
      const int weight = sums.weights[row * Size + i];
      const int sum = sums.pixels[row * Size + i] + weight / 2;
      // Exact for numbers this small, and much faster than whole numbers.
      out[i] = static_cast<std::uint8_t>(static_cast<float>(sum) / static_cast<float>(weight));
    }
  }
}

// How much a block of the neighbour counts, 0 to 16.
int block_weight(int sad, int most) {
  const int mean = sad >> 4;  // of 256 pixels, in 16ths
  if (mean >= most) return 0;
  return kFullWeight - kFullWeight * mean * mean / (most * most);
}

// The vector whose block differs least, whole pixels, and that difference.
std::pair<MotionVector, int> best_of(const Plane& plane, const Plane& other, int x, int y,
                                     MotionVector start) {
  const Kernels& k = kernels();
  const auto inside = [&](int row, int col) {
    return x + col >= 0 && y + row >= 0 && x + col <= other.width - kMacroblockSize &&
           y + row <= other.height - kMacroblockSize;
  };
  const std::uint8_t* const own = plane.at(x, y);
  MotionVector best{};
  int least = k.sad[2](own, plane.stride, other.at(x, y), other.stride);
  if (!start.is_zero() && inside(start.row, start.col)) {
    const std::uint8_t* const there = other.at(x + start.col, y + start.row);
    const int difference = k.sad[2](own, plane.stride, there, other.stride);
    if (difference < least) {
      least = difference;
      best = start;
    }
  }
  for (int step = 2; step >= 1; --step) {
    const MotionVector centre = best;
    MotionVector vectors[4];
    const std::uint8_t* blocks[4];
    int differences[4];
    int count = 0;
    for (const auto& [row, col] : {std::pair{-1, 0}, {1, 0}, {0, -1}, {0, 1}}) {
      const MotionVector mv = {static_cast<std::int16_t>(centre.row + row * step),
                               static_cast<std::int16_t>(centre.col + col * step)};
      if (!inside(mv.row, mv.col)) continue;
      vectors[count] = mv;
      blocks[count++] = other.at(x + mv.col, y + mv.row);
    }
    k.sad_many[2](own, plane.stride, blocks, other.stride, count, differences);
    for (int i = 0; i < count; ++i) {
      if (differences[i] >= least) continue;
      least = differences[i];
      best = vectors[i];
    }
  }
  return {best, least};
}

}  // namespace

SharedRaster steady(const SharedRaster& picture, const std::vector<SharedRaster>& neighbours,
                    int most, ThreadTeam& team) {
  if (most < kSmallestMost || most > kLargestMost) {
    throw CodecError(Status::kInvalidArgument,
                     "a greatest difference is 8 to 255, not " + std::to_string(most));
  }
  if (neighbours.size() > kMostNeighbours) {
    throw CodecError(Status::kInvalidArgument,
                     "at most 14 neighbours, not " + std::to_string(neighbours.size()));
  }
  const SharedRaster source = with_repeated_edges(picture);
  const int shift = Sketch::halvings_for(*source) - 1;
  const Sketch sketch(*source, shift + 1);
  std::vector<SharedRaster> kept;
  std::vector<Neighbour> others;
  for (const SharedRaster& neighbour : neighbours) {
    if (neighbour->width() != source->width() || neighbour->height() != source->height()) {
      throw CodecError(Status::kInvalidArgument, "pictures differ in size");
    }
    kept.push_back(with_repeated_edges(neighbour));
    others.push_back({kept.back().get(), std::vector<MotionVector>(static_cast<std::size_t>(
                                             sketch.rows() * sketch.columns()))});
  }
  Wavefront searches(static_cast<int>(others.size()), 1);
  searches.run(team, [&](int index) {
    Neighbour& other = others[static_cast<std::size_t>(index)];
    find_whole_motion(Sketch(*other.raster, shift + 1), sketch, other.vectors.data());
  });
  auto result = std::make_shared<Raster>(source->width(), source->height());
  const Weights weights = weights_of(most);
  const Kernels& k = kernels();
  const auto add = [&](int index, const Plane& own, int x, int y, const Plane& other, int other_x,
                       int other_y, int weight, WeightedSums& sums) {
    k.add_alike[index](own.at(x, y), own.stride, other.at(other_x, other_y), other.stride,
                       weights.of[weight], sums);
  };
  Wavefront rows(source->macroblock_rows(), 1);
  rows.run(team, [&](int row) {
    const int y = row * kMacroblockSize;
    for (int column = 0; column < source->macroblock_columns(); ++column) {
      const int x = column * kMacroblockSize;
      WeightedSums sums[kPlanes];
      begin<16>(source->plane(0), x, y, sums[0]);
      for (const int p : kChromaPlanes) begin<8>(source->plane(p), x / 2, y / 2, sums[p]);
      for (const Neighbour& other : others) {
        MotionVector start = other.vectors[static_cast<std::size_t>(
            (row >> shift) * sketch.columns() + (column >> shift))];
        // From quarter pixels of the sketch to whole pixels.
        start = {static_cast<std::int16_t>(start.row * (2 << shift) / 4),
                 static_cast<std::int16_t>(start.col * (2 << shift) / 4)};
        const auto [mv, sad] = best_of(source->plane(0), other.raster->plane(0), x, y, start);
        const int weight = block_weight(sad, most);
        if (weight == 0) continue;
        add(1, source->plane(0), x, y, other.raster->plane(0), x + mv.col, y + mv.row, weight,
            sums[0]);
        for (const int p : kChromaPlanes) {
          add(0, source->plane(p), x / 2, y / 2, other.raster->plane(p), (x + mv.col) >> 1,
              (y + mv.row) >> 1, weight, sums[p]);
        }
      }
      finish<16>(sums[0], result->mutable_plane(0), x, y);
      for (const int p : kChromaPlanes) finish<8>(sums[p], result->mutable_plane(p), x / 2, y / 2);
    }
  });
  return result;
}

}  // namespace vp8
