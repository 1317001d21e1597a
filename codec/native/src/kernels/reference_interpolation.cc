// Subpixel interpolation (RFC 6386, section 18.3), plain.
#include <cstring>

#include "common/tables.h"
#include "kernels/kernels.h"

namespace vp8 {
namespace {

// One pass of six taps along `step`: products sum to at most 255 * 160 in
// magnitude, rounded back to pixels.
std::uint8_t sixtap_at(const std::uint8_t* pixel, std::ptrdiff_t step, const std::int16_t* taps) {
  const int sum = pixel[-2 * step] * taps[0] + pixel[-step] * taps[1] + pixel[0] * taps[2] +
                  pixel[step] * taps[3] + pixel[2 * step] * taps[4] + pixel[3 * step] * taps[5];
  return clamp_pixel((sum + 64) >> 7);
}

template <int Width>
void copy_block(const std::uint8_t* source, std::ptrdiff_t source_stride, std::uint8_t* target,
                std::ptrdiff_t target_stride, int height) {
  for (int y = 0; y < height; ++y) {
    std::memcpy(target + y * target_stride, source + y * source_stride, Width);
  }
}

// Horizontally into whole pixels, then vertically. A pass without a fraction is the
// identity and is left out.
template <int Width>
void sixtap(const std::uint8_t* source, std::ptrdiff_t source_stride, std::uint8_t* target,
            std::ptrdiff_t target_stride, int height, int mx, int my) {
  std::uint8_t intermediate[Kernels::kMaxRows * Width];
  const std::uint8_t* rows = source;
  std::ptrdiff_t rows_stride = source_stride;
  if (mx != 0) {
    const int before = my != 0 ? 2 : 0;
    const int total = height + (my != 0 ? 5 : 0);
    for (int y = 0; y < total; ++y) {
      const std::uint8_t* line = source + (y - before) * source_stride;
      for (int x = 0; x < Width; ++x) {
        intermediate[y * Width + x] = sixtap_at(line + x, 1, kSixtapFilters[mx]);
      }
    }
    rows = intermediate + before * Width;
    rows_stride = Width;
  }
  if (my == 0) {
    copy_block<Width>(rows, rows_stride, target, target_stride, height);
    return;
  }
  for (int y = 0; y < height; ++y) {
    for (int x = 0; x < Width; ++x) {
      target[y * target_stride + x] =
          sixtap_at(rows + y * rows_stride + x, rows_stride, kSixtapFilters[my]);
    }
  }
}

template <int Width>
void bilinear(const std::uint8_t* source, std::ptrdiff_t source_stride, std::uint8_t* target,
              std::ptrdiff_t target_stride, int height, int mx, int my) {
  std::uint8_t intermediate[(16 + 1) * Width];
  const std::int16_t* across = kBilinearFilters[mx];
  const std::int16_t* down = kBilinearFilters[my];
  const int right = mx != 0 ? 1 : 0;
  const int below = my != 0 ? 1 : 0;
  for (int y = 0; y < height + below; ++y) {
    const std::uint8_t* line = source + y * source_stride;
    for (int x = 0; x < Width; ++x) {
      intermediate[y * Width + x] =
          static_cast<std::uint8_t>((line[x] * across[0] + line[x + right] * across[1] + 64) >> 7);
    }
  }
  for (int y = 0; y < height; ++y) {
    const std::uint8_t* line = intermediate + y * Width;
    for (int x = 0; x < Width; ++x) {
      target[y * target_stride + x] = static_cast<std::uint8_t>(
          (line[x] * down[0] + line[x + below * Width] * down[1] + 64) >> 7);
    }
  }
}

}  // namespace

void install_reference_interpolation(Kernels& table) {
  table.sixtap[0] = sixtap<4>;
  table.sixtap[1] = sixtap<8>;
  table.sixtap[2] = sixtap<16>;
  table.bilinear[0] = bilinear<4>;
  table.bilinear[1] = bilinear<8>;
  table.bilinear[2] = bilinear<16>;
  table.copy[0] = copy_block<4>;
  table.copy[1] = copy_block<8>;
  table.copy[2] = copy_block<16>;
}

}  // namespace vp8
