#include "rate_distortion.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdlib>
#include <limits>

#include "kernels/kernels.h"

namespace vp8 {
namespace {

// Squared coefficient errors against squared pixel errors: the DCT's grow
// fourfold, those of Y2 sixteenfold; distortions are kept in 16ths.
int distortion_weight(BlockType type) { return type == kY2 ? 1 : 4; }

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
  }
}

BlockQuantizer::BlockQuantizer(const int* block_steps) : steps{block_steps[0], block_steps[1]} {
  const int half[2] = {steps[0] / 2, steps[1] / 2};
  nearest = make_quantizer(steps, half);
  for (int i = 0; i < 2; ++i) {
    const int reciprocal = nearest.reciprocal[i];
    least[i] = (65536 + reciprocal - 1) / reciprocal - half[i];
  }
}

Cost quantize_block(const ResidueBlock& block, const TokenRates& rates,
                    const Lagrangian& lagrangian, std::int16_t* values, std::uint8_t* end) {
  constexpr Cost kNever = std::numeric_limits<Cost>::max() / 4;
  const int first = block.first;
  const int last = kernels().quantize(block.coefficients, block.quantizer.nearest, values) - 1;
  Cost best = lagrangian.cost(0, rates.of_end(block.type, kCoefficientBands[first], block.context));
  *end = static_cast<std::uint8_t>(first);
  if (last < first) return best;

  // The cheapest way to where a position leaves each context. A context that
  // nothing leads to costs kNever, and stays that far up.
  struct Way {
    Cost cost;
    int from;
  };
  struct Step {
    std::int16_t level;
    std::uint8_t from;
  };
  Step steps[16][3];
  Cost costs[3] = {kNever, kNever, kNever};
  costs[block.context] = 0;
  const std::int64_t weight = distortion_weight(block.type) << 8;
  int best_end = first;
  int best_context = block.context;
  for (int i = first; i <= last; ++i) {
    const int at = kZigzag[i];
    const TokenRates::Rows& rows = rates.rows(block.type, kCoefficientBands[i]);
    // Context 0 after the first position is that of a zero.
    const std::uint16_t* const row0 = rows[i > first ? TokenRates::kAfterZero : 0];
    const auto way_to = [&](int kind) {
      Way way{costs[0] + lagrangian.scale * row0[kind], 0};
      const Cost one = costs[1] + lagrangian.scale * rows[1][kind];
      const Cost two = costs[2] + lagrangian.scale * rows[2][kind];
      way.from = one < way.cost ? 1 : way.from;
      way.cost = one < way.cost ? one : way.cost;
      way.from = two < way.cost ? 2 : way.from;
      way.cost = two < way.cost ? two : way.cost;
      return way;
    };
    const int rounded = std::abs(static_cast<int>(values[at]));
    if (rounded == 0) {
      const Way way = way_to(0);
      steps[i][0] = {0, static_cast<std::uint8_t>(way.from)};
      costs[0] = way.cost;
      costs[1] = costs[2] = kNever;
      continue;  // nothing ends on a zero
    }

    const std::int64_t magnitude = std::abs(static_cast<int>(block.coefficients[at]));
    const std::int64_t step = block.quantizer.steps[i > 0];
    Cost next[3] = {kNever, kNever, kNever};
    for (int level = rounded; level >= rounded - 1; --level) {
      const Way way = way_to(token_kind(level));
      const std::int64_t coded = level * step;
      // error^2 - magnitude^2
      const Cost cost = way.cost + coded * (coded - 2 * magnitude) * weight +
                        lagrangian.scale * kMagnitudeRates.rates[static_cast<std::size_t>(level)];
      const int context = token_context_after(level);
      if (cost < next[context]) {
        next[context] = cost;
        steps[i][context] = {static_cast<std::int16_t>(level), static_cast<std::uint8_t>(way.from)};
      }
    }
    for (int context = 0; context < 3; ++context) costs[context] = next[context];
    for (int context = 1; context < 3; ++context) {
      Cost cost = costs[context];
      if (i < 15) {
        cost += lagrangian.cost(0, rates.of_end(block.type, kCoefficientBands[i + 1], context));
      }
      if (cost < best) {
        best = cost;
        best_end = i + 1;
        best_context = context;
      }
    }
  }

  *end = static_cast<std::uint8_t>(best_end);
  for (int i = last; i >= best_end; --i) values[kZigzag[i]] = 0;
  int context = best_context;
  for (int i = best_end - 1; i >= first; --i) {
    const Step& step = steps[i][context];
    const int at = kZigzag[i];
    values[at] = values[at] < 0 ? static_cast<std::int16_t>(-step.level) : step.level;
    context = step.from;
  }
  return best;
}

}  // namespace vp8
