// The kernels in use keep to their block, and agree with the arithmetic written out plainly.
#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "check.h"
#include "kernels/kernels.h"

namespace {

using namespace vp8;

constexpr int kSizes[] = {4, 8, 16};
constexpr int kGuard = 32;

// A block in the middle of a larger area, so that a write outside it shows.
class Guarded {
 public:
  Guarded(Random& random, std::ptrdiff_t stride) : stride_(stride), bytes_(stride * kRows) {
    for (auto& byte : bytes_) byte = static_cast<std::uint8_t>(random.below(256));
    before_ = bytes_;
  }
  std::uint8_t* block() { return bytes_.data() + kGuard * stride_ + kGuard; }
  std::ptrdiff_t stride() const { return stride_; }

  void check_only_changed(int left, int top, int width, int height) const {
    for (int y = 0; y < kRows; ++y) {
      for (int x = 0; x < stride_; ++x) {
        const int column = x - kGuard - left;
        const int row = y - kGuard - top;
        if (column >= 0 && column < width && row >= 0 && row < height) continue;
        CHECK(bytes_[y * stride_ + x] == before_[y * stride_ + x]);
      }
    }
  }

 private:
  static constexpr int kRows = 2 * kGuard + 16;
  std::ptrdiff_t stride_;
  std::vector<std::uint8_t> bytes_;
  std::vector<std::uint8_t> before_;
};

constexpr std::ptrdiff_t kStrides[] = {2 * kGuard + 16, 2 * kGuard + 23, 160};

void distortion_is_what_its_name_says() {
  Random random(1);
  for (const auto stride : kStrides) {
    for (int index = 0; index < 3; ++index) {
      Guarded a(random, stride);
      Guarded b(random, stride + 5);
      int sad = 0;
      int sse = 0;
      for (int y = 0; y < kSizes[index]; ++y) {
        for (int x = 0; x < kSizes[index]; ++x) {
          const int difference = a.block()[y * a.stride() + x] - b.block()[y * b.stride() + x];
          sad += std::abs(difference);
          sse += difference * difference;
        }
      }
      const Kernels& table = kernels();
      CHECK(table.sad[index](a.block(), a.stride(), b.block(), b.stride()) == sad);
      CHECK(table.sse[index](a.block(), a.stride(), b.block(), b.stride()) == sse);
      CHECK(table.satd[index](a.block(), a.stride(), a.block(), a.stride()) == 0);
      CHECK(table.satd[index](a.block(), a.stride(), b.block(), b.stride()) > 0);
    }
  }
}

void interpolation_keeps_to_its_block() {
  Random random(2);
  for (const auto stride : kStrides) {
    for (int index = 0; index < 3; ++index) {
      for (int mx = 0; mx < 8; ++mx) {
        for (int my = 0; my < 8; ++my) {
          if (mx == 0 && my == 0) continue;
          for (const auto& filters : {kernels().sixtap, kernels().bilinear}) {
            Guarded source(random, stride);
            Guarded target(random, stride);
            const int size = kSizes[index];
            filters[index](source.block(), source.stride(), target.block(), target.stride(), size,
                           mx, my);
            target.check_only_changed(0, 0, size, size);
            source.check_only_changed(0, 0, 0, 0);
          }
        }
      }
    }
  }
}

// Every filter's taps sum to one: a flat area stays flat.
void interpolation_of_a_flat_area_is_flat() {
  for (int value : {0, 1, 127, 254, 255}) {
    const std::vector<std::uint8_t> flat(80 * 80, static_cast<std::uint8_t>(value));
    for (int mx = 0; mx < 8; ++mx) {
      for (int my = 0; my < 8; ++my) {
        if (mx == 0 && my == 0) continue;
        for (const auto& filters : {kernels().sixtap, kernels().bilinear}) {
          std::uint8_t target[16 * 16] = {};
          filters[2](flat.data() + 80 * 30 + 30, 80, target, 16, 16, mx, my);
          for (const auto pixel : target) CHECK(pixel == value);
        }
      }
    }
  }
}

void transforms_undo_each_other() {
  Random random(3);
  const Kernels& table = kernels();
  for (int round = 0; round < 5000; ++round) {
    const int range = 1 << random.between(1, 8);
    std::uint8_t source[16];
    std::uint8_t prediction[16];
    for (int i = 0; i < 16; ++i) {
      prediction[i] = static_cast<std::uint8_t>(random.below(256));
      const int wanted = prediction[i] + random.between(-range, range);
      source[i] = static_cast<std::uint8_t>(std::clamp(wanted, 0, 255));
    }
    std::int16_t block[16];
    table.forward_dct[0](source, 4, prediction, 4, block);
    std::uint8_t pixels[16];
    std::memcpy(pixels, prediction, sizeof pixels);
    table.dequantize_inverse_dct_add[0](block, 1, 1, pixels, 4);
    for (int i = 0; i < 16; ++i) CHECK(std::abs(pixels[i] - source[i]) <= 2);

    std::int16_t dcs[16];
    for (auto& dc : dcs) dc = static_cast<std::int16_t>(random.between(-2000, 2000));
    std::int16_t transformed[16];
    table.forward_walsh(dcs, transformed);
    std::int16_t again[16];
    table.dequantize_inverse_walsh(transformed, 1, 1, again);
    for (int i = 0; i < 16; ++i) CHECK(std::abs(again[i] - dcs[i]) <= 2);
  }
}

void dc_only_transform_is_the_whole_one() {
  Random random(4);
  for (int dc = -2000; dc <= 2000; ++dc) {
    std::uint8_t a[16];
    for (auto& pixel : a) pixel = static_cast<std::uint8_t>(random.below(256));
    std::uint8_t b[16];
    std::memcpy(b, a, sizeof b);
    const std::int16_t block[16] = {static_cast<std::int16_t>(dc)};
    kernels().dequantize_inverse_dct_add[0](block, 1, 1, a, 4);
    kernels().inverse_dct_dc_add[0](block, b, 4);
    CHECK(std::memcmp(a, b, sizeof a) == 0);
  }
}

void loop_filters_keep_to_their_edge() {
  Random random(5);
  const Kernels& table = kernels();
  struct Filter {
    Kernels::EdgeFilter run;
    bool rows;
    int from;
    int to;
  };
  const Filter filters[] = {
      {table.macroblock_edge_columns, false, -3, 3},
      {table.macroblock_edge_rows, true, -3, 3},
      {table.inner_edges_columns, false, 2, 14},
      {table.inner_edges_rows, true, 2, 14},
      {table.simple_edge_columns, false, -2, 2},
      {table.simple_edge_rows, true, -2, 2},
      {table.simple_inner_edges_columns, false, 2, 14},
      {table.simple_inner_edges_rows, true, 2, 14},
  };
  for (int round = 0; round < 200; ++round) {
    for (const Filter& filter : filters) {
      Guarded area(random, kStrides[random.below(3)]);
      const EdgeLimits limits{random.below(150), random.below(64), random.below(4)};
      filter.run(area.block(), area.stride(), limits);
      if (filter.rows) {
        area.check_only_changed(0, filter.from, 16, filter.to - filter.from);
      } else {
        area.check_only_changed(filter.from, 0, filter.to - filter.from, 16);
      }
    }
  }
}

}  // namespace

int main() {
  distortion_is_what_its_name_says();
  interpolation_keeps_to_its_block();
  interpolation_of_a_flat_area_is_flat();
  transforms_undo_each_other();
  dc_only_transform_is_the_whole_one();
  loop_filters_keep_to_their_edge();
  return 0;
}
