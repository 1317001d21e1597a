// The DCT, the Walsh-Hadamard transform and quantisation (RFC 6386, section 14),
// plain.
#include <cstdlib>

#include "common/tables.h"
#include "common/types.h"
#include "kernels/kernels.h"

namespace vp8 {
namespace {

// sqrt(2) * cos(pi / 8) - 1 and sqrt(2) * sin(pi / 8), in 65536ths.
constexpr int kCosine = 20091;
constexpr int kSine = 35468;

// Inverse arithmetic keeps 16 bits of every result, as registers of 16-bit lanes do: only a
// corrupt stream leaves that range. In between, sums may be wider: the 16 low bits are the
// same whenever the others are cut off.
std::int16_t wrap(int value) { return static_cast<std::int16_t>(value); }

int times_cosine(std::int16_t x) { return x + ((x * kCosine) >> 16); }
int times_sine(std::int16_t x) { return (x * kSine) >> 16; }

void dequantize(const std::int16_t* values, int dc_step, int ac_step, std::int16_t* coefficients) {
  coefficients[0] = wrap(values[0] * dc_step);
  for (int i = 1; i < 16; ++i) coefficients[i] = wrap(values[i] * ac_step);
}

void dequantize_inverse_dct_add_one(const std::int16_t* values, int dc_step, int ac_step,
                                    std::uint8_t* pixels, std::ptrdiff_t stride) {
  std::int16_t block[16];
  dequantize(values, dc_step, ac_step, block);
  std::int16_t columns[16];
  for (int i = 0; i < 4; ++i) {
    const int a = block[i] + block[8 + i];
    const int b = block[i] - block[8 + i];
    const int c = times_sine(block[4 + i]) - times_cosine(block[12 + i]);
    const int d = times_cosine(block[4 + i]) + times_sine(block[12 + i]);
    columns[i] = wrap(a + d);
    columns[12 + i] = wrap(a - d);
    columns[4 + i] = wrap(b + c);
    columns[8 + i] = wrap(b - c);
  }
  for (int y = 0; y < 4; ++y) {
    const std::int16_t* row = columns + 4 * y;
    const int a = row[0] + row[2];
    const int b = row[0] - row[2];
    const int c = times_sine(row[1]) - times_cosine(row[3]);
    const int d = times_cosine(row[1]) + times_sine(row[3]);
    std::uint8_t* out = pixels + y * stride;
    out[0] = clamp_pixel(out[0] + (wrap(a + d + 4) >> 3));
    out[3] = clamp_pixel(out[3] + (wrap(a - d + 4) >> 3));
    out[1] = clamp_pixel(out[1] + (wrap(b + c + 4) >> 3));
    out[2] = clamp_pixel(out[2] + (wrap(b - c + 4) >> 3));
  }
}

template <int Count>
void dequantize_inverse_dct_add(const std::int16_t* values, int dc_step, int ac_step,
                                std::uint8_t* pixels, std::ptrdiff_t stride) {
  for (int i = 0; i < Count; ++i) {
    dequantize_inverse_dct_add_one(values + 16 * i, dc_step, ac_step, pixels + 4 * i, stride);
  }
}

template <int Count>
void inverse_dct_dc_add(const std::int16_t* dcs, std::uint8_t* pixels, std::ptrdiff_t stride) {
  for (int y = 0; y < 4; ++y) {
    for (int x = 0; x < 4 * Count; ++x) {
      std::uint8_t& pixel = pixels[y * stride + x];
      pixel = clamp_pixel(pixel + (wrap(dcs[x / 4] + 4) >> 3));
    }
  }
}

void dequantize_inverse_walsh(const std::int16_t* values, int dc_step, int ac_step,
                              std::int16_t* dc_of_16_blocks) {
  std::int16_t block[16];
  dequantize(values, dc_step, ac_step, block);
  std::int16_t columns[16];
  for (int i = 0; i < 4; ++i) {
    const int a = block[i] + block[12 + i];
    const int b = block[4 + i] + block[8 + i];
    const int c = block[4 + i] - block[8 + i];
    const int d = block[i] - block[12 + i];
    columns[i] = wrap(a + b);
    columns[4 + i] = wrap(c + d);
    columns[8 + i] = wrap(a - b);
    columns[12 + i] = wrap(d - c);
  }
  for (int y = 0; y < 4; ++y) {
    const std::int16_t* row = columns + 4 * y;
    const int a = row[0] + row[3];
    const int b = row[1] + row[2];
    const int c = row[1] - row[2];
    const int d = row[0] - row[3];
    std::int16_t* out = dc_of_16_blocks + 4 * y;
    out[0] = wrap(wrap(a + b + 3) >> 3);
    out[1] = wrap(wrap(c + d + 3) >> 3);
    out[2] = wrap(wrap(a - b + 3) >> 3);
    out[3] = wrap(wrap(d - c + 3) >> 3);
  }
}

// The inverse's transpose in 12-bit fixed point: a constant block of value v
// has a DC of 8 v, and sums of squares grow fourfold.
void forward_dct_one(const std::uint8_t* source, std::ptrdiff_t source_stride,
                     const std::uint8_t* prediction, std::ptrdiff_t prediction_stride,
                     std::int16_t* block) {
  // cos(pi / 8) and sin(pi / 8) times sqrt(2), in 4096ths.
  constexpr int kCos = 5352;
  constexpr int kSin = 2217;
  int rows[16];
  for (int y = 0; y < 4; ++y) {
    int r[4];
    for (int x = 0; x < 4; ++x) {
      r[x] = (source[y * source_stride + x] - prediction[y * prediction_stride + x]) * 8;
    }
    const int a = r[0] + r[3];
    const int b = r[1] + r[2];
    const int c = r[1] - r[2];
    const int d = r[0] - r[3];
    rows[4 * y] = a + b;
    rows[4 * y + 2] = a - b;
    rows[4 * y + 1] = (c * kSin + d * kCos + 2048) >> 12;
    rows[4 * y + 3] = (d * kSin - c * kCos + 2048) >> 12;
  }
  for (int x = 0; x < 4; ++x) {
    const int a = rows[x] + rows[12 + x];
    const int b = rows[4 + x] + rows[8 + x];
    const int c = rows[4 + x] - rows[8 + x];
    const int d = rows[x] - rows[12 + x];
    block[x] = static_cast<std::int16_t>((a + b + 8) >> 4);
    block[8 + x] = static_cast<std::int16_t>((a - b + 8) >> 4);
    block[4 + x] = static_cast<std::int16_t>((c * kSin + d * kCos + 32768) >> 16);
    block[12 + x] = static_cast<std::int16_t>((d * kSin - c * kCos + 32768) >> 16);
  }
}

template <int Size>
void forward_dct(const std::uint8_t* source, std::ptrdiff_t source_stride,
                 const std::uint8_t* prediction, std::ptrdiff_t prediction_stride,
                 std::int16_t* blocks) {
  for (int y = 0; y < Size; y += 4) {
    for (int x = 0; x < Size; x += 4) {
      forward_dct_one(source + y * source_stride + x, source_stride,
                      prediction + y * prediction_stride + x, prediction_stride, blocks);
      blocks += 16;
    }
  }
}

void forward_walsh(const std::int16_t* blocks, std::int16_t* block) {
  int rows[16];
  for (int y = 0; y < 4; ++y) {
    const std::int16_t* in = blocks + 4 * y * 16;
    const int a = in[0] + in[48];
    const int b = in[16] + in[32];
    const int c = in[16] - in[32];
    const int d = in[0] - in[48];
    rows[4 * y] = a + b;
    rows[4 * y + 1] = c + d;
    rows[4 * y + 2] = a - b;
    rows[4 * y + 3] = d - c;
  }
  for (int x = 0; x < 4; ++x) {
    const int a = rows[x] + rows[12 + x];
    const int b = rows[4 + x] + rows[8 + x];
    const int c = rows[4 + x] - rows[8 + x];
    const int d = rows[x] - rows[12 + x];
    const int out[4] = {a + b, c + d, a - b, d - c};
    for (int i = 0; i < 4; ++i) {
      block[4 * i + x] = static_cast<std::int16_t>((out[i] + (out[i] < 0) + 1) >> 1);
    }
  }
}

std::uint32_t quantize(const std::int16_t* blocks, int count, const Quantizer& quantizer,
                       std::int16_t* values, std::uint16_t* nonzero) {
  std::uint32_t any = 0;
  for (int block = 0; block < count; ++block) {
    nonzero[block] = 0;
    for (int i = 0; i < 16; ++i) {
      const int coefficient = blocks[16 * block + i];
      const int kind = i > 0;
      const auto sum = static_cast<std::uint32_t>(
          clamp_int(std::abs(coefficient) + quantizer.rounding[kind], 0, 65535));
      const int level =
          clamp_int(static_cast<int>((sum * quantizer.reciprocal[kind]) >> 16), 0, 2047);
      values[16 * block + i] = wrap(coefficient < 0 ? -level : level);
      if (level != 0) nonzero[block] = static_cast<std::uint16_t>(nonzero[block] | 1 << i);
    }
    any |= static_cast<std::uint32_t>(nonzero[block] != 0) << block;
  }
  return any;
}

}  // namespace

void install_reference_transforms(Kernels& table) {
  table.dequantize_inverse_dct_add[0] = dequantize_inverse_dct_add<1>;
  table.dequantize_inverse_dct_add[1] = dequantize_inverse_dct_add<2>;
  table.dequantize_inverse_dct_add[2] = dequantize_inverse_dct_add<4>;
  table.inverse_dct_dc_add[0] = inverse_dct_dc_add<1>;
  table.inverse_dct_dc_add[1] = inverse_dct_dc_add<2>;
  table.inverse_dct_dc_add[2] = inverse_dct_dc_add<4>;
  table.dequantize_inverse_walsh = dequantize_inverse_walsh;
  table.forward_dct[0] = forward_dct<4>;
  table.forward_dct[1] = forward_dct<8>;
  table.forward_dct[2] = forward_dct<16>;
  table.forward_walsh = forward_walsh;
  table.quantize = quantize;
}

}  // namespace vp8
