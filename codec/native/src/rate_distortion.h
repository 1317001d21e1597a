// What choices cost: bits from the tables in force, squared error, and the
// Lagrangian sum of both.
//
// Costs are integers, so that a decision is the same on every machine. Rates are
// in 256ths of a bit; distortions in 16ths of a squared pixel difference.
#pragma once

#include <cstdint>

#include "quantization.h"
#include "tables.h"
#include "tokens.h"
#include "types.h"

namespace vp8 {

using Rate = std::int32_t;
using Cost = std::int64_t;

inline Rate bit_rate(bool bit, Probability probability) {
  return kBitCost[bit ? 256 - probability : probability];
}

// A writer that only adds up.
class RateCounter {
 public:
  void write(bool bit, Probability probability) { rate_ += bit_rate(bit, probability); }
  Rate rate() const { return rate_; }

 private:
  Rate rate_ = 0;
};

// How many squared differences a bit is worth, for a luma AC step.
struct Lagrangian {
  explicit Lagrangian(int y_ac_step);

  // The same with a bit worth numerator / denominator times as much.
  Lagrangian scaled(std::int64_t numerator, std::int64_t denominator) const;

  Cost cost(std::int64_t distortion, Rate rate) const { return (distortion << 8) + scale * rate; }
  // For sums of absolute differences; in their units times 256.
  Cost absolute_cost(int difference, Rate rate) const {
    return (static_cast<Cost>(difference) << 8) + ((absolute_scale * rate) >> 8);
  }

  std::int64_t scale;
  std::int64_t absolute_scale;
};

// Rates of whole tokens, from one set of probabilities.
class TokenRates {
 public:
  explicit TokenRates(const CoefficientProbabilities& probabilities);

  // Of a coefficient of this magnitude, its sign and extra bits included.
  Rate of_magnitude(BlockType type, int band, int context, bool after_zero, int magnitude) const;
  Rate of_end(BlockType type, int band, int context) const { return end_[type][band][context]; }
  // Of a whole block's tokens.
  Rate of_block(BlockType type, int first, int context, const std::int16_t* values, int end) const;

 private:
  static constexpr int kTokens = 5 + kDctCategories;  // 0 to 4, then the categories
  std::uint16_t token_[kBlockTypes][8][3][kTokens];   // without the decision not to end
  std::uint16_t go_on_[kBlockTypes][8][3];            // the decision not to end
  std::uint16_t end_[kBlockTypes][8][3];
};

// A block of transformed residue, what it weighs and how it is coded.
struct ResidueBlock {
  const std::int16_t* coefficients;  // raster order
  const int* steps;                  // of the DC and of the ACs
  BlockType type;
  int first;    // first coded position
  int context;  // blocks with tokens to the left and above
};

// The distortion of coding nothing of a block.
std::int64_t zero_distortion(const ResidueBlock& block);

// The distortion of coding these quantised values.
std::int64_t block_distortion(const ResidueBlock& block, const std::int16_t* values);

// Finds the quantised values with the least cost by dynamic programming over
// zigzag position and token context. Writes `values` (raster order) and `end`;
// returns the cost, distortion included.
Cost quantize_block(const ResidueBlock& block, const TokenRates& rates,
                    const Lagrangian& lagrangian, std::int16_t* values, std::uint8_t* end);

}  // namespace vp8
