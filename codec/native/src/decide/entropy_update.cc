#include "decide/entropy_update.h"

#include <algorithm>
#include <cstddef>

#include "common/tables.h"

namespace vp8 {
namespace {

// ModeRecorder treats the tables after the coefficients' as one list.
static_assert(offsetof(EntropyTables, motion_vectors) + DecisionCounts::kEntropyModes ==
              sizeof(EntropyTables));

std::int64_t rate_of(const BranchCount& count, int probability) {
  return static_cast<std::int64_t>(count.zeros) * kBitCost[probability] +
         static_cast<std::int64_t>(count.ones) * kBitCost[256 - probability];
}

// The probability that fits a count best, or `otherwise` if nothing was counted.
Probability fitted(const BranchCount& count, Probability otherwise) {
  if (count.total() == 0) return otherwise;
  const std::uint64_t scaled =
      (static_cast<std::uint64_t>(count.zeros) * 256 + count.total() / 2) / count.total();
  return static_cast<Probability>(std::clamp<std::uint64_t>(scaled, 1, 255));
}

// Between what a count says and what was assumed: the assumption weighs like so many decisions.
Probability estimated(const BranchCount& count, Probability assumed) {
  constexpr std::uint64_t kWeight = 8;
  const std::uint64_t total = count.total() + kWeight;
  const std::uint64_t scaled =
      (static_cast<std::uint64_t>(count.zeros) * 256 + assumed * kWeight + total / 2) / total;
  return static_cast<Probability>(std::clamp<std::uint64_t>(scaled, 1, 255));
}

// What the tokens at one place decide at each node.
std::array<BranchCount, 11> branches_of(
    const std::array<std::array<std::uint32_t, kTokenKinds>, 2>& tokens) {
  std::array<BranchCount, 11> branches{};
  for (std::size_t after_zero = 0; after_zero < 2; ++after_zero) {
    for (std::size_t kind = 0; kind < kTokenKinds; ++kind) {
      const std::uint32_t count = tokens[after_zero][kind];
      if (count == 0) continue;
      const auto& path = kTokenTree.paths[kind];
      for (std::size_t i = after_zero; i < path.length; ++i) {
        BranchCount& branch = branches[path.nodes[i]];
        (path.bits[i] ? branch.ones : branch.zeros) += count;
      }
    }
  }
  return branches;
}

void update_coefficients(const DecisionCounts& counts, CoefficientProbabilities& probabilities) {
  for (std::size_t i = 0; i < kBlockTypes; ++i) {
    for (std::size_t j = 0; j < 8; ++j) {
      for (std::size_t k = 0; k < 3; ++k) {
        const auto branches = branches_of(counts.tokens[(i * 8 + j) * 3 + k]);
        for (std::size_t t = 0; t < 11; ++t) {
          const BranchCount& count = branches[t];
          if (count.total() == 0) continue;
          Probability& p = probabilities[i][j][k][t];
          const Probability fit = fitted(count, p);
          const int flag = kCoefficientUpdateProbabilities[i][j][k][t];
          const std::int64_t update_rate = 8 * 256 + kBitCost[256 - flag] - kBitCost[flag];
          if (rate_of(count, p) > rate_of(count, fit) + update_rate) p = fit;
        }
      }
    }
  }
}

void update_motion_vectors(const BranchCount* counts, bool no_odd, MvProbabilities& probabilities) {
  for (std::size_t i = 0; i < 2; ++i) {
    for (std::size_t j = 0; j < MvProbabilityLayout::kCount; ++j) {
      Probability& p = probabilities[i][j];
      const BranchCount& count = *counts++;
      // Seven bits are sent: even values, and 1 for zero.
      const int even = fitted(count, p) & ~1;
      const auto fit = static_cast<Probability>(even == 0 ? 1 : even);
      const int flag = kMvUpdateProbabilities[i][j];
      const std::int64_t update_rate = 7 * 256 + kBitCost[256 - flag] - kBitCost[flag];
      if (rate_of(count, p) > rate_of(count, fit) + update_rate) p = fit;
      if (no_odd && p != 1 && p % 2 != 0) p = fit;
    }
  }
}

// All mode probabilities of one kind are sent, or none.
template <std::size_t Count>
void update_modes(const BranchCount* counts, std::array<Probability, Count>& probabilities) {
  std::int64_t saved = -static_cast<std::int64_t>(Count) * 8 * 256;
  std::array<Probability, Count> fit;
  for (std::size_t i = 0; i < Count; ++i) {
    fit[i] = fitted(counts[i], probabilities[i]);
    saved += rate_of(counts[i], probabilities[i]) - rate_of(counts[i], fit[i]);
  }
  if (saved > 0) probabilities = fit;
}

}  // namespace

DecisionCounts& DecisionCounts::operator+=(const DecisionCounts& other) {
  for (std::size_t place = 0; place < kTokenPlaces; ++place) {
    for (std::size_t after_zero = 0; after_zero < 2; ++after_zero) {
      for (std::size_t kind = 0; kind < kTokenKinds; ++kind) {
        tokens[place][after_zero][kind] += other.tokens[place][after_zero][kind];
      }
    }
  }
  for (std::size_t i = 0; i < kEntropyModes; ++i) entropy_modes[i] += other.entropy_modes[i];
  skip += other.skip;
  intra += other.intra;
  last += other.last;
  golden += other.golden;
  for (std::size_t i = 0; i < 3; ++i) segment[i] += other.segment[i];
  return *this;
}

void choose_probabilities(FrameHeader& header, CodingContext& context,
                          const DecisionCounts& counts) {
  EntropyTables& entropy = context.entropy;
  update_coefficients(counts, entropy.coefficients);
  header.prob_skip_false = fitted(counts.skip, 128);
  if (header.segmentation.update_map) {
    for (std::size_t i = 0; i < 3; ++i) {
      header.segmentation.tree[i] = fitted(counts.segment[i], 255);
    }
  }
  if (header.start.key_frame) return;
  header.prob_intra = fitted(counts.intra, 128);
  header.prob_last = fitted(counts.last, 128);
  header.prob_golden = fitted(counts.golden, 128);
  constexpr std::size_t kVectors = 2 * MvProbabilityLayout::kCount;
  // Frames between a hidden frame and the next may change odd defaults, and no header could
  // bring them back for that: see recode().
  const bool no_odd = !header.start.show_frame && header.refresh_entropy;
  update_motion_vectors(counts.entropy_modes.data(), no_odd, entropy.motion_vectors);
  update_modes(counts.entropy_modes.data() + kVectors, entropy.y_mode);
  update_modes(counts.entropy_modes.data() + kVectors + 4, entropy.uv_mode);
}

void estimate_modes(FrameHeader& header, const DecisionCounts& counts) {
  header.prob_skip_false = estimated(counts.skip, header.prob_skip_false);
  header.prob_intra = estimated(counts.intra, header.prob_intra);
  header.prob_last = estimated(counts.last, header.prob_last);
  header.prob_golden = estimated(counts.golden, header.prob_golden);
}

}  // namespace vp8
