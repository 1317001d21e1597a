#include "decide/rate_distortion.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstdlib>
#include <cstring>

namespace vp8 {
namespace {

// Squared coefficient errors against squared pixel errors: the DCT's grow
// fourfold, those of Y2 sixteenfold; distortions are kept in 16ths.
int distortion_weight_bits(BlockType type) { return type == kY2 ? 0 : 2; }

// The token of a magnitude: its kind, the row of rates after it, and the rate of its extra
// bits.
struct MagnitudeRate {
  std::uint8_t kind;
  std::uint8_t row_after;
  std::uint16_t extra_rate;
};

struct MagnitudeRates {
  MagnitudeRates() {
    for (int magnitude = 0; magnitude <= kMaxCoefficient; ++magnitude) {
      MagnitudeRate& token = of[static_cast<std::size_t>(magnitude)];
      token.kind = static_cast<std::uint8_t>(token_kind(magnitude));
      token.row_after = static_cast<std::uint8_t>(magnitude == 0 ? TokenRates::kAfterZero
                                                                 : token_context_after(magnitude));
      if (token.kind < kFirstCategoryToken) continue;
      const int category = token.kind - kFirstCategoryToken;
      const int bits = kDctCategoryBits[category];
      const int extra = magnitude - kDctCategoryBase[category];
      Rate rate = 0;
      for (int b = 0; b < bits; ++b) {
        rate += bit_rate((extra >> (bits - 1 - b)) & 1, kDctCategoryProbabilities[category][b]);
      }
      token.extra_rate = static_cast<std::uint16_t>(rate);
    }
  }
  std::array<MagnitudeRate, kMaxCoefficient + 1> of{};
};

const MagnitudeRates kMagnitudeRates;

// Permutes bits of positions from raster order to zigzag order.
class ZigzagBits {
 public:
  ZigzagBits() {
    for (int position = 0; position < 16; ++position) {
      const int at = kZigzag[position];
      for (int byte = 0; byte < 256; ++byte) {
        if ((byte >> (at & 7) & 1) == 0) continue;
        Half& half = halves_[at >> 3];
        half[byte] = static_cast<std::uint16_t>(half[byte] | 1 << position);
      }
    }
  }
  std::uint32_t of(std::uint32_t raster) const {
    return halves_[0][raster & 255] | halves_[1][raster >> 8];
  }

