// One macroblock on trial: its source, the candidates for coding it, and their costs.
#pragma once

#include "bitstream/macroblock_header.h"
#include "decide/frame_writer.h"
#include "decide/motion_search.h"

namespace vp8 {

// Holds the best candidate so far and the one at hand. A decider begins a macroblock,
// describes one candidate after the other and evaluates each, then commits the best.
class MacroblockTrial {
 public:
  // A way to code the macroblock.
  struct Candidate {
    MacroblockInfo info;
    MacroblockCoefficients coefficients;
    Cost cost;
  };

  explicit MacroblockTrial(RowWriter& row);

  // The next macroblock of the row.
  void begin(int column, int segment);
  // Codes the best candidate. `predicted`: the target holds its prediction already.
  void commit(bool predicted) {
    row_.commit(column_, best_->info, suggested_[best_->info.reference], best_->coefficients,
                predicted);
  }

  // ---- candidates ----
  const Candidate& best() const { return *best_; }
  bool best_has_tokens() const { return has_tokens(best_->info.has_y2(), best_->coefficients); }
  void add_to_best(Cost cost) { best_->cost += cost; }
  // The candidate at hand.
  Candidate& candidate() { return *candidate_; }
  // The same, empty.
  Candidate& new_candidate() {
    candidate_->info = {};
    candidate_->info.segment = static_cast<std::uint8_t>(segment_);
    return *candidate_;
  }
  // Predicts the candidate at hand, codes its residue, and keeps it if it is the best so
  // far. `rate` is that of its modes and vectors.
  void evaluate(Rate rate);
  // The same for a prediction that is in the target already. `base`: what coding nothing
  // of the residue costs. Chroma that differs by less than `chroma_steps` is not coded.
  void evaluate_predicted(Cost base, Rate rate, int chroma_steps = 0);
  // Keeps the candidate at hand if it is the best so far. `coded`: what coding its residue
  // costs, less what coding nothing does.
  void keep_if_best(Cost base, Cost coded, Rate rate);

  // ---- the macroblock ----
  int row() const { return row_.row(); }
  int column() const { return column_; }
  int segment() const { return segment_; }
  bool has_above() const { return row_.row() > 0; }
  bool has_left() const { return column_ > 0; }
  const MacroblockPixels& source() const { return source_; }
  const MacroblockPixels& target() const { return target_; }
  const MacroblockInfo& above() const { return frame_.macroblocks().at(row() - 1, column_); }
  const MacroblockInfo& left() const { return frame_.macroblocks().at(row(), column_ - 1); }
  // The one above, in the last column.
  const MacroblockInfo& above_right() const {
    const int last = frame_.macroblocks().columns() - 1;
    return frame_.macroblocks().at(row() - 1, column_ < last ? column_ + 1 : last);
  }
  const TokenContext& tokens_above() const { return row_.above(column_); }
  const TokenContext& tokens_left() const { return row_.left(); }
  const SegmentQuantizers& quantizers() const { return frame_.quantizers(segment_); }
  // What the neighbours suggest for a reference, from the grid as it is now.
  const MvCandidates& suggest(ReferenceFrame reference) {
    return suggested_[reference] = mv_candidates_at(frame_.macroblocks(), row(), column_, reference,
                                                    frame_.context().sign_bias);
  }
  // What suggest() returned last.
  const MvCandidates& suggested(ReferenceFrame reference) const { return suggested_[reference]; }

  // ---- motion ----
  // A rectangle of the macroblock's luma, and the search for it in a reference.
  SearchBlock search_block(int x, int y, int width, int height) const {
    return {source_.pixels[0] + y * source_.stride[0] + x,
            source_.stride[0],
            column_ * 16 + x,
            row() * 16 + y,
            width,
            height};
  }
  MotionSearch motion_search(const Plane& plane, MotionVector predicted) const {
    const MacroblockGrid& grid = frame_.macroblocks();
    return {.reference = plane,
            .rates = rates_.mv(),
            .lagrangian = lagrangian_,
            .bounds = mv_bounds(row(), column_, grid.rows(), grid.columns()),
            .predicted = predicted,
            .bilinear = frame_.reconstruction().filter.bilinear};
  }

  // ---- costs ----
  const FrameWriter& frame() const { return frame_; }
  const ModeRates& rates() const { return rates_; }
  const Lagrangian& lagrangian() const { return lagrangian_; }
  ResidueCoder residue_coder(int chroma_steps = 0) const {
    return {frame_.token_rates(), lagrangian_, quantizers(), chroma_steps};
  }
  // What coding nothing of the residue costs, by the prediction in the target.
  Cost prediction_cost(bool luma) const;

 private:
  void fetch_source_ahead() const;

  RowWriter& row_;
  FrameWriter& frame_;
  const ModeRates& rates_;
  int column_ = 0;
  int segment_ = 0;
  Lagrangian lagrangian_;
  MacroblockPixels source_{};
  MacroblockPixels target_{};
  MvCandidates suggested_[kReferenceFrames] = {};
  Candidate candidates_[2];
  Candidate* best_ = &candidates_[0];
  Candidate* candidate_ = &candidates_[1];
};

}  // namespace vp8
