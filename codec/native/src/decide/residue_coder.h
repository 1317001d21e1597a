// Coding what prediction missed: transform, quantise and weigh one macroblock.
#pragma once

#include "bitstream/tokens.h"
#include "decide/rate_distortion.h"
#include "picture/inter_prediction.h"
#include "picture/quantization.h"

namespace vp8 {

// The quantizers of one segment.
struct SegmentQuantizers {
  explicit SegmentQuantizers(const QuantizerSteps& steps)
      : y(steps.y), y_after_y2(y.without_dc()), y2(steps.y2), uv(steps.uv) {}

  BlockQuantizer y, y_after_y2, y2, uv;
};

// What stays the same while a macroblock's candidates are compared.
//
// Each function codes `source - prediction` into `coefficients`, updates the contexts and
// returns the cost less the distortion of coding nothing.
struct ResidueCoder {
  const TokenRates& rates;
  const Lagrangian& lagrangian;
  const SegmentQuantizers& quantizers;
  // Chroma that differs by less than so many quantizer steps in all is not coded.
  int chroma_steps = 0;

  Cost code_luma(bool has_y2, const MacroblockPixels& source, const MacroblockPixels& prediction,
                 TokenContext& above, TokenContext& left,
                 MacroblockCoefficients& coefficients) const;
  Cost code_chroma(const MacroblockPixels& source, const MacroblockPixels& prediction,
                   TokenContext& above, TokenContext& left,
                   MacroblockCoefficients& coefficients) const;
  // One luma subblock of a B_PRED macroblock, whose DC is coded in place.
  Cost code_subblock(int subblock, const std::uint8_t* source, std::ptrdiff_t source_stride,
                     const std::uint8_t* prediction, std::ptrdiff_t prediction_stride,
                     TokenContext& above, TokenContext& left,
                     MacroblockCoefficients& coefficients) const;

 private:
  // `nonzero`: bits of the levels that did not round to zero. `above` and `left`:
  // whether the neighbours have tokens, and then whether this one has.
  Cost code_block(const ResidueBlock& block, std::uint32_t nonzero, int index, std::uint8_t& above,
                  std::uint8_t& left, MacroblockCoefficients& coefficients) const;
  // Code nothing, or the residue, of `Size` x `Size` blocks from `index` on.
  template <int Size>
  Cost code_nothing(BlockType type, int index, int first, std::uint8_t* above, std::uint8_t* left,
                    MacroblockCoefficients& coefficients) const;
  template <int Size>
  Cost code_square(BlockType type, const BlockQuantizer& quantizer, int index, int first,
                   const std::int16_t (*transformed)[16], std::uint8_t* above, std::uint8_t* left,
                   MacroblockCoefficients& coefficients) const;
};

// Whether any block has tokens.
bool has_tokens(bool has_y2, const MacroblockCoefficients& coefficients);

}  // namespace vp8
