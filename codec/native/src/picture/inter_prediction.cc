#include "picture/inter_prediction.h"

#include "common/tables.h"
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

// Predicts a block at the same place in several planes of one size.
template <int kCount>
void predict_alike(const Plane (&references)[kCount], int x, int y, int mx, int my, int width,
                   int height, bool bilinear, std::uint8_t* const (&targets)[kCount],
                   std::ptrdiff_t target_stride) {
  const Kernels& k = kernels();
  const int index = width == 16 ? 2 : width == 8 ? 1 : 0;
  const Kernels::Interpolate interpolate = (bilinear ? k.bilinear : k.sixtap)[index];
  const bool whole_pixels = mx == 0 && my == 0;
  const bool within = within_border(references[0], x, y, width, height);
  for (int i = 0; i < kCount; ++i) {
    const Plane& reference = references[i];
    std::uint8_t patch[kMaxBlock * kMaxBlock];
    const std::uint8_t* source = patch + kTapsBefore * kMaxBlock + kTapsBefore;
    std::ptrdiff_t source_stride = kMaxBlock;
    if (within) [[likely]] {
      source = reference.at(x, y);
      source_stride = reference.stride;
    } else {
      copy_clamped(reference, x - kTapsBefore, y - kTapsBefore, width + kTapsBefore + kTapsAfter,
                   height + kTapsBefore + kTapsAfter, patch);
    }
    if (whole_pixels) {
      k.copy[index](source, source_stride, targets[i], target_stride, height);
    } else {
      interpolate(source, source_stride, targets[i], target_stride, height, mx, my);
    }
  }
}

}  // namespace

void predict_block(const Plane& reference, int x, int y, int mx, int my, int width, int height,
                   bool bilinear, std::uint8_t* target, std::ptrdiff_t target_stride) {
  predict_alike<1>({reference}, x, y, mx, my, width, height, bilinear, {target}, target_stride);
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
  const Plane luma = reference.plane(0);
  const auto predict = [&](int i, int j, int width, int height) {
    predict_luma_block(luma, mb_col * 16 + i, mb_row * 16 + j, info.mvs[j + i / 4], width, height,
                       filter.bilinear, target.pixels[0] + j * target.stride[0] + i,
                       target.stride[0]);
  };
  if (info.y_mode != SPLITMV) {
    predict(0, 0, 16, 16);
    return;
  }
  const auto [width, height] = kSplitPartSize[info.partitioning];
  for (int j = 0; j < 16; j += height) {
    for (int i = 0; i < 16; i += width) {
      // Two 4x4 neighbours with the same vector are one block.
      const bool pair =
          width == 4 && (i & 4) == 0 && info.mvs[j + i / 4] == info.mvs[j + i / 4 + 1];
      predict(i, j, pair ? 8 : width, height);
      if (pair) i += 4;
    }
  }
}

void predict_inter_chroma(const MacroblockInfo& info, const Raster& reference, int mb_row,
                          int mb_col, InterpolationFilter filter, const MacroblockPixels& target) {
  const Plane planes[] = {reference.plane(1), reference.plane(2)};
  const auto predict = [&](int i, int j, int width, int height, MotionVector mv) {
    if (filter.full_pixel_chroma) {
      mv.row &= ~7;
      mv.col &= ~7;
    }
    const std::ptrdiff_t at = j * target.stride[1] + i;
    predict_alike<2>(planes, mb_col * 8 + i + (mv.col >> 3), mb_row * 8 + j + (mv.row >> 3),
                     mv.col & 7, mv.row & 7, width, height, filter.bilinear,
                     {target.pixels[1] + at, target.pixels[2] + at}, target.stride[1]);
  };
  if (info.y_mode != SPLITMV) {
    predict(0, 0, 8, 8, info.mv());
    return;
  }
  for (int row = 0; row < 2; ++row) {
    const MotionVector left = chroma_mv_of_split(info, 0, row);
    const MotionVector right = chroma_mv_of_split(info, 1, row);
    if (left == right) {
      predict(0, 4 * row, 8, 4, left);
    } else {
      predict(0, 4 * row, 4, 4, left);
      predict(4, 4 * row, 4, 4, right);
    }
  }
}

}  // namespace vp8
