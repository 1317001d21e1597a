#include "residue_coder.h"

#include <algorithm>

#include "kernels/kernels.h"

namespace vp8 {

Cost ResidueCoder::code_block(BlockType type, const BlockQuantizer& quantizer, int index, int first,
                              const std::int16_t* transformed, std::uint8_t& above,
                              std::uint8_t& left, MacroblockCoefficients& coefficients) const {
  const ResidueBlock block{transformed, quantizer, type, first, above + left};
  const Cost cost = quantize_block(block, rates, lagrangian, coefficients.values[index],
                                   &coefficients.ends[index]);
  above = left = coefficients.ends[index] > first ? 1 : 0;
  return cost;
}

Cost ResidueCoder::code_luma(bool has_y2, const MacroblockPixels& source,
                             const MacroblockPixels& prediction, TokenContext& above,
                             TokenContext& left, MacroblockCoefficients& coefficients) const {
  alignas(32) std::int16_t transformed[16][16];
  for (int row = 0; row < 4; ++row) {
    kernels().forward_dct[2](source.pixels[0] + 4 * row * source.stride[0], source.stride[0],
                             prediction.pixels[0] + 4 * row * prediction.stride[0],
                             prediction.stride[0], transformed[4 * row]);
  }
  Cost cost = 0;
  if (has_y2) {
    std::int16_t dc[16];
    std::int16_t y2[16];
    for (int i = 0; i < 16; ++i) {
      dc[i] = transformed[i][0];
      transformed[i][0] = 0;
    }
    kernels().forward_walsh(dc, y2);
    cost += code_block(kY2, quantizers.y2, kY2Block, 0, y2, above.flags[8], left.flags[8],
                       coefficients);
  } else {
    std::fill_n(coefficients.values[kY2Block], 16, std::int16_t{0});
    coefficients.ends[kY2Block] = 0;
  }
  const BlockType type = has_y2 ? kYAfterY2 : kYWithDc;
  for (int i = 0; i < 16; ++i) {
    cost += code_block(type, quantizers.y, i, has_y2 ? 1 : 0, transformed[i], above.flags[i & 3],
                       left.flags[i >> 2], coefficients);
  }
  return cost;
}

Cost ResidueCoder::code_chroma(const MacroblockPixels& source, const MacroblockPixels& prediction,
                               TokenContext& above, TokenContext& left,
                               MacroblockCoefficients& coefficients) const {
  Cost cost = 0;
  for (int i = 0; i < 8; i += 2) {
    const int plane = 1 + i / 4;
    const int y = (i >> 1) & 1;
    alignas(32) std::int16_t transformed[2][16];
    kernels().forward_dct[1](source.pixels[plane] + 4 * y * source.stride[plane],
                             source.stride[plane],
                             prediction.pixels[plane] + 4 * y * prediction.stride[plane],
                             prediction.stride[plane], transformed[0]);
    const int flags = 2 + 2 * plane;
    for (int x = 0; x < 2; ++x) {
      cost += code_block(kChroma, quantizers.uv, 16 + i + x, 0, transformed[x],
                         above.flags[flags + x], left.flags[flags + y], coefficients);
    }
  }
  return cost;
}

Cost ResidueCoder::code_subblock(int subblock, const std::uint8_t* source,
                                 std::ptrdiff_t source_stride, const std::uint8_t* prediction,
                                 std::ptrdiff_t prediction_stride, TokenContext& above,
                                 TokenContext& left, MacroblockCoefficients& coefficients) const {
  alignas(32) std::int16_t transformed[16];
  kernels().forward_dct[0](source, source_stride, prediction, prediction_stride, transformed);
  return code_block(kYWithDc, quantizers.y, subblock, 0, transformed, above.flags[subblock & 3],
                    left.flags[subblock >> 2], coefficients);
}

bool has_tokens(bool has_y2, const MacroblockCoefficients& coefficients) {
  const int first = has_y2 ? 1 : 0;
  for (int i = 0; i < 16; ++i) {
    if (coefficients.ends[i] > first) return true;
  }
  for (int i = 16; i < kY2Block; ++i) {
    if (coefficients.ends[i] > 0) return true;
  }
  return has_y2 && coefficients.ends[kY2Block] > 0;
}

}  // namespace vp8
