#include "rate_distortion.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <limits>

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

int token_of_magnitude(int magnitude) {
  return magnitude <= 4 ? magnitude : 5 + dct_category(magnitude);
}

Rate token_rate(int token, const std::array<Probability, 11>& p) {
  if (token == 0) return bit_rate(false, p[1]);
  Rate rate = bit_rate(true, p[1]) + bit_rate(token > 1, p[2]);
  if (token == 1) return rate;
  rate += bit_rate(token > 4, p[3]);
  if (token <= 4) {
    rate += bit_rate(token > 2, p[4]);
    return token > 2 ? rate + bit_rate(token == 4, p[5]) : rate;
  }
  const int category = token - 5;
  rate += bit_rate(category >= 2, p[6]);
  if (category < 2) return rate + bit_rate(category == 1, p[7]);
  rate += bit_rate(category >= 4, p[8]);
  return rate + bit_rate(category & 1, p[category >= 4 ? 10 : 9]);
}

}  // namespace

Lagrangian::Lagrangian(int y_ac_step)
    // The slope of squared error over bits at a step of q is about q * q / 45 a
    // bit (the transform doubles amplitudes); its root serves absolute sums.
    : scale(std::max<std::int64_t>(1, static_cast<std::int64_t>(y_ac_step) * y_ac_step * 90 >> 8)),
      absolute_scale(static_cast<std::int64_t>(y_ac_step) * 47) {}

Lagrangian Lagrangian::scaled(std::int64_t numerator, std::int64_t denominator) const {
  Lagrangian result = *this;
  result.scale = std::max<std::int64_t>(1, scale * numerator / denominator);
  // Absolute differences go with the root: four steps of Newton's method from 1.
  std::int64_t root = 256;
  for (int i = 0; i < 4; ++i) root = (root + 65536 * numerator / denominator / root) / 2;
  result.absolute_scale = absolute_scale * root / 256;
  return result;
}

TokenRates::TokenRates(const CoefficientProbabilities& probabilities) {
  for (std::size_t type = 0; type < kBlockTypes; ++type) {
    for (std::size_t band = 0; band < 8; ++band) {
      for (std::size_t context = 0; context < 3; ++context) {
        const auto& p = probabilities[type][band][context];
        go_on_[type][band][context] = static_cast<std::uint16_t>(bit_rate(true, p[0]));
        end_[type][band][context] = static_cast<std::uint16_t>(bit_rate(false, p[0]));
        for (int token = 0; token < kTokens; ++token) {
          token_[type][band][context][token] = static_cast<std::uint16_t>(token_rate(token, p));
        }
      }
    }
  }
}

Rate TokenRates::of_magnitude(BlockType type, int band, int context, bool after_zero,
                              int magnitude) const {
  const Rate token = token_[type][band][context][token_of_magnitude(magnitude)];
  return token + (after_zero ? 0 : go_on_[type][band][context]) +
         kMagnitudeRates.rates[static_cast<std::size_t>(magnitude)];
}

Rate TokenRates::of_block(BlockType type, int first, int context, const std::int16_t* values,
                          int end) const {
  Rate rate = 0;
  bool after_zero = false;
  for (int i = first; i < end; ++i) {
    const int value = values[kZigzag[i]];
    const int magnitude = value < 0 ? -value : value;
    rate += of_magnitude(type, kCoefficientBands[i], context, after_zero, magnitude);
    after_zero = magnitude == 0;
    context = token_context_after(magnitude);
  }
  return end < 16 ? rate + of_end(type, kCoefficientBands[end], context) : rate;
}

std::int64_t zero_distortion(const ResidueBlock& block) {
  std::int64_t sum = 0;
  for (int i = block.first; i < 16; ++i) {
    const std::int64_t c = block.coefficients[kZigzag[i]];
    sum += c * c;
  }
  return sum * distortion_weight(block.type);
}

std::int64_t block_distortion(const ResidueBlock& block, const std::int16_t* values) {
  std::int64_t sum = 0;
  for (int i = block.first; i < 16; ++i) {
    const int at = kZigzag[i];
    const std::int64_t error = block.coefficients[at] - values[at] * block.steps[i > 0];
    sum += error * error;
  }
  return sum * distortion_weight(block.type);
}

Cost quantize_block(const ResidueBlock& block, const TokenRates& rates,
                    const Lagrangian& lagrangian, std::int16_t* values, std::uint8_t* end) {
  constexpr Cost kNever = std::numeric_limits<Cost>::max() / 4;
  // A path: position i reached with this context, at this cost, by this level.
  struct Step {
    Cost cost = kNever;
    std::int16_t level = 0;
    std::uint8_t from = 0;
  };
  Step steps[17][3];

  const int first = block.first;
  const int weight = distortion_weight(block.type);
  int rounded[16];
  int last = first - 1;
  std::int64_t nothing = 0;
  for (int i = first; i < 16; ++i) {
    const int magnitude = std::abs(static_cast<int>(block.coefficients[kZigzag[i]]));
    const int step = block.steps[i > 0];
    rounded[i] = std::min((magnitude + step / 2) / step, 2047);
    if (rounded[i] != 0) last = i;
    nothing += static_cast<std::int64_t>(magnitude) * magnitude;
  }
  std::memset(values, 0, 16 * sizeof(*values));
  *end = static_cast<std::uint8_t>(first);

  const Cost nothing_cost = lagrangian.cost(nothing * weight, 0);
  Cost best = nothing_cost +
              lagrangian.cost(0, rates.of_end(block.type, kCoefficientBands[first], block.context));
  if (last < first) return best;

  int best_end = first;
  int best_context = block.context;
  steps[first][block.context].cost = nothing_cost;
  for (int i = first; i <= last; ++i) {
    const int band = kCoefficientBands[i];
    const int magnitude = std::abs(static_cast<int>(block.coefficients[kZigzag[i]]));
    const int step = block.steps[i > 0];
    int levels[3] = {rounded[i], rounded[i] - 1, 0};
    const int count = rounded[i] == 0 ? 1 : rounded[i] == 2 ? 3 : 2;
    for (int choice = 0; choice < count; ++choice) {
      const int level = levels[choice];
      const std::int64_t error = magnitude - level * step;
      const std::int64_t gain = error * error - static_cast<std::int64_t>(magnitude) * magnitude;
      const int next_context = token_context_after(level);
      Step& next = steps[i + 1][next_context];
      for (int context = 0; context < 3; ++context) {
        const Step& from = steps[i][context];
        if (from.cost == kNever) continue;
        const bool after_zero = context == 0 && i > first;
        const Cost cost =
            from.cost + lagrangian.cost(gain * weight, rates.of_magnitude(block.type, band, context,
                                                                          after_zero, level));
        if (cost < next.cost) {
          next = {cost, static_cast<std::int16_t>(level), static_cast<std::uint8_t>(context)};
        }
      }
    }
    // Nothing ends on a zero, so only the other contexts can be the last.
    for (int context = 1; context < 3; ++context) {
      Cost cost = steps[i + 1][context].cost;
      if (cost == kNever) continue;
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
  int context = best_context;
  for (int i = best_end; i > first; --i) {
    const Step& step = steps[i][context];
    const int at = kZigzag[i - 1];
    values[at] = block.coefficients[at] < 0 ? static_cast<std::int16_t>(-step.level) : step.level;
    context = step.from;
  }
  return best;
}

}  // namespace vp8
