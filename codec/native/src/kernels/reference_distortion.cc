// Block differences for the encoder's decisions, plain.
#include <cstdlib>

#include "kernels/kernels.h"

namespace vp8 {
namespace {

template <int Size>
int sad(const std::uint8_t* a, std::ptrdiff_t a_stride, const std::uint8_t* b,
        std::ptrdiff_t b_stride) {
  int sum = 0;
  for (int y = 0; y < Size; ++y) {
    for (int x = 0; x < Size; ++x) sum += std::abs(a[y * a_stride + x] - b[y * b_stride + x]);
  }
  return sum;
}

template <int Size>
int sse(const std::uint8_t* a, std::ptrdiff_t a_stride, const std::uint8_t* b,
        std::ptrdiff_t b_stride) {
  int sum = 0;
  for (int y = 0; y < Size; ++y) {
    for (int x = 0; x < Size; ++x) {
      const int difference = a[y * a_stride + x] - b[y * b_stride + x];
      sum += difference * difference;
    }
  }
  return sum;
}

int hadamard4x4(const std::uint8_t* a, std::ptrdiff_t a_stride, const std::uint8_t* b,
                std::ptrdiff_t b_stride) {
  int rows[16];
  for (int y = 0; y < 4; ++y) {
    const std::uint8_t* p = a + y * a_stride;
    const std::uint8_t* q = b + y * b_stride;
    const int d0 = p[0] - q[0];
    const int d1 = p[1] - q[1];
    const int d2 = p[2] - q[2];
    const int d3 = p[3] - q[3];
    rows[4 * y] = d0 + d1 + d2 + d3;
    rows[4 * y + 1] = d0 - d1 + d2 - d3;
    rows[4 * y + 2] = d0 + d1 - d2 - d3;
    rows[4 * y + 3] = d0 - d1 - d2 + d3;
  }
  int sum = 0;
  for (int x = 0; x < 4; ++x) {
    const int r0 = rows[x];
    const int r1 = rows[4 + x];
    const int r2 = rows[8 + x];
    const int r3 = rows[12 + x];
    sum += std::abs(r0 + r1 + r2 + r3) + std::abs(r0 - r1 + r2 - r3) + std::abs(r0 + r1 - r2 - r3) +
           std::abs(r0 - r1 - r2 + r3);
  }
  return sum;
}

template <int Size>
int satd(const std::uint8_t* a, std::ptrdiff_t a_stride, const std::uint8_t* b,
         std::ptrdiff_t b_stride) {
  int sum = 0;
  for (int y = 0; y < Size; y += 4) {
    for (int x = 0; x < Size; x += 4) {
      sum += hadamard4x4(a + y * a_stride + x, a_stride, b + y * b_stride + x, b_stride);
    }
  }
  return sum >> 1;
}

template <int Size>
void sad_many(const std::uint8_t* source, std::ptrdiff_t source_stride,
              const std::uint8_t* const* others, std::ptrdiff_t stride, int count, int* sads) {
  for (int i = 0; i < count; ++i) sads[i] = sad<Size>(source, source_stride, others[i], stride);
}

void satd_many(const std::uint8_t* source, std::ptrdiff_t source_stride,
               const std::uint8_t (*predictions)[16], int count, int* satds) {
  for (int i = 0; i < count; ++i) satds[i] = satd<4>(source, source_stride, predictions[i], 4);
}

void sum_and_squares(const std::uint8_t* pixels, std::ptrdiff_t stride, std::uint32_t* sum,
                     std::uint32_t* squares) {
  *sum = 0;
  *squares = 0;
  for (int y = 0; y < 16; ++y) {
    for (int x = 0; x < 16; ++x) {
      const std::uint32_t pixel = pixels[y * stride + x];
      *sum += pixel;
      *squares += pixel * pixel;
    }
  }
}

}  // namespace

void install_reference_distortion(Kernels& table) {
  table.sad[0] = sad<4>;
  table.sad[1] = sad<8>;
  table.sad[2] = sad<16>;
  table.sse[0] = sse<4>;
  table.sse[1] = sse<8>;
  table.sse[2] = sse<16>;
  table.satd[0] = satd<4>;
  table.satd[1] = satd<8>;
  table.satd[2] = satd<16>;
  table.sad_many[0] = sad_many<4>;
  table.sad_many[1] = sad_many<8>;
  table.sad_many[2] = sad_many<16>;
  table.satd_many = satd_many;
  table.sum_and_squares = sum_and_squares;
}

}  // namespace vp8
