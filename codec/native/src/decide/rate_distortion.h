// The costs of choices: bits by the tables in force, squared error, and the Lagrangian sum
// of both.
//
// Costs are integers, so that a decision is the same on every machine. Rates are
// in 256ths of a bit; distortions in 16ths of a squared pixel difference.
#pragma once

#include <cstdint>
#include <limits>

#include "bitstream/tokens.h"
#include "common/tables.h"
#include "common/types.h"
#include "picture/quantization.h"

namespace vp8 {

using Rate = std::int32_t;
using Cost = std::int64_t;
inline constexpr Cost kNever = std::numeric_limits<Cost>::max();

inline Rate bit_rate(bool bit, Probability probability) {
  return kBitCost[bit ? 256 - probability : probability];
}

// A writer that only adds up rates.
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

  // The same with a bit worth `factor` / 65536 times as much; 1/4 to 4 times.
  Lagrangian scaled(std::int64_t factor) const;

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

  // Of the tokens at one position, by kind and with the sign, but without extra bits. Rows
  // 0, 1, 2: by context, with the decision not to end; row 3: after a zero, where that
  // decision is not coded and costs nothing.
  using Place = std::uint16_t[4][16];
  static constexpr int kAfterZero = 3;
  // One more column: the rate of ending there, which is prohibitive after a zero.
  static constexpr int kEnding = kTokenKinds;

  // By position; past the last position, the end costs nothing.
  const Place (&places(BlockType type) const)[17] { return places_[type]; }
  Rate of_end(BlockType type, int position, int context) const {
    return places_[type][position][context][kEndOfBlock];
  }
  // Of zeros after zeros at all positions before one.
  const Rate (&zeros(BlockType type) const)[17] { return zeros_[type]; }

 private:
  alignas(32) Place places_[kBlockTypes][17];
  Rate zeros_[kBlockTypes][17];
};

// How residue is divided by steps.
struct BlockQuantizer {
  explicit BlockQuantizer(const int* steps);
  // The same without DCs, whose levels become zero.
  BlockQuantizer without_dc() const;

  int steps[2];       // of the DC and of the ACs
  Quantizer nearest;  // rounds to nearest, for the kernels
};

// A block of transformed residue and how it is coded.
struct ResidueBlock {
  const std::int16_t* coefficients;  // raster order; those before `first` do not matter
  const BlockQuantizer& quantizer;
  BlockType type;
  int first;    // first coded position
  int context;  // blocks with tokens to the left and above
};

// Chooses levels by rate and distortion, in one pass along the zigzag: each is the rounded
// level or one less, and the block ends where that is cheapest. (A search over all levels
// and contexts gains 0.1% of the bits and takes twice as long.) `values` (raster order)
// hold the rounded levels and become the chosen ones; `nonzero` has a bit for each rounded
// level that is not zero. Sets `end`. Returns the cost less the distortion of coding
// nothing.
Cost choose_levels(const ResidueBlock& block, std::uint32_t nonzero, const TokenRates& rates,
                   const Lagrangian& lagrangian, std::int16_t* values, std::uint8_t* end);

}  // namespace vp8
