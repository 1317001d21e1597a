// What the residue coder hands on can be said in tokens, whatever coefficients it was given to
// prefer.
#include "residue_coder.h"

#include "check.h"
#include "tables.h"

namespace {

// Ending at once is dear, a zero and then the end is cheap: the worst of temptations.
vp8::CoefficientProbabilities tempting_probabilities() {
  vp8::CoefficientProbabilities probabilities = vp8::kDefaultEntropyTables.coefficients;
  for (auto& type : probabilities) {
    for (std::size_t band = 0; band < type.size(); ++band) {
      for (auto& p : type[band]) {
        p[0] = band == 0 ? 1 : 255;
        if (band == 0) p[1] = 255;
      }
    }
  }
  return probabilities;
}

}  // namespace

int main() {
  const vp8::TokenRates rates(tempting_probabilities());
  const vp8::Lagrangian lagrangian(40);
  const vp8::QuantizerSteps steps = vp8::quantizer_steps(50, {});
  // As read from a macroblock whose luma follows a Y2: an empty block ends at position 1.
  vp8::MacroblockCoefficients preferred{};
  for (int i = 0; i < 16; ++i) preferred.ends[i] = 1;
  const vp8::ResidueCoder coder{rates, lagrangian, steps, &preferred};

  Random random(7);
  for (int round = 0; round < 2000; ++round) {
    std::uint8_t source[16];
    std::uint8_t prediction[16];
    for (int i = 0; i < 16; ++i) {
      prediction[i] = 128;
      source[i] = static_cast<std::uint8_t>(128 + random.between(-9, 9) + round % 12);
    }
    vp8::MacroblockCoefficients coded{};
    vp8::TokenContext above;
    vp8::TokenContext left;
    coder.code_subblock(0, source, 4, prediction, 4, above, left, coded);
    const int end = coded.ends[0];
    CHECK(end == 0 || end == 16 || coded.values[0][vp8::kZigzag[end - 1]] != 0);
    CHECK(above.flags[0] == (end > 0 ? 1 : 0));
  }
  return 0;
}