 private:
  using Half = std::uint16_t[256];
  Half halves_[2] = {};
};

const ZigzagBits kZigzagBits;

// The rate of a token and its sign, without its first decision, that the block goes on.
Rate token_rate(int kind, const std::array<Probability, 11>& p) {
  RateCounter counter;
  const auto& path = kTokenTree.paths[kind];
  for (int i = 1; i < path.length; ++i) counter.write(path.bits[i], p[path.nodes[i]]);
  if (kind != 0) counter.write(false, 128);
  return counter.rate();
}

}  // namespace

Lagrangian::Lagrangian(int y_ac_step)
    // The slope of squared error over bits at a step of q is about q * q / 45 a
    // bit (the transform doubles amplitudes); its root serves absolute sums.
    : scale(std::max<std::int64_t>(1, static_cast<std::int64_t>(y_ac_step) * y_ac_step * 90 >> 8)),
      absolute_scale(static_cast<std::int64_t>(y_ac_step) * 47) {}

Lagrangian Lagrangian::scaled(std::int64_t factor) const {
  Lagrangian result = *this;
  result.scale = std::max<std::int64_t>(1, scale * factor >> 16);
  // Absolute differences scale with the root. For an integer this small it is exact in
  // doubles on every machine.
  result.absolute_scale =
      absolute_scale * static_cast<std::int64_t>(std::sqrt(static_cast<double>(factor))) >> 8;
  return result;
}

TokenRates::TokenRates(const CoefficientProbabilities& probabilities) {
  for (std::size_t type = 0; type < kBlockTypes; ++type) {
    Place by_band[8] = {};
    for (std::size_t band = 0; band < 8; ++band) {
      Place& place = by_band[band];
      for (std::size_t context = 0; context < 3; ++context) {
        const auto& p = probabilities[type][band][context];
        const Rate go_on = bit_rate(true, p[0]);
        for (int kind = 0; kind < kEndOfBlock; ++kind) {
          const Rate rate = token_rate(kind, p);
          place[context][kind] = static_cast<std::uint16_t>(rate + go_on);
          if (context == 0) place[kAfterZero][kind] = static_cast<std::uint16_t>(rate);
        }
        place[context][kEndOfBlock] = place[context][kEnding] =
            static_cast<std::uint16_t>(bit_rate(false, p[0]));
      }
      place[kAfterZero][kEnding] = 0xffff;
    }
    zeros_[type][0] = 0;
    for (int i = 0; i < 16; ++i) {
      std::memcpy(places_[type][i], by_band[kCoefficientBands[i]], sizeof(Place));
      zeros_[type][i + 1] = zeros_[type][i] + places_[type][i][kAfterZero][0];
    }
    std::memset(places_[type][16], 0, sizeof(Place));
    places_[type][16][kAfterZero][kEnding] = 0xffff;
  }
}

BlockQuantizer::BlockQuantizer(const int* block_steps) : steps{block_steps[0], block_steps[1]} {
  const int half[2] = {steps[0] / 2, steps[1] / 2};
  nearest = make_quantizer(steps, half);
}

BlockQuantizer BlockQuantizer::without_dc() const {
  BlockQuantizer rest = *this;
  rest.nearest.reciprocal[0] = 0;
  return rest;
}

Cost choose_levels(const ResidueBlock& block, std::uint32_t nonzero, const TokenRates& rates,
                   const Lagrangian& lagrangian, std::int16_t* values, std::uint8_t* end) {
  const TokenRates::Place* const places = rates.places(block.type);
  const Rate* const zeros = rates.zeros(block.type);
  const std::int64_t scale = lagrangian.scale;
  Cost best = scale * places[block.first][block.context][kEndOfBlock];
  int best_end = block.first;

  const int weight_bits = distortion_weight_bits(block.type) + 8;
  const std::uint32_t positions = kZigzagBits.of(nonzero);
  Cost grown = 0;           // distortion
  Rate rate = 0;            // of all tokens so far
  int row = block.context;  // of the rates, for the token at hand
  int next = block.first;   // position of that token
  // These decisions cannot be predicted, so there are masks instead of branches: all ones
  // if a condition holds.
  for (std::uint32_t left = positions; left != 0;) {
    const int i = std::countr_zero(left);
    left &= left - 1;
    const Rate after_zeros = (next - i) >> 31;
    rate += (places[next][row][0] + zeros[i] - zeros[next + 1]) & after_zeros;
    row |= TokenRates::kAfterZero & after_zeros;
    next = i + 1;

    // Two levels have a chance. The rate of the next token after each counts, too, as if
    // that token were the rounded one; at the end a zero would not be coded at all.
    std::int16_t& value = values[kZigzag[i]];
    const std::int64_t rounded = std::abs(static_cast<int>(value));
    const MagnitudeRate* const token = kMagnitudeRates.of.data() + rounded;
    const auto [kind_less, row_less, extra_less] = token[-1];
    const auto [kind, row_rounded, extra] = token[0];
    const int then =
        left == 0
            ? kEndOfBlock
            : kMagnitudeRates.of.data()[std::abs(static_cast<int>(values[kZigzag[next]]))].kind;
    const Rate own = places[i][row][kind] + extra;
    const Rate own_less = places[i][row][kind_less] + extra_less;
    const Rate after = places[next][row_rounded][then];
    const Rate after_less = places[next][row_less][then];

    // error^2 - magnitude^2, and its growth for one less.
    const std::int64_t step = block.quantizer.steps[i > 0];
    const std::int64_t magnitude = std::abs(static_cast<int>(block.coefficients[kZigzag[i]]));
    const std::int64_t error = (rounded * step * (rounded * step - 2 * magnitude)) << weight_bits;
    const std::int64_t grows = (step * (2 * magnitude - step * (2 * rounded - 1))) << weight_bits;
    const std::int64_t less = (grows - scale * (own + after - own_less - after_less)) >> 63;
    const int less_mask = static_cast<int>(less);
    value = static_cast<std::int16_t>(value - (less_mask & (value >> 15 | 1)));
    grown += error + (grows & less);
    rate += own + ((own_less - own) & less_mask);
    row = row_rounded + ((row_less - row_rounded) & less_mask);
    const Cost gained = grown + scale * (rate + places[next][row][TokenRates::kEnding]) - best;
    const std::int64_t better = gained >> 63;
    best += gained & better;
    best_end += (next - best_end) & static_cast<int>(better);
  }
  *end = static_cast<std::uint8_t>(best_end);
  for (std::uint32_t rest = positions >> best_end << best_end; rest != 0; rest &= rest - 1) {
    values[kZigzag[std::countr_zero(rest)]] = 0;
  }
  return best;
}

}  // namespace vp8
