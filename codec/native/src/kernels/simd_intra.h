// Intra prediction (RFC 6386, section 12) on vectors.
#pragma once

#include "kernels/vector128.h"

namespace vp8 {
namespace {

template <int Size>
inline u8x16 load_row(const std::uint8_t* pixels) {
  if constexpr (Size == 16) {
    return load_u8(pixels);
  } else {
    return load_u8_low(pixels);
  }
}

template <int Size>
inline void store_row(std::uint8_t* pixels, u8x16 row) {
  if constexpr (Size == 16) {
    store_u8(pixels, row);
  } else {
    store_u8_low(pixels, row);
  }
}

template <int Size>
inline void fill_square(std::uint8_t* pixels, std::ptrdiff_t stride, u8x16 row) {
  for (int y = 0; y < Size; ++y) store_row<Size>(pixels + y * stride, row);
}

template <int Size>
void predict_vertical_simd(std::uint8_t* pixels, std::ptrdiff_t stride) {
  fill_square<Size>(pixels, stride, load_row<Size>(pixels - stride));
}

template <int Size>
void predict_horizontal_simd(std::uint8_t* pixels, std::ptrdiff_t stride) {
  for (int y = 0; y < Size; ++y) {
    std::uint8_t* row = pixels + y * stride;
    store_row<Size>(row, splat_u8(row[-1]));
  }
}

template <int Size>
void predict_true_motion_simd(std::uint8_t* pixels, std::ptrdiff_t stride) {
  const u8x16 above = load_row<Size>(pixels - stride);
  const i16x8 low = widen_low(above);
  const i16x8 high = widen_high(above);
  const int corner = pixels[-stride - 1];
  for (int y = 0; y < Size; ++y) {
    std::uint8_t* row = pixels + y * stride;
    const i16x8 offset = splat_i16(row[-1] - corner);
    const i16x8 first = add_i16(low, offset);
    store_row<Size>(row, narrow(first, Size == 16 ? add_i16(high, offset) : first));
  }
}

template <int Size>
void predict_dc_simd(std::uint8_t* pixels, std::ptrdiff_t stride, bool has_above, bool has_left) {
  constexpr int kLog2Size = Size == 16 ? 4 : 3;
  int dc = 128;
  if (has_above || has_left) {
    int sum = 0;
    if (has_above) sum = total_of_bytes(add_bytes(no_sum(), load_row<Size>(pixels - stride)));
    if (has_left) {
      for (int y = 0; y < Size; ++y) sum += pixels[y * stride - 1];
    }
    const int shift = kLog2Size + (has_above && has_left ? 1 : 0);
    dc = (sum + (1 << (shift - 1))) >> shift;
  }
  fill_square<Size>(pixels, stride, splat_u8(dc));
}

// ---- subblocks ----

// (a + 2 * b + c + 2) >> 2: the mean of a and c rounds down, the other up.
inline u8x16 average_three(u8x16 a, u8x16 b, u8x16 c) {
  const u8x16 odd = bit_and(bit_xor(a, c), splat_u8(1));
  return average_u8(sub_u8(average_u8(a, c), odd), b);
}

alignas(16) constexpr std::uint8_t kFirstLane[16] = {255};
alignas(16) constexpr std::uint8_t kLane13[16] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255};
alignas(16) constexpr std::uint8_t kNextToSubblock[16] = {255, 255, 255, 255, 0,
                                                          255, 255, 255, 255};

// Every average that a subblock's predictors use. Lane i of `two`: of edge pixels
// i and i + 1; of `three`: around i, where both ends go on.
struct SubblockAverages {
  const std::uint8_t* pixels;
  u8x16 edge;
  u8x16 two;
  u8x16 three;

