// Coding what prediction missed: transform, quantise and weigh one macroblock.
#pragma once

#include "inter_prediction.h"
#include "quantization.h"
#include "rate_distortion.h"
#include "tokens.h"

namespace vp8 {

// Luma or chroma of a macroblock, coded: its cost, and the cost of coding nothing.
struct ResidueCost {
  Cost coded = 0;
  Cost uncoded = 0;

  ResidueCost& operator+=(const ResidueCost& other) {
    coded += other.coded;
    uncoded += other.uncoded;
    return *this;
  }
};

// Everything that stays the same while a macroblock's candidates are compared.
struct ResidueCoder {
  const TokenRates& rates;
  const Lagrangian& lagrangian;
  const QuantizerSteps& steps;
  // Coefficients to prefer where they cost no more; may be null.
  const MacroblockCoefficients* hint = nullptr;

  // Each codes `source - prediction` into `coefficients` and brings the contexts
  // up to date.
  ResidueCost code_luma(bool has_y2, const MacroblockPixels& source,
                        const MacroblockPixels& prediction, TokenContext& above, TokenContext& left,
                        MacroblockCoefficients& coefficients) const;
  ResidueCost code_chroma(const MacroblockPixels& source, const MacroblockPixels& prediction,
                          TokenContext& above, TokenContext& left,
                          MacroblockCoefficients& coefficients) const;
  // One luma subblock of a B_PRED macroblock, whose DC is coded in place.
  ResidueCost code_subblock(int subblock, const std::uint8_t* source, std::ptrdiff_t source_stride,
                            const std::uint8_t* prediction, std::ptrdiff_t prediction_stride,
                            TokenContext& above, TokenContext& left,
                            MacroblockCoefficients& coefficients) const;

 private:
  ResidueCost code_block(BlockType type, int index, int first, const std::int16_t* transformed,
                         std::uint8_t& above, std::uint8_t& left,
                         MacroblockCoefficients& coefficients) const;
};

// True where any block has tokens.
bool has_tokens(bool has_y2, const MacroblockCoefficients& coefficients);

}  // namespace vp8
