// Choosing a frame's probabilities from the decisions it is about to code.
#pragma once

#include <array>
#include <vector>

#include "bitstream/frame_header.h"
#include "bitstream/serialize_frame.h"
#include "bitstream/tokens.h"

namespace vp8 {

struct BranchCount {
  std::uint32_t zeros = 0;
  std::uint32_t ones = 0;

  std::uint32_t total() const { return zeros + ones; }
  void add(bool bit) { ++(bit ? ones : zeros); }
  BranchCount& operator+=(const BranchCount& other) {
    zeros += other.zeros;
    ones += other.ones;
    return *this;
  }
};

// Counts the decisions of a part of a frame by the probability they are coded with. Counts
// of parts can be added in any order.
class DecisionCounts {
 public:
  // Probabilities of mode decisions, by their place in EntropyTables after the
  // coefficients'.
  static constexpr std::size_t kEntropyModes = 2 * MvProbabilityLayout::kCount + 4 + 3;

  void add(Token token) {
    ++tokens[static_cast<std::size_t>(token.place())][token.after_zero()]
            [static_cast<std::size_t>(token.kind())];
  }
  DecisionCounts& operator+=(const DecisionCounts& other);

  std::array<std::array<std::array<std::uint32_t, kTokenKinds>, 2>, kTokenPlaces> tokens{};
  std::array<BranchCount, kEntropyModes> entropy_modes{};
  BranchCount skip, intra, last, golden;
  std::array<BranchCount, 3> segment{};
};

// A writer for write_macroblock_header that counts and keeps the decisions.
class ModeRecorder {
 public:
  ModeRecorder(DecisionCounts& counts, std::vector<ModeBit>& bits, const FrameHeader& header,
               const EntropyTables& entropy)
      : counts_(counts),
        bits_(bits),
        header_(header),
        first_(reinterpret_cast<std::uintptr_t>(&entropy.motion_vectors)) {}

  void write(bool bit, const Probability& probability) {
    bits_.push_back({&probability, bit});
    const auto place =
        static_cast<std::size_t>(reinterpret_cast<std::uintptr_t>(&probability) - first_);
    if (place < DecisionCounts::kEntropyModes) {
      counts_.entropy_modes[place].add(bit);
    } else if (&probability == &header_.prob_skip_false) {
      counts_.skip.add(bit);
    } else if (&probability == &header_.prob_intra) {
      counts_.intra.add(bit);
    } else if (&probability == &header_.prob_last) {
      counts_.last.add(bit);
    } else if (&probability == &header_.prob_golden) {
      counts_.golden.add(bit);
    } else {
      for (std::size_t i = 0; i < 3; ++i) {
        if (&probability == &header_.segmentation.tree[i]) counts_.segment[i].add(bit);
      }
    }
  }

 private:
  DecisionCounts& counts_;
  std::vector<ModeBit>& bits_;
  const FrameHeader& header_;
  std::uintptr_t first_;
};

// Sets the header's probabilities and changes `context.entropy` (from before the frame) so
// that these decisions and the updates together take the fewest bits.
void choose_probabilities(FrameHeader& header, CodingContext& context,
                          const DecisionCounts& counts);

// Sets the header's probabilities of skipping and of references to what a part of the frame
// suggests. Those in the header before count for a little, too.
void estimate_modes(FrameHeader& header, const DecisionCounts& counts);

}  // namespace vp8