  explicit SubblockAverages(const std::uint8_t* pixels) : pixels(pixels), edge(load_u8(pixels)) {
    const u8x16 up = shift_up<1>(edge);
    const u8x16 lane13 = load_u8(kLane13);
    const u8x16 longer = bit_or(clear_where(edge, lane13), bit_and(up, lane13));
    const u8x16 before = bit_or(up, bit_and(edge, load_u8(kFirstLane)));
    const u8x16 after = shift_down<1>(longer);
    two = average_u8(edge, after);
    three = average_three(before, edge, after);
  }
};

inline void store_word(std::uint8_t* pixels, std::uint64_t word) {
  const auto low = static_cast<std::uint32_t>(word);
  std::memcpy(pixels, &low, sizeof low);
}

// Rows that are four bytes of one word, from byte `First` on and `Step` further
// each.
template <int First, int Step>
inline void store_sliding(std::uint8_t* pixels, std::ptrdiff_t stride, std::uint64_t word) {
  for (int y = 0; y < 4; ++y) store_word(pixels + y * stride, word >> (8 * (First + y * Step)));
}

template <SubblockMode Mode>
inline void predict_from(const SubblockAverages& averages, std::uint8_t* pixels,
                         std::ptrdiff_t stride) {
  const u8x16 three = averages.three;
  const u8x16 two = averages.two;
  constexpr std::uint64_t kEveryByte = 0x0101010101010101;
  if constexpr (Mode == B_DC_PRED) {
    const u8x16 around = bit_and(averages.edge, load_u8(kNextToSubblock));
    const int dc = (total_of_bytes(add_bytes(no_sum(), around)) + 4) >> 3;
    store_sliding<0, 0>(pixels, stride, kEveryByte * static_cast<std::uint64_t>(dc));
  } else if constexpr (Mode == B_TM_PRED) {
    const u8x16 edge = averages.edge;
    const u8x16 above = shift_down<5>(edge);
    const u8x16 above_twice = zip_low_u32(above, above);
    const u8x16 above_rows = join_low_u8(above_twice, above_twice);
    // The left column in the edge's order, from the bottom, each pixel four times.
    const i16x8 left_twice = as_i16(zip_low_u8(edge, edge));
    const u8x16 left = as_u8(zip_low_i16(left_twice, left_twice));
    const u8x16 corner = splat_u8(averages.pixels[4]);
    const u8x16 rows =
        sub_sat_u8(add_sat_u8(above_rows, sub_sat_u8(left, corner)), sub_sat_u8(corner, left));
    store_four_rows(pixels + 3 * stride, -stride, rows);
  } else if constexpr (Mode == B_VE_PRED) {
    store_sliding<0, 0>(pixels, stride, low_word(shift_down<5>(three)));
  } else if constexpr (Mode == B_HE_PRED) {
    const std::uint64_t word = low_word(three);
    for (int y = 0; y < 4; ++y) {
      store_word(pixels + y * stride, (word >> (8 * (3 - y)) & 255) * kEveryByte);
    }
  } else if constexpr (Mode == B_LD_PRED) {
    store_sliding<0, 1>(pixels, stride, low_word(shift_down<6>(three)));
  } else if constexpr (Mode == B_RD_PRED) {
    store_sliding<3, -1>(pixels, stride, low_word(shift_down<1>(three)));
  } else if constexpr (Mode == B_VR_PRED) {
    const std::uint64_t above = low_word(two) >> 32;
    const std::uint64_t smooth = low_word(three);
    store_word(pixels, above);
    store_word(pixels + stride, smooth >> 32);
    store_word(pixels + 2 * stride, above << 8 | (smooth >> 24 & 255));
    store_word(pixels + 3 * stride, smooth >> 32 << 8 | (smooth >> 16 & 255));
  } else if constexpr (Mode == B_VL_PRED) {
    const std::uint64_t above = low_word(shift_down<5>(two));
    const std::uint64_t smooth = low_word(shift_down<6>(three));
    store_word(pixels, above);
    store_word(pixels + stride, smooth);
    // The last column of the lower rows leaves the pattern.
    store_word(pixels + 2 * stride, (above >> 8 & 0xffffff) | (smooth >> 32 & 255) << 24);
    store_word(pixels + 3 * stride, (smooth >> 8 & 0xffffff) | (smooth >> 40 & 255) << 24);
  } else if constexpr (Mode == B_HD_PRED) {
    const std::uint64_t turns = low_word(zip_low_u8(two, shift_down<1>(three)));
    const std::uint64_t smooth = low_word(three) >> 40;
    store_word(pixels, turns >> 48 | smooth << 16);
    store_word(pixels + stride, turns >> 32);
    store_word(pixels + 2 * stride, turns >> 16);
    store_word(pixels + 3 * stride, turns);
  } else {
    static_assert(Mode == B_HU_PRED);
    // Down the left column, so against the edge's order: two, three, two, three ...
    const std::uint64_t up = low_word(zip_low_u8(three, two));
    const std::uint64_t last = averages.pixels[0] * kEveryByte;
    const std::uint64_t down = __builtin_bswap64(up) >> 16 | last << 48;
    store_word(pixels, down);
    store_word(pixels + stride, down >> 16);
    store_word(pixels + 2 * stride, down >> 32);
    store_word(pixels + 3 * stride, last);
  }
}

template <SubblockMode Mode>
void predict_subblock_simd(const std::uint8_t* edge, std::uint8_t* pixels, std::ptrdiff_t stride) {
  predict_from<Mode>(SubblockAverages(edge), pixels, stride);
}

inline void predict_all_subblocks_simd(const std::uint8_t* edge, std::uint8_t (*predictions)[16]) {
  const SubblockAverages averages(edge);
  predict_from<B_DC_PRED>(averages, predictions[B_DC_PRED], 4);
  predict_from<B_TM_PRED>(averages, predictions[B_TM_PRED], 4);
  predict_from<B_VE_PRED>(averages, predictions[B_VE_PRED], 4);
  predict_from<B_HE_PRED>(averages, predictions[B_HE_PRED], 4);
  predict_from<B_LD_PRED>(averages, predictions[B_LD_PRED], 4);
  predict_from<B_RD_PRED>(averages, predictions[B_RD_PRED], 4);
  predict_from<B_VR_PRED>(averages, predictions[B_VR_PRED], 4);
  predict_from<B_VL_PRED>(averages, predictions[B_VL_PRED], 4);
  predict_from<B_HD_PRED>(averages, predictions[B_HD_PRED], 4);
  predict_from<B_HU_PRED>(averages, predictions[B_HU_PRED], 4);
}

inline void install_simd_intra(Kernels& table) {
  table.predict_vertical[0] = predict_vertical_simd<8>;
  table.predict_vertical[1] = predict_vertical_simd<16>;
  table.predict_horizontal[0] = predict_horizontal_simd<8>;
  table.predict_horizontal[1] = predict_horizontal_simd<16>;
  table.predict_true_motion[0] = predict_true_motion_simd<8>;
  table.predict_true_motion[1] = predict_true_motion_simd<16>;
  table.predict_dc[0] = predict_dc_simd<8>;
  table.predict_dc[1] = predict_dc_simd<16>;
  table.predict_subblock[B_DC_PRED] = predict_subblock_simd<B_DC_PRED>;
  table.predict_subblock[B_TM_PRED] = predict_subblock_simd<B_TM_PRED>;
  table.predict_subblock[B_VE_PRED] = predict_subblock_simd<B_VE_PRED>;
  table.predict_subblock[B_HE_PRED] = predict_subblock_simd<B_HE_PRED>;
  table.predict_subblock[B_LD_PRED] = predict_subblock_simd<B_LD_PRED>;
  table.predict_subblock[B_RD_PRED] = predict_subblock_simd<B_RD_PRED>;
  table.predict_subblock[B_VR_PRED] = predict_subblock_simd<B_VR_PRED>;
  table.predict_subblock[B_VL_PRED] = predict_subblock_simd<B_VL_PRED>;
  table.predict_subblock[B_HD_PRED] = predict_subblock_simd<B_HD_PRED>;
  table.predict_subblock[B_HU_PRED] = predict_subblock_simd<B_HU_PRED>;
  table.predict_all_subblocks = predict_all_subblocks_simd;
}

}  // namespace
}  // namespace vp8
