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

int read_block_tokens(BoolDecoder& decoder, const BlockProbabilities& probabilities, int context,
                      int first, std::int16_t* values) {
  int i = first;
  const std::array<Probability, 11>* p = &probabilities[kCoefficientBands[i]][context];
  while (decoder.read((*p)[0])) {
    while (!decoder.read((*p)[1])) {
      if (++i == 16) return 16;
      p = &probabilities[kCoefficientBands[i]][0];
    }
    const int magnitude = decoder.read((*p)[2]) ? read_large_magnitude(decoder, *p) : 1;
    values[kZigzag[i]] = static_cast<std::int16_t>(decoder.read_flag() ? -magnitude : magnitude);
    if (++i == 16) return 16;
    p = &probabilities[kCoefficientBands[i]][token_context_after(magnitude)];
  }
  return i;
}

}  // namespace vp8
