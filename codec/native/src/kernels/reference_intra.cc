// Intra prediction (RFC 6386, section 12), plain.
#include <cstring>

#include "common/types.h"
#include "kernels/kernels.h"

namespace vp8 {
namespace {

void fill(std::uint8_t* pixels, std::ptrdiff_t stride, int size, int value) {
  for (int y = 0; y < size; ++y) {
    std::memset(pixels + y * stride, value, static_cast<std::size_t>(size));
  }
}

template <int Size>
void predict_vertical(std::uint8_t* pixels, std::ptrdiff_t stride) {
  for (int y = 0; y < Size; ++y) std::memcpy(pixels + y * stride, pixels - stride, Size);
}

template <int Size>
void predict_horizontal(std::uint8_t* pixels, std::ptrdiff_t stride) {
  for (int y = 0; y < Size; ++y) {
    std::uint8_t* row = pixels + y * stride;
    std::memset(row, row[-1], Size);
  }
}

template <int Size>
void predict_true_motion(std::uint8_t* pixels, std::ptrdiff_t stride) {
  const std::uint8_t* above = pixels - stride;
  const int corner = above[-1];
  for (int y = 0; y < Size; ++y) {
    std::uint8_t* row = pixels + y * stride;
    const int offset = row[-1] - corner;
    for (int x = 0; x < Size; ++x) row[x] = clamp_pixel(above[x] + offset);
  }
}

template <int Size>
void predict_dc(std::uint8_t* pixels, std::ptrdiff_t stride, bool has_above, bool has_left) {
  int sum = 0;
  int count = 0;
  if (has_above) {
    for (int i = 0; i < Size; ++i) sum += pixels[i - stride];
    count += Size;
  }
  if (has_left) {
    for (int i = 0; i < Size; ++i) sum += pixels[i * stride - 1];
    count += Size;
  }
  fill(pixels, stride, Size, count == 0 ? 128 : (sum + count / 2) / count);
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

template <SubblockMode Mode>
void predict_subblock(const std::uint8_t* e, std::uint8_t* pixels, std::ptrdiff_t stride) {
  const std::uint8_t* above = e + 5;
  const auto left = [&](int y) { return e[3 - y]; };
  const auto smooth = [&](int i) { return average3(e[i - 1], e[i], e[i + 1]); };

  switch (Mode) {
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
      set_subblock(pixels, stride, [&](int x, int y) -> int {
        const int i = x + 2 * y;
        if (i > 5) return e[0];
        if (i == 5) return average3(e[1], e[0], e[0]);
        const int at = 3 - (i >> 1);
        return (i & 1) ? smooth(at - 1) : average2(e[at], e[at - 1]);
      });
      break;
  }
}

constexpr Kernels::PredictSubblock kPredictors[kSubblockModes] = {
    predict_subblock<B_DC_PRED>, predict_subblock<B_TM_PRED>, predict_subblock<B_VE_PRED>,
    predict_subblock<B_HE_PRED>, predict_subblock<B_LD_PRED>, predict_subblock<B_RD_PRED>,
    predict_subblock<B_VR_PRED>, predict_subblock<B_VL_PRED>, predict_subblock<B_HD_PRED>,
    predict_subblock<B_HU_PRED>,
};

void predict_all_subblocks(const std::uint8_t* edge, std::uint8_t (*predictions)[16]) {
  for (int mode = 0; mode < kSubblockModes; ++mode) kPredictors[mode](edge, predictions[mode], 4);
}

}  // namespace

void install_reference_intra(Kernels& table) {
  table.predict_vertical[0] = predict_vertical<8>;
  table.predict_vertical[1] = predict_vertical<16>;
  table.predict_horizontal[0] = predict_horizontal<8>;
  table.predict_horizontal[1] = predict_horizontal<16>;
  table.predict_true_motion[0] = predict_true_motion<8>;
  table.predict_true_motion[1] = predict_true_motion<16>;
  table.predict_dc[0] = predict_dc<8>;
  table.predict_dc[1] = predict_dc<16>;
  for (int mode = 0; mode < kSubblockModes; ++mode) {
    table.predict_subblock[mode] = kPredictors[mode];
  }
  table.predict_all_subblocks = predict_all_subblocks;
}

}  // namespace vp8
