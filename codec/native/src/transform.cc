#include "transform.h"

#include "kernels/kernels.h"

namespace vp8 {
namespace {

// Products are kept in 16 bits, as every decoder does: only a corrupt stream
// leaves that range.
void dequantize(const std::int16_t* values, const int* steps, std::int16_t* coefficients) {
  coefficients[0] = static_cast<std::int16_t>(values[0] * steps[0]);
  for (int i = 1; i < 16; ++i) {
    coefficients[i] = static_cast<std::int16_t>(values[i] * steps[1]);
  }
}

}  // namespace

void add_block(const std::int16_t* values, int end, const int* steps, std::uint8_t* pixels,
               std::ptrdiff_t stride) {
  if (end == 0) return;
  if (end == 1) {
    kernels().inverse_dct_dc_add(static_cast<std::int16_t>(values[0] * steps[0]), pixels, stride);
    return;
  }
  std::int16_t coefficients[16];
  dequantize(values, steps, coefficients);
  kernels().inverse_dct_add(coefficients, pixels, stride);
}

void add_block_after_y2(const std::int16_t* values, int end, int dc, const int* steps,
                        std::uint8_t* pixels, std::ptrdiff_t stride) {
  if (end <= 1) {
    if (dc != 0) kernels().inverse_dct_dc_add(dc, pixels, stride);
    return;
  }
  std::int16_t coefficients[16];
  dequantize(values, steps, coefficients);
  coefficients[0] = static_cast<std::int16_t>(dc);
  kernels().inverse_dct_add(coefficients, pixels, stride);
}

void invert_y2(const std::int16_t* values, const int* steps, std::int16_t* dc_of_16_blocks) {
  std::int16_t coefficients[16];
  dequantize(values, steps, coefficients);
  kernels().inverse_walsh(coefficients, dc_of_16_blocks);
}

}  // namespace vp8
