#include "inter_prediction.h"

#include "kernels/kernels.h"

namespace vp8 {
namespace {

constexpr int kTapsBefore = 2;
constexpr int kTapsAfter = 3;
constexpr int kMaxBlock = 16 + kTapsBefore + kTapsAfter;

// Copies a block with its filter taps to `target`, each coordinate clamped to the
// frame.
void copy_clamped(const Plane& reference, int x, int y, int width, int height,
                  std::uint8_t* target) {
  for (int j = 0; j < height; ++j) {
    const std::uint8_t* row = reference.at(0, clamp_int(y + j, 0, reference.height - 1));
    for (int i = 0; i < width; ++i) {
      target[j * kMaxBlock + i] = row[clamp_int(x + i, 0, reference.width - 1)];
    }
  }
}

bool within_border(const Plane& reference, int x, int y, int width, int height) {
  return x - kTapsBefore >= -kRasterBorder && y - kTapsBefore >= -kRasterBorder &&
         x + width + kTapsAfter <= reference.width + kRasterBorder &&
         y + height + kTapsAfter <= reference.height + kRasterBorder;
}

}  // namespace

void predict_block(const Plane& reference, int x, int y, int mx, int my, int width, int height,
                   bool bilinear, std::uint8_t* target, std::ptrdiff_t target_stride) {
  std::uint8_t patch[kMaxBlock * kMaxBlock];
  const std::uint8_t* source = nullptr;
  std::ptrdiff_t source_stride = reference.stride;
  if (within_border(reference, x, y, width, height)) {
    source = reference.at(x, y);
  } else {
    copy_clamped(reference, x - kTapsBefore, y - kTapsBefore, width + kTapsBefore + kTapsAfter,
                 height + kTapsBefore + kTapsAfter, patch);
    source = patch + kTapsBefore * kMaxBlock + kTapsBefore;
    source_stride = kMaxBlock;
  }
  const Kernels& k = kernels();
  const int index = width == 16 ? 2 : width == 8 ? 1 : 0;
  if (mx == 0 && my == 0) {
    k.copy[index](source, source_stride, target, target_stride, height);
  } else {
    const Kernels::Interpolate* interpolate = bilinear ? k.bilinear : k.sixtap;
    interpolate[index](source, source_stride, target, target_stride, height, mx, my);
  }
}

MotionVector chroma_mv_of_split(const MacroblockInfo& info, int column, int row) {
  const int first = row * 8 + column * 2;
  int sum_row = 0;
  int sum_col = 0;
  for (const int i : {first, first + 1, first + 4, first + 5}) {
    sum_row += info.mvs[i].row;
    sum_col += info.mvs[i].col;
  }
  // Halves round away from zero.
  const auto mean = [](int sum) {
    return static_cast<std::int16_t>((sum + (sum < 0 ? -2 : 2)) / 4);
  };
  return {mean(sum_row), mean(sum_col)};
}

void predict_inter_luma(const MacroblockInfo& info, const Raster& reference, int mb_row, int mb_col,
                        InterpolationFilter filter, const MacroblockPixels& target) {
  const int x = mb_col * 16;
  const int y = mb_row * 16;
  const Plane luma = reference.plane(0);
  const int size = info.y_mode != SPLITMV ? 16 : info.partitioning == k4x4 ? 4 : 8;
  for (int j = 0; j < 16; j += size) {
    for (int i = 0; i < 16; i += size) {
      predict_luma_block(luma, x + i, y + j, info.mvs[j + i / 4], size, size, filter.bilinear,
                         target.pixels[0] + j * target.stride[0] + i, target.stride[0]);
    }
  }
}

void predict_inter_chroma(const MacroblockInfo& info, const Raster& reference, int mb_row,
                          int mb_col, InterpolationFilter filter, const MacroblockPixels& target) {
  const int size = info.y_mode == SPLITMV ? 4 : 8;
  for (int j = 0; j < 8; j += size) {
    for (int i = 0; i < 8; i += size) {
      MotionVector mv = info.y_mode == SPLITMV ? chroma_mv_of_split(info, i / 4, j / 4) : info.mv();
      if (filter.full_pixel_chroma) {
        mv.row &= ~7;
        mv.col &= ~7;
      }
      for (int p = 1; p < kPlanes; ++p) {
        predict_block(reference.plane(p), mb_col * 8 + i + (mv.col >> 3),
                      mb_row * 8 + j + (mv.row >> 3), mv.col & 7, mv.row & 7, size, size,
                      filter.bilinear, target.pixels[p] + j * target.stride[p] + i,
                      target.stride[p]);
      }
    }
  }
}

}  // namespace vp8
