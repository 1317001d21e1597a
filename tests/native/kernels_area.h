// Pixels in memory of their own, for comparing kernels: the pixels around a block must not change,
// and AddressSanitizer sees reads beyond the memory.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "check.h"

struct Margins {
  int left = 0;
  int top = 0;
  int right = 0;
  int bottom = 0;
};

constexpr Margins kGuards{19, 5, 17, 5};

// How pixels are chosen.
enum class Fill { kNoise, kExtremes, kSmooth, kFlat };
constexpr Fill kFills[] = {Fill::kNoise, Fill::kExtremes, Fill::kSmooth, Fill::kFlat};

class Area {
 public:
  // The memory ends with the last pixel of the margins. Rows and the block begin at any address.
  Area(Random& random, int width, int height, const Margins& margins, Fill fill)
      : width_(width),
        height_(height),
        margins_(margins),
        stride_(margins.left + width + margins.right + random.below(30)),
        skipped_(static_cast<std::size_t>(random.below(16))) {
    const int rows = margins.top + height + margins.bottom;
    bytes_.resize(skipped_ + static_cast<std::size_t>((rows - 1) * stride_ + margins.left + width +
                                                      margins.right));
    int value = random.below(256);
    const int range = 1 + random.below(6);
    for (auto& byte : bytes_) {
      if (fill == Fill::kNoise) value = random.below(256);
      if (fill == Fill::kExtremes) value = random.below(2) * 255;
      if (fill == Fill::kSmooth) value += random.between(-range, range);
      value = std::clamp(value, 0, 255);
      byte = static_cast<std::uint8_t>(value);
    }
  }

  std::uint8_t* block() { return at(0, 0); }
  std::uint8_t* at(int x, int y) {
    return bytes_.data() + skipped_ + (margins_.top + y) * stride_ + margins_.left + x;
  }
  std::ptrdiff_t stride() const { return stride_; }
  bool operator==(const Area& other) const { return bytes_ == other.bytes_; }

  // Whether pixels outside the rectangle are those of `before`.
  bool same_outside(const Area& before, int left, int top, int right, int bottom) const {
    for (std::size_t i = 0; i < bytes_.size(); ++i) {
      if (bytes_[i] == before.bytes_[i]) continue;
      const auto place = static_cast<std::ptrdiff_t>(i - skipped_);
      const auto x = place % stride_ - margins_.left;
      const auto y = place / stride_ - margins_.top;
      if (i < skipped_ || x < left || x >= right || y < top || y >= bottom) return false;
    }
    return true;
  }
  bool same_outside_block(const Area& before) const {
    return same_outside(before, 0, 0, width_, height_);
  }

 private:
  int width_;
  int height_;
  Margins margins_;
  std::ptrdiff_t stride_;
  std::size_t skipped_;
  std::vector<std::uint8_t> bytes_;
};
