// The DCT and the Walsh-Hadamard transform (RFC 6386, section 14), plain.
#include "kernels/kernels.h"
#include "types.h"

namespace vp8 {
namespace {

// sqrt(2) * cos(pi / 8) - 1 and sqrt(2) * sin(pi / 8), in 65536ths.
constexpr int kCosine = 20091;
constexpr int kSine = 35468;

int times_cosine(int x) { return x + ((x * kCosine) >> 16); }
int times_sine(int x) { return (x * kSine) >> 16; }

void inverse_dct_add(const std::int16_t* block, std::uint8_t* pixels, std::ptrdiff_t stride) {
  int columns[16];
  for (int i = 0; i < 4; ++i) {
    const int a = block[i] + block[8 + i];
    const int b = block[i] - block[8 + i];
    const int c = times_sine(block[4 + i]) - times_cosine(block[12 + i]);
    const int d = times_cosine(block[4 + i]) + times_sine(block[12 + i]);
    columns[i] = a + d;
    columns[12 + i] = a - d;
    columns[4 + i] = b + c;
    columns[8 + i] = b - c;
  }
  for (int y = 0; y < 4; ++y) {
    const int* row = columns + 4 * y;
    const int a = row[0] + row[2];
    const int b = row[0] - row[2];
    const int c = times_sine(row[1]) - times_cosine(row[3]);
    const int d = times_cosine(row[1]) + times_sine(row[3]);
    std::uint8_t* out = pixels + y * stride;
    out[0] = clamp_pixel(out[0] + ((a + d + 4) >> 3));
    out[3] = clamp_pixel(out[3] + ((a - d + 4) >> 3));
    out[1] = clamp_pixel(out[1] + ((b + c + 4) >> 3));
    out[2] = clamp_pixel(out[2] + ((b - c + 4) >> 3));
  }
}

void inverse_dct_dc_add(int dc, std::uint8_t* pixels, std::ptrdiff_t stride) {
  const int value = (dc + 4) >> 3;
  for (int y = 0; y < 4; ++y) {
    for (int x = 0; x < 4; ++x) {
      pixels[y * stride + x] = clamp_pixel(pixels[y * stride + x] + value);
    }
  }
}

void inverse_walsh(const std::int16_t* block, std::int16_t* dc_of_16_blocks) {
  int columns[16];
  for (int i = 0; i < 4; ++i) {
    const int a = block[i] + block[12 + i];
    const int b = block[4 + i] + block[8 + i];
    const int c = block[4 + i] - block[8 + i];
    const int d = block[i] - block[12 + i];
    columns[i] = a + b;
    columns[4 + i] = c + d;
    columns[8 + i] = a - b;
    columns[12 + i] = d - c;
  }
  for (int y = 0; y < 4; ++y) {
    const int* row = columns + 4 * y;
    const int a = row[0] + row[3];
    const int b = row[1] + row[2];
    const int c = row[1] - row[2];
    const int d = row[0] - row[3];
    std::int16_t* out = dc_of_16_blocks + 4 * y;
    out[0] = static_cast<std::int16_t>((a + b + 3) >> 3);
    out[1] = static_cast<std::int16_t>((c + d + 3) >> 3);
    out[2] = static_cast<std::int16_t>((a - b + 3) >> 3);
    out[3] = static_cast<std::int16_t>((d - c + 3) >> 3);
  }
}

// The inverse's transpose in 12-bit fixed point: a constant block of value v
// has a DC of 8 v, and sums of squares grow fourfold.
void forward_dct(const std::uint8_t* source, std::ptrdiff_t source_stride,
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

void forward_walsh(const std::int16_t* dc_of_16_blocks, std::int16_t* block) {
  int rows[16];
  for (int y = 0; y < 4; ++y) {
    const std::int16_t* in = dc_of_16_blocks + 4 * y;
    const int a = in[0] + in[3];
    const int b = in[1] + in[2];
    const int c = in[1] - in[2];
    const int d = in[0] - in[3];
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

}  // namespace

void install_reference_transforms(Kernels& table) {
  table.inverse_dct_add = inverse_dct_add;
  table.inverse_dct_dc_add = inverse_dct_dc_add;
  table.inverse_walsh = inverse_walsh;
  table.forward_dct = forward_dct;
  table.forward_walsh = forward_walsh;
}

}  // namespace vp8
