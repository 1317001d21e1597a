// DCT tokens (RFC 6386, section 13): how quantised coefficients are read,
// written and counted.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>

#include "bitstream/bool_decoder.h"
#include "bitstream/trees.h"
#include "common/tables.h"
#include "common/types.h"

namespace vp8 {

// Coefficient probabilities by position instead of band, so that a reader steps from one
// to the next.
struct TokenProbabilities {
  using Place = Probability[3][11];  // of one position: by context, then node

  TokenProbabilities() = default;
  explicit TokenProbabilities(const CoefficientProbabilities& by_band);

  // The last place belongs to no position: a reader may point there, but does not read it.
  Place of_type[kBlockTypes][16 + 1];
};

// Blocks of a macroblock: 16 Y, 4 U, 4 V, then Y2.
constexpr int kBlocksPerMacroblock = 25;
constexpr int kY2Block = 24;

// The quantised coefficients of a macroblock, each block in raster order.
struct MacroblockCoefficients {
  alignas(32) std::int16_t values[kBlocksPerMacroblock][16];
  // One past the last coded position in zigzag order; the first position if nothing is
  // coded.
  std::uint8_t ends[kBlocksPerMacroblock];

  void clear() { *this = {}; }
  // No block has tokens; values do not matter then.
  void clear_tokens(bool has_y2) {
    std::memset(ends, has_y2 ? 1 : 0, 16);
    std::memset(ends + 16, 0, kBlocksPerMacroblock - 16);
  }
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

// Reads the tokens of a macroblock into `coefficients`, leaves Y2 alone if there is none,
// and updates the contexts. Returns whether any block has tokens.
bool read_macroblock_tokens(BoolDecoder& partition, const TokenProbabilities& probabilities,
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

// Kinds of tokens: magnitudes 0 to 4, then the categories, then the end of block.
constexpr int kFirstCategoryToken = 5;
constexpr int kEndOfBlock = kFirstCategoryToken + kDctCategories;
constexpr int kTokenKinds = kEndOfBlock + 1;

inline int token_kind(int magnitude) {
  return magnitude < kFirstCategoryToken ? magnitude
                                         : kFirstCategoryToken + dct_category(magnitude);
}

constexpr Tree<22> kTokenTree({-kEndOfBlock, 2,  0,  4,  -1, 6,  8,  12, -2, 10, -3,
                               -4,           14, 16, -5, -6, 18, 20, -7, -8, -9, -10});

// Which coefficient probabilities code a token: a block type, band and context as
// one number.
constexpr int kTokenPlaces = kBlockTypes * 8 * 3;
inline int token_place(BlockType type, int band, int context) {
  return (type * 8 + band) * 3 + context;
}

// A token, ready to be counted and written, with its place. One word: if it were stored in
// parts, a load of the whole soon after would wait for them.
class Token {
 public:
  Token() = default;
  // `extra`: extra bits, of a category.
  constexpr Token(int kind, int extra)
      : bits_(static_cast<std::uint32_t>(kind) << 8 | static_cast<std::uint32_t>(extra) << 17) {}
  // The same at a place. A block cannot end after a zero, so the token after one leaves out
  // that node.
  constexpr Token at(int place, bool after_zero, bool negative) const {
    Token token = *this;
    token.bits_ |= static_cast<std::uint32_t>(place) |
                   static_cast<std::uint32_t>(after_zero) << 15 |
                   static_cast<std::uint32_t>(negative) << 16;
    return token;
  }

  int place() const { return static_cast<int>(bits_ & 255); }
  int kind() const { return static_cast<int>(bits_ >> 8 & 127); }
  bool after_zero() const { return (bits_ >> 15 & 1) != 0; }
  bool negative() const { return (bits_ >> 16 & 1) != 0; }
  int extra() const { return static_cast<int>(bits_ >> 17); }

 private:
  std::uint32_t bits_;
};
static_assert(sizeof(Token) == 4);

constexpr int kMaxTokensPerBlock = 16;

// The token of every magnitude.
struct MagnitudeTokens {
  MagnitudeTokens();
  std::array<Token, kMaxCoefficient + 1> of;
};
extern const MagnitudeTokens kMagnitudeTokens;

// Writes the tokens of one block from `out` on and calls count(token) for each; returns one
// past the last.
template <typename Count>
Token* tokenize_block(const std::int16_t* values, int end, BlockType type, int first, int context,
                      Token* out, Count&& count) {
  const auto add = [&](Token token) { count(*out++ = token); };
  bool after_zero = false;
  for (int i = first; i < end; ++i) {
    const int value = values[kZigzag[i]];
    const int magnitude = value < 0 ? -value : value;
    add(kMagnitudeTokens.of[static_cast<std::size_t>(magnitude)].at(
        token_place(type, kCoefficientBands[i], context), after_zero, value < 0));
    after_zero = magnitude == 0;
    context = token_context_after(magnitude);
  }
  if (end < 16) {
    add(Token(kEndOfBlock, 0).at(token_place(type, kCoefficientBands[end], context), false, false));
  }
  return out;
}

// Passes one token to writer.write(bit, probability). `probabilities` are those of its
// place.
template <typename Writer>
void write_token(Writer& writer, Token token, const Probability* probabilities) {
  // Most tokens are the end, 0 or 1, which the tree's first three nodes decide.
  const int kind = token.kind();
  if (!token.after_zero()) writer.write(kind != kEndOfBlock, probabilities[0]);
  if (kind == kEndOfBlock) return;
  writer.write(kind != 0, probabilities[1]);
  if (kind == 0) return;
  writer.write(kind != 1, probabilities[2]);
  if (kind > 1) {
    const auto& path = kTokenTree.paths[kind];
    for (int i = 3; i < path.length; ++i) {
      writer.write(path.bits[i], probabilities[path.nodes[i]]);
    }
  }
  if (kind >= kFirstCategoryToken) {
    const int category = kind - kFirstCategoryToken;
    const int bits = kDctCategoryBits[category];
    for (int b = 1; b <= bits; ++b) {
      writer.write((token.extra() >> (bits - b)) & 1, kDctCategoryProbabilities[category][b - 1]);
    }
  }
  writer.write(token.negative(), 128);
}

// Visits the coded blocks of a macroblock in bitstream order and updates the contexts:
// visit(block type, block index, first position, context) must return whether the block has
// tokens.
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
