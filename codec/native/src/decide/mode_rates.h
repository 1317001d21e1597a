// The rates of a macroblock's modes and vectors, by the tables in force.
#pragma once

#include <array>

#include "bitstream/frame_header.h"
#include "bitstream/motion_vectors.h"
#include "bitstream/trees.h"
#include "common/types.h"
#include "decide/rate_distortion.h"

namespace vp8 {

// Inlined: if the compiler knows the leaf, little is left of the path from the root.
template <int Size, typename Probabilities>
[[gnu::always_inline]] inline Rate tree_rate(const Tree<Size>& tree,
                                             const Probabilities& probabilities, int leaf) {
  RateCounter counter;
  write_tree(counter, tree, probabilities, leaf);
  return counter.rate();
}

// Rates of motion vectors' differences from their prediction.
class MvRates {
 public:
  explicit MvRates(const MvProbabilities& probabilities);

  Rate of(MotionVector difference) const { return of_row(difference.row) + of_col(difference.col); }
  Rate of_row(int difference) const { return component_[0][difference + kMaxMvMagnitude]; }
  Rate of_col(int difference) const { return component_[1][difference + kMaxMvMagnitude]; }
  // Whether a difference can be coded at all.
  static bool codable(int row, int col) { return codable(row) && codable(col); }
  static bool codable(int component) {
    return component >= -kMaxMvMagnitude && component <= kMaxMvMagnitude;
  }

 private:
  std::uint16_t component_[2][2 * kMaxMvMagnitude + 1];
};

class ModeRates {
 public:
  ModeRates(const FrameHeader& header, const CodingContext& context);

  // Of segment and skip flag, which come before the modes.
  Rate start(int segment, bool skip) const { return segment_[segment] + skip_[skip]; }
  // Of an intra mode, including the decision for intra; in an inter frame also what that costs
  // the neighbours, which find no vector there.
  Rate y_mode(MacroblockMode mode) const { return y_mode_[mode]; }
  Rate uv_mode(MacroblockMode mode) const { return uv_mode_[mode]; }
  // `above` and `left` matter only in a key frame.
  Rate subblock_mode(SubblockMode mode, SubblockMode above, SubblockMode left) const {
    return key_frame_ ? key_frame_subblock_mode(mode, above, left) : subblock_mode_[mode];
  }
  // Of a reference, including the decision for inter.
  Rate reference(ReferenceFrame reference) const { return reference_[reference]; }
  [[gnu::always_inline]] static Rate inter_mode(const MvCandidates& candidates,
                                                MacroblockMode mode) {
    return tree_rate(kInterModeTree, candidates.mode_probabilities, mode - NEARESTMV);
  }
  static Rate split_partitioning(SplitPartitioning partitioning);
  static Rate split_mode(SplitMvMode mode, MotionVector left, MotionVector above);
  const MvRates& mv() const { return mv_; }

 private:
  static Rate key_frame_subblock_mode(SubblockMode mode, SubblockMode above, SubblockMode left);

  bool key_frame_;
  std::array<Rate, kMaxSegments> segment_{};
  std::array<Rate, 2> skip_{};
  std::array<Rate, 5> y_mode_{};
  std::array<Rate, 4> uv_mode_{};
  std::array<Rate, kSubblockModes> subblock_mode_{};
  std::array<Rate, kReferenceFrames> reference_{};
  MvRates mv_;
};

}  // namespace vp8
