#include "picture/transform.h"

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

}  // namespace vp8
