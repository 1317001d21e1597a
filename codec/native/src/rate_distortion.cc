#include "rate_distortion.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstdlib>

namespace vp8 {
namespace {

// Squared coefficient errors against squared pixel errors: the DCT's grow
// fourfold, those of Y2 sixteenfold; distortions are kept in 16ths.
int distortion_weight_bits(BlockType type) { return type == kY2 ? 0 : 2; }

// Sign and extra bits of every magnitude.
struct MagnitudeRates {
  MagnitudeRates() {
    for (int magnitude = 1; magnitude <= kMaxCoefficient; ++magnitude) {
      Rate rate = 256;
      if (magnitude > 4) {
        const int category = dct_category(magnitude);
        const int bits = kDctCategoryBits[category];
        const int extra = magnitude - kDctCategoryBase[category];
        for (int b = 0; b < bits; ++b) {
          rate += bit_rate((extra >> (bits - 1 - b)) & 1, kDctCategoryProbabilities[category][b]);
        }
      }
      rates[static_cast<std::size_t>(magnitude)] = static_cast<std::uint16_t>(rate);
    }
  }
  std::array<std::uint16_t, kMaxCoefficient + 1> rates{};
};

const MagnitudeRates kMagnitudeRates;

// Bits of positions in raster order, put into zigzag order.
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

// Of a token without its first decision, that the block goes on.
Rate token_rate(int kind, const std::array<Probability, 11>& p) {
  RateCounter counter;
  const auto& path = kTokenTree.paths[kind];
  for (int i = 1; i < path.length; ++i) counter.write(path.bits[i], p[path.nodes[i]]);
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
  // Absolute differences go with the root. That of an integer this small is exact
  // in doubles, on every machine.
  result.absolute_scale =
      absolute_scale * static_cast<std::int64_t>(std::sqrt(static_cast<double>(factor))) >> 8;
  return result;
}

TokenRates::TokenRates(const CoefficientProbabilities& probabilities) {
  for (std::size_t type = 0; type < kBlockTypes; ++type) {
    for (std::size_t band = 0; band < 8; ++band) {
      Rows& rows = rows_[type][band];
      for (std::size_t context = 0; context < 3; ++context) {
        const auto& p = probabilities[type][band][context];
        const Rate go_on = bit_rate(true, p[0]);
        end_[type][band][context] = static_cast<std::uint16_t>(bit_rate(false, p[0]));
        for (int kind = 0; kind < kEndOfBlock; ++kind) {
          const Rate rate = token_rate(kind, p);
          rows[context][kind] = static_cast<std::uint16_t>(rate + go_on);
          if (context == 0) rows[kAfterZero][kind] = static_cast<std::uint16_t>(rate);
        }
      }
    }
    zeros_[type][0] = 0;
    for (int i = 0; i < 16; ++i) {
      zeros_[type][i + 1] = zeros_[type][i] + rows_[type][kCoefficientBands[i]][kAfterZero][0];
    }
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
  const BlockType type = block.type;
  const auto end_rate = [&](int position, int context) {
    return position == 16 ? 0 : rates.of_end(type, kCoefficientBands[position], context);
  };
  Cost best = lagrangian.cost(0, end_rate(block.first, block.context));
  int best_end = block.first;

  const std::uint32_t positions = kZigzagBits.of(nonzero);
  const int weight_bits = distortion_weight_bits(type) + 8;
  Cost cost = 0;
  int row = block.context;  // of the rates, for the token at hand
  int next = block.first;   // position of that token
  for (std::uint32_t left = positions; left != 0; left &= left - 1) {
    const int i = std::countr_zero(left);
    if (i > next) {
      cost += lagrangian.scale * rates.of_zeros(type, next, i, row);
      row = TokenRates::kAfterZero;
    }
    next = i + 1;
    const int at = kZigzag[i];
    const TokenRates::Rows& rows = rates.rows(type, kCoefficientBands[i]);
    const int rounded = std::abs(static_cast<int>(values[at]));
    const std::int64_t magnitude = std::abs(static_cast<int>(block.coefficients[at]));
    const std::int64_t step = block.quantizer.steps[i > 0];
    const auto rate_of = [&](int level) {
      return rows[row][token_kind(level)] + kMagnitudeRates.rates[static_cast<std::size_t>(level)];
    };
    // Two levels have a chance. What the next token costs after each is taken into
    // account as if that were rounded.
    const Rate rate = rate_of(rounded);
    const Rate rate_less = rate_of(rounded - 1);
    Rate after = 0;
    Rate after_less = 0;
    if (rounded <= 2) {
      const int row_less = rounded == 1 ? TokenRates::kAfterZero : 1;
      if ((left & (left - 1)) != 0) {
        const TokenRates::Rows& next_rows = rates.rows(type, kCoefficientBands[next]);
        const int kind = token_kind(std::abs(static_cast<int>(values[kZigzag[next]])));
        after = next_rows[rounded][kind];
        after_less = next_rows[row_less][kind];
      } else {
        // A zero at the end would not be coded at all.
        after = end_rate(next, rounded);
        after_less = rounded == 1 ? 0 : end_rate(next, 1);
      }
    }
    // What distortion grows by, less what is saved. Which one wins cannot be foreseen,
    // so there is no branch.
    const std::int64_t grows = step * (2 * magnitude - step * (2 * rounded - 1)) << weight_bits;
    const bool less = grows < lagrangian.scale * ((rate + after) - (rate_less + after_less));
    const int level = rounded - less;
    values[at] = static_cast<std::int16_t>(values[at] < 0 ? -level : level);
    const std::int64_t coded = level * step;
    // error^2 - magnitude^2
    cost += (coded * (coded - 2 * magnitude) << weight_bits) +
            lagrangian.scale * (less ? rate_less : rate);
    row = level == 0 ? TokenRates::kAfterZero : token_context_after(level);
    if (level == 0) continue;
    // Nothing ends on a zero.
    const Cost ended = cost + lagrangian.cost(0, end_rate(next, row));
    if (ended < best) {
      best = ended;
      best_end = next;
    }
  }
  *end = static_cast<std::uint8_t>(best_end);
  for (std::uint32_t rest = positions >> best_end << best_end; rest != 0; rest &= rest - 1) {
    values[kZigzag[std::countr_zero(rest)]] = 0;
  }
  return best;
}

}  // namespace vp8
