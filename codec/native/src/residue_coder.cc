#include "residue_coder.h"

#include <algorithm>
#include <cstring>

#include "kernels/kernels.h"
#include "tables.h"

namespace vp8 {

namespace {

std::uint32_t significant_blocks(const std::int16_t (*blocks)[16], int count,
                                 const BlockQuantizer& quantizer) {
  return kernels().significant(blocks[0], count, quantizer.least[0], quantizer.least[1]);
}

}  // namespace

Cost ResidueCoder::code_block(BlockType type, const BlockQuantizer& quantizer, int index, int first,
                              const std::int16_t* transformed, bool significant,
                              std::uint8_t& above, std::uint8_t& left,
                              MacroblockCoefficients& coefficients) const {
  const int context = above + left;
  if (!significant) {
    std::memset(coefficients.values[index], 0, sizeof coefficients.values[index]);
    coefficients.ends[index] = static_cast<std::uint8_t>(first);
    above = left = 0;
    return lagrangian.cost(0, rates.of_end(type, kCoefficientBands[first], context));
  }
  const ResidueBlock block{transformed, quantizer, type, first, context};
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
    cost += code_block(kY2, quantizers.y2, kY2Block, 0, y2, true, above.flags[8], left.flags[8],
                       coefficients);
  } else {
    std::fill_n(coefficients.values[kY2Block], 16, std::int16_t{0});
    coefficients.ends[kY2Block] = 0;
  }
  const BlockType type = has_y2 ? kYAfterY2 : kYWithDc;
  const std::uint32_t significant = significant_blocks(transformed, 16, quantizers.y);
  for (int i = 0; i < 16; ++i) {
    cost +=
        code_block(type, quantizers.y, i, has_y2 ? 1 : 0, transformed[i], (significant >> i) & 1,
                   above.flags[i & 3], left.flags[i >> 2], coefficients);
  }
  return cost;
}

Cost ResidueCoder::code_chroma(const MacroblockPixels& source, const MacroblockPixels& prediction,
                               TokenContext& above, TokenContext& left,
                               MacroblockCoefficients& coefficients) const {
  alignas(32) std::int16_t transformed[8][16];
  for (int i = 0; i < 8; i += 2) {
    const int plane = 1 + i / 4;
    const std::ptrdiff_t y = 4 * ((i >> 1) & 1);
    kernels().forward_dct[1](source.pixels[plane] + y * source.stride[plane], source.stride[plane],
                             prediction.pixels[plane] + y * prediction.stride[plane],
                             prediction.stride[plane], transformed[i]);
  }
  const std::uint32_t significant = significant_blocks(transformed, 8, quantizers.uv);
  Cost cost = 0;
  for (int i = 0; i < 8; ++i) {
    const int flags = i < 4 ? 4 : 6;
    cost +=
        code_block(kChroma, quantizers.uv, 16 + i, 0, transformed[i], (significant >> i) & 1,
                   above.flags[flags + (i & 1)], left.flags[flags + ((i >> 1) & 1)], coefficients);
  }
  return cost;
}

Cost ResidueCoder::code_subblock(int subblock, const std::uint8_t* source,
                                 std::ptrdiff_t source_stride, const std::uint8_t* prediction,
                                 std::ptrdiff_t prediction_stride, TokenContext& above,
                                 TokenContext& left, MacroblockCoefficients& coefficients) const {
  alignas(32) std::int16_t transformed[16];
  kernels().forward_dct[0](source, source_stride, prediction, prediction_stride, transformed);
  return code_block(kYWithDc, quantizers.y, subblock, 0, transformed, true,
                    above.flags[subblock & 3], left.flags[subblock >> 2], coefficients);
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
