#include "decide/steady.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <string>

#include "common/status.h"
#include "decide/sketch.h"
#include "kernels/kernels.h"
#include "parallel/wavefront.h"

namespace vp8 {
namespace {

constexpr int kChromaPlanes[] = {1, 2};  // planes

constexpr int kFullWeight = 16;
// Sums and weights then fit into 16 bits, products into 32.
constexpr std::size_t kMostNeighbours = 14;
constexpr int kSmallestMost = 8;
constexpr int kLargestMost = 255;

// A neighbour, and the vectors to it in whole pixels.
struct Neighbour {
  const Raster* raster;
  std::vector<MotionVector> vectors;  // by block of a sketch
};

// Sums of weighted pixels of one 16x16 or 8x8 part.
struct Sums {
  std::uint16_t pixels[16 * 16];
  std::uint16_t weights[16 * 16];
};

template <int Size>
void begin(const Plane& plane, int x, int y, Sums& sums) {
  for (int row = 0; row < Size; ++row) {
    const std::uint8_t* pixels = plane.at(x, y + row);
    for (int i = 0; i < Size; ++i) {
      sums.pixels[row * Size + i] = static_cast<std::uint16_t>(pixels[i] * kFullWeight);
      sums.weights[row * Size + i] = kFullWeight;
    }
  }
}

// Adds a part of a neighbour. All numbers fit into 16 bits, of which vectors hold most.
template <int Size>
void add(const Plane& plane, int x, int y, const Plane& other, int other_x, int other_y,
         int block_weight, int most, Sums& sums) {
  using U16 = std::uint16_t;
  // A difference of twice `most`, which is in 16ths, is the first that counts nothing.
  const U16 falls = static_cast<U16>((kFullWeight * 64 << 8) / (most * most));
  const U16 too_much = static_cast<U16>(2 * most / 16 + 1);
  const U16 whole = static_cast<U16>(block_weight);
  for (int row = 0; row < Size; ++row) {
    const std::uint8_t* mine = plane.at(x, y + row);
    const std::uint8_t* theirs = other.at(other_x, other_y + row);
    U16* pixels = sums.pixels + row * Size;
    U16* weights = sums.weights + row * Size;
    for (int i = 0; i < Size; ++i) {
      const U16 apart =
          static_cast<U16>(std::max(mine[i], theirs[i]) - std::min(mine[i], theirs[i]));
      const U16 difference = std::min(apart, too_much);
      const U16 square = static_cast<U16>(difference * difference);
      const U16 lost = static_cast<U16>(static_cast<U16>(square * falls) >> 8);
      const U16 left = static_cast<U16>(kFullWeight - std::min<U16>(lost, kFullWeight));
      const U16 weight = static_cast<U16>(static_cast<U16>(left * whole) >> 4);
      pixels[i] = static_cast<U16>(pixels[i] + weight * theirs[i]);
      weights[i] = static_cast<U16>(weights[i] + weight);
    }
  }
}

template <int Size>
void finish(const Sums& sums, const MutablePlane& plane, int x, int y) {
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
  const auto sad = kernels().sad[2];
  const auto inside = [&](int row, int col) {
    return x + col >= 0 && y + row >= 0 && x + col <= other.width - kMacroblockSize &&
           y + row <= other.height - kMacroblockSize;
  };
  const auto at = [&](int row, int col) {
    return sad(plane.at(x, y), plane.stride, other.at(x + col, y + row), other.stride);
  };
  MotionVector best{};
  int least = at(0, 0);
  const auto weigh = [&](int row, int col) {
    if (!inside(row, col)) return;
    const int difference = at(row, col);
    if (difference >= least) return;
    least = difference;
    best = {static_cast<std::int16_t>(row), static_cast<std::int16_t>(col)};
  };
  if (!start.is_zero()) weigh(start.row, start.col);
  for (int step = 2; step >= 1; --step) {
    const MotionVector centre = best;
    for (const auto& [row, col] : {std::pair{-1, 0}, {1, 0}, {0, -1}, {0, 1}}) {
      weigh(centre.row + row * step, centre.col + col * step);
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
  Wavefront rows(source->macroblock_rows(), 1);
  rows.run(team, [&](int row) {
    const int y = row * kMacroblockSize;
    for (int column = 0; column < source->macroblock_columns(); ++column) {
      const int x = column * kMacroblockSize;
      Sums sums[kPlanes];
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
        add<16>(source->plane(0), x, y, other.raster->plane(0), x + mv.col, y + mv.row, weight,
                most, sums[0]);
        for (const int p : kChromaPlanes) {
          add<8>(source->plane(p), x / 2, y / 2, other.raster->plane(p), (x + mv.col) >> 1,
                 (y + mv.row) >> 1, weight, most, sums[p]);
        }
      }
      finish<16>(sums[0], result->mutable_plane(0), x, y);
      for (const int p : kChromaPlanes) finish<8>(sums[p], result->mutable_plane(p), x / 2, y / 2);
    }
  });
  return result;
}

}  // namespace vp8
