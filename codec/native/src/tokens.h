// DCT tokens (RFC 6386, section 13): how quantised coefficients are read,
// written and counted.
#pragma once

#include <algorithm>
#include <bit>

#include "bool_decoder.h"
#include "tables.h"
#include "types.h"

namespace vp8 {

using BlockProbabilities = std::array<std::array<std::array<Probability, 11>, 3>, 8>;

// Blocks of a macroblock: 16 Y, 4 U, 4 V, then Y2.
constexpr int kBlocksPerMacroblock = 25;
constexpr int kY2Block = 24;

// The quantised coefficients of a macroblock, each block in raster order.
struct MacroblockCoefficients {
  alignas(32) std::int16_t values[kBlocksPerMacroblock][16];
  // One past the last coded position in zigzag order; the first position where
  // nothing is coded.
  std::uint8_t ends[kBlocksPerMacroblock];

  void clear() { *this = {}; }
};

// Which blocks next to a macroblock had tokens: 4 Y, 2 U, 2 V, Y2.
struct TokenContext {
  std::uint8_t flags[9] = {};

  // A macroblock without tokens leaves a Y2 flag alone if it has no Y2.
  void clear(bool has_y2) {
    const std::uint8_t y2 = flags[8];
    *this = {};
    if (!has_y2) flags[8] = y2;
  }
};

// Reads the tokens of a macroblock into `coefficients`, whose values are zero, and
// brings the contexts up to date. Returns whether any block has tokens.
bool read_macroblock_tokens(BoolDecoder& partition, const CoefficientProbabilities& probabilities,
                            bool has_y2, TokenContext& above, TokenContext& left,
                            MacroblockCoefficients& coefficients);

// Index of the DCT category of a magnitude of at least 5.
inline int dct_category(int magnitude) {
  int category = kDctCategories - 1;
  while (magnitude < kDctCategoryBase[category]) --category;
  return category;
}

// The context the next token sees after a coefficient of this magnitude.
inline int token_context_after(int magnitude) { return std::min(magnitude, 2); }

constexpr int kMaxCoefficient = 2048 + 66;  // DCT_CAT6 has 11 extra bits

// Walks the decisions that code one block. Calls
//   sink.branch(band, context, node, bit)  for each coded tree node
//   sink.extra(bit, probability)           for extra bits and signs
template <typename Sink>
void walk_block_tokens(const std::int16_t* values, int end, int first, int context, Sink&& sink) {
  bool after_zero = false;
  for (int i = first; i < 16; ++i) {
    const int band = kCoefficientBands[i];
    if (i == end) {
      sink.branch(band, context, 0, false);  // end of block
      return;
    }
    const int value = values[kZigzag[i]];
    const int magnitude = value < 0 ? -value : value;
    // A zero is never the last token, so nothing can end after it.
    if (!after_zero) sink.branch(band, context, 0, true);
    sink.branch(band, context, 1, magnitude != 0);
    after_zero = magnitude == 0;
    if (magnitude != 0) {
      sink.branch(band, context, 2, magnitude > 1);
      if (magnitude > 1) {
        sink.branch(band, context, 3, magnitude > 4);
        if (magnitude <= 4) {
          sink.branch(band, context, 4, magnitude > 2);
          if (magnitude > 2) sink.branch(band, context, 5, magnitude == 4);
        } else {
          const int category = dct_category(magnitude);
          sink.branch(band, context, 6, category >= 2);
          if (category < 2) {
            sink.branch(band, context, 7, category == 1);
          } else {
            sink.branch(band, context, 8, category >= 4);
            sink.branch(band, context, category >= 4 ? 10 : 9, (category & 1) != 0);
          }
          const int extra = magnitude - kDctCategoryBase[category];
          const int bits = kDctCategoryBits[category];
          for (int b = 0; b < bits; ++b) {
            sink.extra((extra >> (bits - 1 - b)) & 1, kDctCategoryProbabilities[category][b]);
          }
        }
      }
      sink.extra(value < 0, 128);
    }
    context = token_context_after(magnitude);
  }
}

// Visits the coded blocks of a macroblock in bitstream order, with the contexts
// kept up to date: visit(block type, block index, first position, context) must
// return whether the block has tokens.
template <typename Visit>
void for_each_block(bool has_y2, TokenContext& above, TokenContext& left, Visit&& visit) {
  const auto one = [&](BlockType type, int block, int first, std::uint8_t& a, std::uint8_t& l) {
    a = l = visit(type, block, first, a + l) ? 1 : 0;
  };
  if (has_y2) one(kY2, kY2Block, 0, above.flags[8], left.flags[8]);
  const BlockType luma = has_y2 ? kYAfterY2 : kYWithDc;
  const int first = has_y2 ? 1 : 0;
  for (int i = 0; i < 16; ++i) one(luma, i, first, above.flags[i & 3], left.flags[i >> 2]);
  for (int plane = 0; plane < 2; ++plane) {
    for (int i = 0; i < 4; ++i) {
      const int base = 4 + 2 * plane;
      one(kChroma, 16 + 4 * plane + i, 0, above.flags[base + (i & 1)], left.flags[base + (i >> 1)]);
    }
  }
}

}  // namespace vp8
