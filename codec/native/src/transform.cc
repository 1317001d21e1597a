#include "transform.h"

#include <cstring>

#include "kernels/kernels.h"

namespace vp8 {

void add_block(const std::int16_t* values, int end, const int* steps, std::uint8_t* pixels,
               std::ptrdiff_t stride) {
  if (end == 0) return;
  if (end == 1) {
    const auto dc = static_cast<std::int16_t>(values[0] * steps[0]);
    kernels().inverse_dct_dc_add[0](&dc, pixels, stride);
    return;
  }
  kernels().dequantize_inverse_dct_add[0](values, steps[0], steps[1], pixels, stride);
}

void add_block_after_y2(const std::int16_t* values, int end, std::int16_t dc, const int* steps,
                        std::uint8_t* pixels, std::ptrdiff_t stride) {
  if (end <= 1) {
    if (dc != 0) kernels().inverse_dct_dc_add[0](&dc, pixels, stride);
    return;
  }
  // The DC needs no step of its own any more.
  std::int16_t with_dc[16];
  std::memcpy(with_dc, values, sizeof with_dc);
  with_dc[0] = dc;
  kernels().dequantize_inverse_dct_add[0](with_dc, 1, steps[1], pixels, stride);
}

void invert_y2(const std::int16_t* values, const int* steps, std::int16_t* dc_of_16_blocks) {
  kernels().dequantize_inverse_walsh(values, steps[0], steps[1], dc_of_16_blocks);
}

}  // namespace vp8
