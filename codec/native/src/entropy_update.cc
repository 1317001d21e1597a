#include "entropy_update.h"

#include <algorithm>

#include "coded_blocks.h"
#include "macroblock.h"
#include "tables.h"

namespace vp8 {
namespace {

struct BranchCount {
  std::uint32_t zeros = 0;
  std::uint32_t ones = 0;

  std::uint32_t total() const { return zeros + ones; }
  void add(bool bit) { ++(bit ? ones : zeros); }
};

std::int64_t rate_of(const BranchCount& count, int probability) {
  return static_cast<std::int64_t>(count.zeros) * kBitCost[probability] +
         static_cast<std::int64_t>(count.ones) * kBitCost[256 - probability];
}

// The probability that suits a count best, or `otherwise` without a count.
Probability fitted(const BranchCount& count, Probability otherwise) {
  if (count.total() == 0) return otherwise;
  const std::uint64_t scaled =
      (static_cast<std::uint64_t>(count.zeros) * 256 + count.total() / 2) / count.total();
  return static_cast<Probability>(std::clamp<std::uint64_t>(scaled, 1, 255));
}

// A writer that counts decisions by the probability they are coded with, found
// by its place in the header or the entropy tables.
class BranchCounter {
 public:
  BranchCounter(const FrameHeader& header, const EntropyTables& entropy)
      : header_(header), entropy_(entropy), table_(sizeof(EntropyTables)) {}

  void write(bool bit, const Probability& probability) {
    const auto begin = reinterpret_cast<std::uintptr_t>(&entropy_);
    const auto offset = reinterpret_cast<std::uintptr_t>(&probability) - begin;
    if (offset < sizeof(EntropyTables)) {
      table_[offset].add(bit);
    } else if (&probability == &header_.prob_skip_false) {
      skip.add(bit);
    } else if (&probability == &header_.prob_intra) {
      intra.add(bit);
    } else if (&probability == &header_.prob_last) {
      last.add(bit);
    } else if (&probability == &header_.prob_golden) {
      golden.add(bit);
    } else {
      count_segment(bit, probability);
    }
  }

  const BranchCount& of(const Probability& probability) const {
    return table_[static_cast<std::size_t>(&probability -
                                           reinterpret_cast<const Probability*>(&entropy_))];
  }

  BranchCount skip, intra, last, golden;
  BranchCount segment[3];

 private:
  void count_segment(bool bit, const Probability& probability) {
    for (std::size_t i = 0; i < 3; ++i) {
      if (&probability == &header_.segmentation.tree[i]) segment[i].add(bit);
    }
  }

  const FrameHeader& header_;
  const EntropyTables& entropy_;
  std::vector<BranchCount> table_;
};

void count_tokens(const MacroblockGrid& macroblocks,
                  const std::vector<MacroblockCoefficients>& coefficients,
                  const CoefficientProbabilities& probabilities, BranchCounter& counter) {
  struct Sink {
    const std::array<std::array<std::array<Probability, 11>, 3>, 8>& table;
    BranchCounter& counter;
    void branch(int band, int context, int node, bool bit) {
      counter.write(bit, table[static_cast<std::size_t>(band)][static_cast<std::size_t>(context)]
                              [static_cast<std::size_t>(node)]);
    }
    void extra(bool, Probability) {}
  };
  for_each_coded_block(
      macroblocks, coefficients,
      [&](int, BlockType type, const std::int16_t* values, int end, int first, int context) {
        walk_block_tokens(values, end, first, context, Sink{probabilities[type], counter});
      });
}

void update_coefficients(const BranchCounter& counter, const EntropyTables& before,
                         CoefficientProbabilities& after) {
  for (std::size_t i = 0; i < kBlockTypes; ++i) {
    for (std::size_t j = 0; j < 8; ++j) {
      for (std::size_t k = 0; k < 3; ++k) {
        for (std::size_t t = 0; t < 11; ++t) {
          const Probability& old = before.coefficients[i][j][k][t];
          const BranchCount& count = counter.of(old);
          const Probability fit = fitted(count, old);
          const int flag = kCoefficientUpdateProbabilities[i][j][k][t];
          const std::int64_t update_rate = 8 * 256 + kBitCost[256 - flag] - kBitCost[flag];
          if (rate_of(count, old) > rate_of(count, fit) + update_rate) after[i][j][k][t] = fit;
        }
      }
    }
  }
}

void update_motion_vectors(const BranchCounter& counter, const EntropyTables& before,
                           MvProbabilities& after) {
  for (std::size_t i = 0; i < 2; ++i) {
    for (std::size_t j = 0; j < MvProbabilityLayout::kCount; ++j) {
      const Probability& old = before.motion_vectors[i][j];
      const BranchCount& count = counter.of(old);
      // Seven bits are sent: even values, and 1 for zero.
      const int even = fitted(count, old) & ~1;
      const auto fit = static_cast<Probability>(even == 0 ? 1 : even);
      const int flag = kMvUpdateProbabilities[i][j];
      const std::int64_t update_rate = 7 * 256 + kBitCost[256 - flag] - kBitCost[flag];
      if (rate_of(count, old) > rate_of(count, fit) + update_rate) after[i][j] = fit;
    }
  }
}

// The mode probabilities of one kind are sent all or not at all.
template <std::size_t Count>
void update_modes(const BranchCounter& counter, const std::array<Probability, Count>& before,
                  std::array<Probability, Count>& after) {
  std::int64_t saved = -static_cast<std::int64_t>(Count) * 8 * 256;
  std::array<Probability, Count> fit;
  for (std::size_t i = 0; i < Count; ++i) {
    const BranchCount& count = counter.of(before[i]);
    fit[i] = fitted(count, before[i]);
    saved += rate_of(count, before[i]) - rate_of(count, fit[i]);
  }
  if (saved > 0) after = fit;
}

}  // namespace

void choose_probabilities(FrameHeader& header, CodingContext& context,
                          const MacroblockGrid& macroblocks,
                          const std::vector<MacroblockCoefficients>& coefficients) {
  const CodingContext before = context;
  header.mb_no_skip_coeff = true;
  BranchCounter counter(header, before.entropy);
  for (int row = 0; row < macroblocks.rows(); ++row) {
    for (int column = 0; column < macroblocks.columns(); ++column) {
      write_macroblock_header(counter, header, before, macroblocks, row, column);
    }
  }
  count_tokens(macroblocks, coefficients, before.entropy.coefficients, counter);

  update_coefficients(counter, before.entropy, context.entropy.coefficients);
  header.prob_skip_false = fitted(counter.skip, 128);
  if (header.segmentation.update_map) {
    for (std::size_t i = 0; i < 3; ++i) {
      header.segmentation.tree[i] = fitted(counter.segment[i], 255);
    }
  }
  if (header.start.key_frame) return;
  header.prob_intra = fitted(counter.intra, 128);
  header.prob_last = fitted(counter.last, 128);
  header.prob_golden = fitted(counter.golden, 128);
  update_modes(counter, before.entropy.y_mode, context.entropy.y_mode);
  update_modes(counter, before.entropy.uv_mode, context.entropy.uv_mode);
  update_motion_vectors(counter, before.entropy, context.entropy.motion_vectors);
}

}  // namespace vp8
