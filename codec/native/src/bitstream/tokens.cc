#include "bitstream/tokens.h"

#include <cstring>

namespace vp8 {
namespace {

[[gnu::always_inline]] inline int read_extra(BoolDecoder& decoder, int category) {
  int extra = 0;
  for (int b = 0; b < kDctCategoryBits[category]; ++b) {
    extra = (extra << 1) | static_cast<int>(decoder.read(kDctCategoryProbabilities[category][b]));
  }
  return kDctCategoryBase[category] + extra;
}

// A magnitude of at least 2, below node 2 of the token tree.
[[gnu::always_inline]] inline int read_large_magnitude(BoolDecoder& decoder, const Probability* p) {
  if (!decoder.read(p[3])) {
    if (!decoder.read(p[4])) return 2;
    return 3 + static_cast<int>(decoder.read(p[5]));
  }
  int category;
  if (!decoder.read(p[6])) {
    category = decoder.read(p[7]) ? 1 : 0;
  } else if (!decoder.read(p[8])) {
    category = decoder.read(p[9]) ? 3 : 2;
  } else {
    category = decoder.read(p[10]) ? 5 : 4;
  }
  return read_extra(decoder, category);
}

// Reads one block's tokens from `place` on; returns one past the last coded position.
[[gnu::always_inline]] inline int read_block(BoolDecoder& decoder,
                                             const TokenProbabilities::Place* place, int context,
                                             int first, std::int16_t* values) {
  int i = first;
  const Probability* p = (*place)[context];
  while (decoder.read(p[0])) {
    ++place;
    while (!decoder.read(p[1])) {
      if (++i == 16) return 16;
      p = (*place++)[0];
    }
    int magnitude = 1;
    const Probability* next = (*place)[1];
    if (decoder.read(p[2])) {
      magnitude = read_large_magnitude(decoder, p);
      next = (*place)[2];
    }
    values[kZigzag[i]] = static_cast<std::int16_t>(decoder.read_sign(magnitude));
    if (++i == 16) return 16;
    p = next;
  }
  return i;
}

// Reads `Size` x `Size` blocks; returns whether any has tokens. `above` and `left` are
// the flags next to them.
template <int Size>
[[gnu::always_inline]] inline bool read_blocks(BoolDecoder& decoder,
                                               const TokenProbabilities::Place* places, int first,
                                               std::uint8_t* above, std::uint8_t* left,
                                               std::int16_t (*values)[16], std::uint8_t* ends) {
  int any = 0;
  for (int row = 0; row < Size; ++row) {
    for (int column = 0; column < Size; ++column) {
      std::memset(*values, 0, sizeof *values);
      const int end =
          read_block(decoder, places + first, above[column] + left[row], first, *values++);
      *ends++ = static_cast<std::uint8_t>(end);
      const int has_tokens = end > first;
      above[column] = left[row] = static_cast<std::uint8_t>(has_tokens);
      any |= has_tokens;
    }
  }
  return any != 0;
}

}  // namespace

TokenProbabilities::TokenProbabilities(const CoefficientProbabilities& by_band) {
  for (std::size_t type = 0; type < kBlockTypes; ++type) {
    for (std::size_t i = 0; i < 16; ++i) {
      std::memcpy(of_type[type][i], &by_band[type][kCoefficientBands[i]], sizeof(Place));
    }
  }
}

bool read_macroblock_tokens(BoolDecoder& partition, const TokenProbabilities& probabilities,
                            bool has_y2, TokenContext& above, TokenContext& left,
                            MacroblockCoefficients& coefficients) {
  BoolDecoder decoder = partition;
  auto& [values, ends] = coefficients;
  const auto& places = probabilities.of_type;
  bool any = false;
  if (has_y2) {
    any |= read_blocks<1>(decoder, places[kY2], 0, above.flags + 8, left.flags + 8,
                          values + kY2Block, ends + kY2Block);
  }
  any |= read_blocks<4>(decoder, places[has_y2 ? kYAfterY2 : kYWithDc], has_y2 ? 1 : 0, above.flags,
                        left.flags, values, ends);
  for (int plane = 0; plane < 2; ++plane) {
    const int flags = 4 + 2 * plane;
    const int block = 16 + 4 * plane;
    any |= read_blocks<2>(decoder, places[kChroma], 0, above.flags + flags, left.flags + flags,
                          values + block, ends + block);
  }
  partition = decoder;
  return any;
}

MagnitudeTokens::MagnitudeTokens() {
  for (int magnitude = 0; magnitude <= kMaxCoefficient; ++magnitude) {
    const int kind = token_kind(magnitude);
    const int category = kind - kFirstCategoryToken;
    of[static_cast<std::size_t>(magnitude)] =
        Token(kind, category < 0 ? 0 : magnitude - kDctCategoryBase[category]);
  }
}

const MagnitudeTokens kMagnitudeTokens;

}  // namespace vp8
