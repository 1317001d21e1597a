#include "intra_prediction.h"

#include <cstring>

namespace vp8 {
namespace {

constexpr int kAbove = 127;
constexpr int kLeft = 129;

void fill(std::uint8_t* pixels, std::ptrdiff_t stride, int size, int value) {
  for (int y = 0; y < size; ++y) {
    std::memset(pixels + y * stride, value, static_cast<std::size_t>(size));
  }
}

void predict_dc(int size, std::uint8_t* pixels, std::ptrdiff_t stride, bool has_above,
                bool has_left) {
  int sum = 0;
  int count = 0;
  if (has_above) {
    for (int i = 0; i < size; ++i) sum += pixels[i - stride];
    count += size;
  }
  if (has_left) {
    for (int i = 0; i < size; ++i) sum += pixels[i * stride - 1];
    count += size;
  }
  fill(pixels, stride, size, count == 0 ? 128 : (sum + count / 2) / count);
}

void predict_true_motion(int size, std::uint8_t* pixels, std::ptrdiff_t stride) {
  const std::uint8_t* above = pixels - stride;
  const int corner = above[-1];
  for (int y = 0; y < size; ++y) {
    std::uint8_t* row = pixels + y * stride;
    const int offset = row[-1] - corner;
    for (int x = 0; x < size; ++x) row[x] = clamp_pixel(above[x] + offset);
  }
}

int average2(int a, int b) { return (a + b + 1) >> 1; }
int average3(int a, int b, int c) { return (a + 2 * b + c + 2) >> 2; }

// Writes value(x, y) at every pixel of a subblock.
template <typename Value>
void set_subblock(std::uint8_t* pixels, std::ptrdiff_t stride, Value&& value) {
  for (int y = 0; y < 4; ++y) {
    for (int x = 0; x < 4; ++x) {
      pixels[y * stride + x] = static_cast<std::uint8_t>(value(x, y));
    }
  }
}

}  // namespace

void prepare_intra_borders(Raster& raster) {
  for (int i = 0; i < kPlanes; ++i) {
    const MutablePlane plane = raster.mutable_plane(i);
    std::memset(plane.at(-1, -1), kAbove, static_cast<std::size_t>(plane.width + 5));
    for (int y = 0; y < plane.height; ++y) *plane.at(-1, y) = kLeft;
  }
}

void prepare_row_end(Raster& raster, int mb_row) {
  const MutablePlane luma = raster.mutable_plane(0);
  std::memset(luma.at(luma.width, mb_row * 16 + 15), *luma.at(luma.width - 1, mb_row * 16 + 15), 4);
}

void predict_intra(MacroblockMode mode, int size, std::uint8_t* pixels, std::ptrdiff_t stride,
                   bool has_above, bool has_left) {
  switch (mode) {
    case V_PRED:
      for (int y = 0; y < size; ++y) {
        std::memcpy(pixels + y * stride, pixels - stride, static_cast<std::size_t>(size));
      }
      break;
    case H_PRED:
      for (int y = 0; y < size; ++y) {
        std::uint8_t* row = pixels + y * stride;
        std::memset(row, row[-1], static_cast<std::size_t>(size));
      }
      break;
    case TM_PRED:
      predict_true_motion(size, pixels, stride);
      break;
    default:
      predict_dc(size, pixels, stride, has_above, has_left);
      break;
  }
}

void predict_subblock(SubblockMode mode, std::uint8_t* pixels, std::ptrdiff_t stride,
                      const std::uint8_t* above_right) {
  // The edge of section 12.3 in one line: from the bottom of the left column up
  // to the corner, e[4], then along the row above to its end, e[12].
  int e[13];
  for (int i = 0; i < 4; ++i) e[i] = pixels[(3 - i) * stride - 1];
  for (int i = 0; i < 5; ++i) e[4 + i] = pixels[i - 1 - stride];
  for (int i = 0; i < 4; ++i) e[9 + i] = above_right[i];
  const int* above = e + 5;
  const auto left = [&](int y) { return e[3 - y]; };
  const auto smooth = [&](int i) { return average3(e[i - 1], e[i], e[i + 1]); };

  switch (mode) {
    case B_DC_PRED: {
      int sum = 4;
      for (int i = 0; i < 4; ++i) sum += above[i] + e[i];
      fill(pixels, stride, 4, sum >> 3);
      break;
    }
    case B_TM_PRED:
      set_subblock(pixels, stride,
                   [&](int x, int y) { return clamp_pixel(left(y) + above[x] - e[4]); });
      break;
    case B_VE_PRED:
      set_subblock(pixels, stride, [&](int x, int) { return smooth(5 + x); });
      break;
    case B_HE_PRED:
      set_subblock(pixels, stride,
                   [&](int, int y) { return y < 3 ? smooth(3 - y) : average3(e[1], e[0], e[0]); });
      break;
    case B_LD_PRED:
      set_subblock(pixels, stride, [&](int x, int y) {
        return x + y < 6 ? smooth(6 + x + y) : average3(e[11], e[12], e[12]);
      });
      break;
    case B_RD_PRED:
      set_subblock(pixels, stride, [&](int x, int y) { return smooth(4 + x - y); });
      break;
    case B_VR_PRED:
      set_subblock(pixels, stride, [&](int x, int y) {
        const int i = 2 * x - y;
        if (i < 0) return smooth(5 + i);
        return (i & 1) ? smooth(5 + (i >> 1)) : average2(e[4 + (i >> 1)], e[5 + (i >> 1)]);
      });
      break;
    case B_VL_PRED:
      set_subblock(pixels, stride, [&](int x, int y) {
        // The last column of the lower rows leaves the pattern.
        if (x == 3 && y >= 2) return smooth(y == 2 ? 10 : 11);
        const int at = 5 + x + (y >> 1);
        return (y & 1) ? smooth(at + 1) : average2(e[at], e[at + 1]);
      });
      break;
    case B_HD_PRED:
      set_subblock(pixels, stride, [&](int x, int y) {
        const int i = 2 * (3 - y) + x;
        if (i > 7) return smooth(i - 3);
        return (i & 1) ? smooth((i >> 1) + 1) : average2(e[i >> 1], e[(i >> 1) + 1]);
      });
      break;
    default:  // B_HU_PRED
      set_subblock(pixels, stride, [&](int x, int y) {
        const int i = x + 2 * y;
        if (i > 5) return e[0];
        if (i == 5) return average3(e[1], e[0], e[0]);
        const int at = 3 - (i >> 1);
        return (i & 1) ? smooth(at - 1) : average2(e[at], e[at - 1]);
      });
      break;
  }
}

SubblockMode implied_subblock_mode(MacroblockMode mode) {
  switch (mode) {
    case V_PRED:
      return B_VE_PRED;
    case H_PRED:
      return B_HE_PRED;
    case TM_PRED:
      return B_TM_PRED;
    default:
      return B_DC_PRED;
  }
}

}  // namespace vp8
