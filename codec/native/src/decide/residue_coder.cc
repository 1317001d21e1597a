#include "decide/residue_coder.h"

#include <cstring>

#include "common/tables.h"
#include "kernels/kernels.h"

namespace vp8 {

Cost ResidueCoder::code_block(const ResidueBlock& block, std::uint32_t nonzero, int index,
                              std::uint8_t& above, std::uint8_t& left,
                              MacroblockCoefficients& coefficients) const {
  std::uint8_t& end = coefficients.ends[index];
  const Cost cost =
      choose_levels(block, nonzero, rates, lagrangian, coefficients.values[index], &end);
  above = left = end > block.first;
  return cost;
}

template <int Size>
Cost ResidueCoder::code_nothing(BlockType type, int index, int first, std::uint8_t* above,
                                std::uint8_t* left, MacroblockCoefficients& coefficients) const {
  const auto end_rate = [&](int context) { return rates.of_end(type, first, context); };
  // Inner blocks see no tokens around them.
  Rate rate = end_rate(above[0] + left[0]) + (Size - 1) * (Size - 1) * end_rate(0);
  for (int i = 1; i < Size; ++i) rate += end_rate(above[i]) + end_rate(left[i]);
  std::memset(coefficients.ends + index, first, Size * Size);
  std::memset(above, 0, Size);
  std::memset(left, 0, Size);
  return lagrangian.cost(0, rate);
}

template <int Size>
Cost ResidueCoder::code_square(BlockType type, const BlockQuantizer& quantizer, int index,
                               int first, const std::int16_t (*transformed)[16],
                               std::uint8_t* above, std::uint8_t* left,
                               MacroblockCoefficients& coefficients) const {
  constexpr int kCount = Size * Size;
  std::uint16_t nonzero[kCount];
  const std::uint32_t any = kernels().quantize(transformed[0], kCount, quantizer.nearest,
                                               coefficients.values[index], nonzero);
  if (any == 0) {
    // Y2's values are read even if the block ends at once.
    if (type == kY2) std::memset(coefficients.values[index], 0, sizeof coefficients.values[index]);
    return code_nothing<Size>(type, index, first, above, left, coefficients);
  }
  Cost cost = 0;
  for (int i = 0; i < kCount; ++i) {
    std::uint8_t& a = above[i % Size];
    std::uint8_t& l = left[i / Size];
    if ((any >> i & 1) != 0) {
      const ResidueBlock block{transformed[i], quantizer, type, first, a + l};
      cost += code_block(block, nonzero[i], index + i, a, l, coefficients);
    } else {
      cost += code_nothing<1>(type, index + i, first, &a, &l, coefficients);
    }
  }
  return cost;
}

Cost ResidueCoder::code_luma(bool has_y2, const MacroblockPixels& source,
                             const MacroblockPixels& prediction, TokenContext& above,
                             TokenContext& left, MacroblockCoefficients& coefficients) const {
  alignas(32) std::int16_t transformed[16][16];
  kernels().forward_dct[2](source.pixels[0], source.stride[0], prediction.pixels[0],
                           prediction.stride[0], transformed[0]);
  if (!has_y2) {
    return code_square<4>(kYWithDc, quantizers.y, 0, 0, transformed, above.flags, left.flags,
                          coefficients);
  }
  alignas(32) std::int16_t y2[1][16];
  kernels().forward_walsh(transformed[0], y2[0]);
  const Cost cost = code_square<1>(kY2, quantizers.y2, kY2Block, 0, y2, above.flags + 8,
                                   left.flags + 8, coefficients);
  return cost + code_square<4>(kYAfterY2, quantizers.y_after_y2, 0, 1, transformed, above.flags,
                               left.flags, coefficients);
}

Cost ResidueCoder::code_chroma(const MacroblockPixels& source, const MacroblockPixels& prediction,
                               TokenContext& above, TokenContext& left,
                               MacroblockCoefficients& coefficients) const {
  bool nothing = false;
  if (chroma_steps > 0) {
    int difference = 0;
    for (int plane = 1; plane < kPlanes; ++plane) {
      difference += kernels().sad[1](source.pixels[plane], source.stride[plane],
                                     prediction.pixels[plane], prediction.stride[plane]);
    }
    nothing = difference < chroma_steps * quantizers.uv.steps[1];
  }
  Cost cost = 0;
  for (int plane = 1; plane < kPlanes; ++plane) {
    const int flags = 2 + 2 * plane;
    const int index = 12 + 4 * plane;
    if (nothing) {
      cost +=
          code_nothing<2>(kChroma, index, 0, above.flags + flags, left.flags + flags, coefficients);
      continue;
    }
    alignas(32) std::int16_t transformed[4][16];
    kernels().forward_dct[1](source.pixels[plane], source.stride[plane], prediction.pixels[plane],
                             prediction.stride[plane], transformed[0]);
    cost += code_square<2>(kChroma, quantizers.uv, index, 0, transformed, above.flags + flags,
                           left.flags + flags, coefficients);
  }
  return cost;
}

Cost ResidueCoder::code_subblock(int subblock, const std::uint8_t* source,
                                 std::ptrdiff_t source_stride, const std::uint8_t* prediction,
                                 std::ptrdiff_t prediction_stride, TokenContext& above,
                                 TokenContext& left, MacroblockCoefficients& coefficients) const {
  alignas(32) std::int16_t transformed[1][16];
  kernels().forward_dct[0](source, source_stride, prediction, prediction_stride, transformed[0]);
  return code_square<1>(kYWithDc, quantizers.y, subblock, 0, transformed,
                        above.flags + (subblock & 3), left.flags + (subblock >> 2), coefficients);
}

bool has_tokens(bool has_y2, const MacroblockCoefficients& coefficients) {
  std::uint64_t ends[3];
  std::memcpy(ends, coefficients.ends, sizeof ends);
  // After a Y2, a luma block that ends at 1 has no tokens either.
  const std::uint64_t luma =
      (ends[0] | ends[1]) & (has_y2 ? ~std::uint64_t{0x0101010101010101} : ~std::uint64_t{0});
  return luma != 0 || ends[2] != 0 || (has_y2 && coefficients.ends[kY2Block] > 0);
}

}  // namespace vp8
