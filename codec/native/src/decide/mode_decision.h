// Deciding how one macroblock is coded, by rate and distortion.
#pragma once

#include <vector>

#include "bitstream/macroblock_header.h"
#include "decide/frame_writer.h"
#include "decide/motion_search.h"

namespace vp8 {

class ModeDecision {
 public:
  explicit ModeDecision(RowWriter& row);

  // Decides the next macroblock of the row and commits it.
  void decide(int column);

  // The same in a fraction of the time, for a macroblock that was decided before
  // against other references: its old vectors and what its neighbours suggest now
  // are all that is looked at, and intra modes where they promise something.
  void decide_again(int column, const MacroblockInfo& old);

 private:
  // A way to code the macroblock, weighed to the end.
  struct Candidate {
    MacroblockInfo info;
    MacroblockCoefficients coefficients;
    Cost cost;
  };
  // A way to predict it whole from a reference, weighed by Hadamard differences.
  struct RoughCandidate {
    ReferenceFrame reference;
    MacroblockMode mode;
    MotionVector mv;
    Rate rate;
    Cost cost;
  };

  void begin(int column, int segment);
  void fetch_source_ahead() const;
  void commit(bool predicted) {
    row_.commit(column_, best_->info, suggested_[best_->info.reference], best_->coefficients,
                predicted);
  }

  // Weigh what the scratch candidate says; keep it if it is the best so far. `rate`
  // is that of its modes and vectors.
  void evaluate(Rate rate);
  void evaluate_predicted(Cost base, Rate rate, bool hasty = false);
  void keep_if_best(Cost base, Cost coded, Rate rate);
  Cost prediction_cost(const MacroblockPixels& prediction, bool luma) const;
  bool best_has_tokens() const { return has_tokens(best_->info.has_y2(), best_->coefficients); }

  // mode_decision.cc
  void try_intra(bool subblocks);
  void try_subblock_intra(MacroblockMode uv_mode);
  // Whether the raster holds the best candidate: subblocks are tried last, and predicted
  // from each other, so that those are reconstructed already.
  bool subblocks_are_left() const { return best_->info.y_mode == B_PRED; }
  MacroblockMode choose_uv_mode();
  SubblockMode choose_subblock_mode(int subblock, const MacroblockInfo& info,
                                    const std::uint8_t (*predictions)[16], Rate& rate) const;

  // inter_decision.cc
  void try_inter();
  void search_whole(ReferenceFrame reference, Cost& best_by_whole_pixels,
                    std::vector<RoughCandidate>& rough);
  void try_split(const MacroblockInfo& whole);
  Cost search_split(SplitPartitioning partitioning, const MvCandidates& near_by,
                    MacroblockInfo& info, Rate& rate) const;
  MacroblockInfo whole_info(const RoughCandidate& candidate) const;
  MotionSearch motion_search(const Plane& plane, MotionVector predicted) const;
  SearchBlock search_block(int x, int y, int width, int height) const;
  // What the neighbours suggest for a reference, from the grid as it is now.
  const MvCandidates& look_around(ReferenceFrame reference) {
    return suggested_[reference] = mv_candidates_at(frame_.macroblocks(), row_.row(), column_,
                                                    reference, frame_.context().sign_bias);
  }

  // rebase_decision.cc
  bool name_split_again(MacroblockInfo& info, const MvCandidates& near_by, Rate& rate) const;
  void try_inter_again(const MacroblockInfo& old);
  bool intra_promises() const;

  RowWriter& row_;
  FrameWriter& frame_;
  const ModeRates& rates_;
  const bool key_frame_;
  // The macroblock at hand.
  int column_ = 0;
  int segment_ = 0;
  Lagrangian lagrangian_;
  MacroblockPixels source_{};
  MacroblockPixels target_{};
  MvCandidates suggested_[kReferenceFrames] = {};  // of those that were looked at
  Candidate candidates_[2];
  Candidate* best_ = &candidates_[0];
  Candidate* scratch_ = &candidates_[1];
};

}  // namespace vp8
