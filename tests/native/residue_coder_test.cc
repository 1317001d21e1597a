// Chosen levels can be coded as tokens, and their cost is the one returned.
#include "decide/residue_coder.h"

#include "check.h"
#include "common/tables.h"

namespace {

// Ending at once is expensive, but a zero and then the end is cheap: the strongest temptation to
// end after a zero.
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

// The rate of a block, bit by bit as it is written.
vp8::Rate written_rate(const vp8::CoefficientProbabilities& probabilities,
                       const std::int16_t* values, int end, vp8::BlockType type, int first,
                       int context) {
  vp8::Token tokens[vp8::kMaxTokensPerBlock];
  const vp8::Token* const last =
      vp8::tokenize_block(values, end, type, first, context, tokens, [](vp8::Token) {});
  vp8::RateCounter counter;
  for (const vp8::Token* token = tokens; token != last; ++token) {
    vp8::write_token(counter, *token, &probabilities[0][0][0][0] + 11 * token->place());
  }
  return counter.rate();
}

void check_blocks(const vp8::CoefficientProbabilities& probabilities, int y_ac_qi, Random& random) {
  const vp8::TokenRates rates(probabilities);
  const vp8::Lagrangian lagrangian(40);
  const vp8::QuantizerSteps steps = vp8::quantizer_steps(y_ac_qi, {});
  for (int round = 0; round < 2000; ++round) {
    const auto type = static_cast<vp8::BlockType>(random.below(vp8::kBlockTypes));
    const int first = type == vp8::kYAfterY2 ? 1 : 0;
    const int context = random.below(3);
    const vp8::BlockQuantizer quantizer(steps.of(type));
    const int reach = 1 << random.between(1, 14);
    std::int16_t coefficients[16] = {};
    for (int i = first; i < 16; ++i) {
      coefficients[i] = static_cast<std::int16_t>(random.between(-reach, reach));
    }
    std::int16_t values[16] = {};
    std::uint8_t end = 0;
    std::uint16_t nonzero = 0;
    vp8::kernels().quantize(coefficients, 1, quantizer.nearest, values, &nonzero);
    const vp8::Cost cost = vp8::choose_levels({coefficients, quantizer, type, first, context},
                                              nonzero, rates, lagrangian, values, &end);

    CHECK(end >= first && end <= 16);
    CHECK(end == first || values[vp8::kZigzag[end - 1]] != 0);
    for (int i = end; i < 16; ++i) CHECK(values[vp8::kZigzag[i]] == 0);
    std::int64_t gain = 0;
    for (int i = first; i < 16; ++i) {
      const std::int64_t exact = coefficients[i];
      const std::int64_t error = exact - values[i] * quantizer.steps[i > 0];
      gain += error * error - exact * exact;
    }
    if (type != vp8::kY2) gain *= 4;
    CHECK(cost ==
          lagrangian.cost(gain, written_rate(probabilities, values, end, type, first, context)));
    // Coding nothing is always a choice.
    const std::int16_t nothing[16] = {};
    CHECK(cost <=
          lagrangian.cost(0, written_rate(probabilities, nothing, first, type, first, context)));
  }
}

}  // namespace

int main() {
  Random random(7);
  for (const int y_ac_qi : {0, 20, 60, 127}) {
    check_blocks(tempting_probabilities(), y_ac_qi, random);
    check_blocks(vp8::kDefaultEntropyTables.coefficients, y_ac_qi, random);
  }
  return 0;
}
