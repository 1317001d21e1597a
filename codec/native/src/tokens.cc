#include "tokens.h"

namespace vp8 {
namespace {

int read_extra(BoolDecoder& decoder, int category) {
  int extra = 0;
  for (int b = 0; b < kDctCategoryBits[category]; ++b) {
    extra = (extra << 1) | static_cast<int>(decoder.read(kDctCategoryProbabilities[category][b]));
  }
  return kDctCategoryBase[category] + extra;
}

// A magnitude of at least 2, below node 2 of the token tree.
int read_large_magnitude(BoolDecoder& decoder, const std::array<Probability, 11>& p) {
  if (!decoder.read(p[3])) {
    if (!decoder.read(p[4])) return 2;
    return 3 + static_cast<int>(decoder.read(p[5]));
  }
  if (!decoder.read(p[6])) return read_extra(decoder, decoder.read(p[7]) ? 1 : 0);
  if (!decoder.read(p[8])) return read_extra(decoder, decoder.read(p[9]) ? 3 : 2);
  return read_extra(decoder, decoder.read(p[10]) ? 5 : 4);
}

}  // namespace

namespace {

// Reads one block's tokens; returns one past the last coded position.
[[gnu::always_inline]] inline int read_block(BoolDecoder& decoder,
                                             const BlockProbabilities& probabilities, int context,
                                             int first, std::int16_t* values) {
  int i = first;
  const std::array<Probability, 11>* p = &probabilities[kCoefficientBands[i]][context];
  while (decoder.read((*p)[0])) {
    while (!decoder.read((*p)[1])) {
      if (++i == 16) return 16;
      p = &probabilities[kCoefficientBands[i]][0];
    }
    int magnitude = 1;
    context = 1;
    if (decoder.read((*p)[2])) {
      magnitude = read_large_magnitude(decoder, *p);
      context = 2;
    }
    values[kZigzag[i]] = static_cast<std::int16_t>(decoder.read_sign(magnitude));
    if (++i == 16) return 16;
    p = &probabilities[kCoefficientBands[i]][context];
  }
  return i;
}

// Place in a TokenContext of the flag above and left of each block.
constexpr std::uint8_t kAboveFlag[kBlocksPerMacroblock] = {0, 1, 2, 3, 0, 1, 2, 3, 0, 1, 2, 3, 0,
                                                           1, 2, 3, 4, 5, 4, 5, 6, 7, 6, 7, 8};
constexpr std::uint8_t kLeftFlag[kBlocksPerMacroblock] = {0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3,
                                                          3, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7, 8};

}  // namespace

bool read_macroblock_tokens(BoolDecoder& partition, const CoefficientProbabilities& probabilities,
                            bool has_y2, TokenContext& above, TokenContext& left,
                            MacroblockCoefficients& coefficients) {
  BoolDecoder decoder = partition;
  bool any = false;
  const BlockProbabilities* of_type = &probabilities[has_y2 ? kY2 : kYWithDc];
  int first = 0;
  // Y2 comes first, where there is one.
  for (int j = has_y2 ? 0 : 1; j < kBlocksPerMacroblock; ++j) {
    const int block = j == 0 ? kY2Block : j - 1;
    if (block == 16) {
      of_type = &probabilities[kChroma];
      first = 0;
    }
    std::uint8_t& a = above.flags[kAboveFlag[block]];
    std::uint8_t& l = left.flags[kLeftFlag[block]];
    const int end = read_block(decoder, *of_type, a + l, first, coefficients.values[block]);
    coefficients.ends[block] = static_cast<std::uint8_t>(end);
    const bool has_tokens = end > first;
    a = l = has_tokens;
    any |= has_tokens;
    if (j == 0) {
      of_type = &probabilities[kYAfterY2];
      first = 1;
    }
  }
  partition = decoder;
  return any;
}

Token* tokenize_block(const std::int16_t* values, int end, BlockType type, int first, int context,
                      Token* out) {
  bool after_zero = false;
  for (int i = first; i < end; ++i) {
    const int value = values[kZigzag[i]];
    const int magnitude = value < 0 ? -value : value;
    const int kind = token_kind(magnitude);
    const int extra =
        kind >= kFirstCategoryToken ? magnitude - kDctCategoryBase[kind - kFirstCategoryToken] : 0;
    *out++ = {static_cast<std::uint8_t>(token_place(type, kCoefficientBands[i], context)),
              static_cast<std::uint8_t>(kind), after_zero,
              static_cast<std::uint16_t>(2 * extra + (value < 0))};
    after_zero = magnitude == 0;
    context = token_context_after(magnitude);
  }
  if (end < 16) {
    *out++ = {static_cast<std::uint8_t>(token_place(type, kCoefficientBands[end], context)),
              static_cast<std::uint8_t>(kEndOfBlock), false, 0};
  }
  return out;
}

}  // namespace vp8
