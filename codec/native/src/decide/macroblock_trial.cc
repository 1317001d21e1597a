#include "decide/macroblock_trial.h"

#include <limits>
#include <utility>

#include "kernels/kernels.h"

namespace vp8 {

MacroblockTrial::MacroblockTrial(RowWriter& row)
    : row_(row), frame_(row.frame()), rates_(frame_.mode_rates()), lagrangian_(1) {}

void MacroblockTrial::begin(int column, int segment) {
  column_ = column;
  segment_ = segment;
  source_ = frame_.source_at(row_.row(), column);
  target_ = frame_.target_at(row_.row(), column);
  lagrangian_ = frame_.lagrangian(row_.row(), column, segment);
  best_->cost = std::numeric_limits<Cost>::max();
  fetch_source_ahead();
}

// The source comes from memory, a few bytes from each of many lines. Processors do not
// prefetch that many.
void MacroblockTrial::fetch_source_ahead() const {
  constexpr int kLineBytes = 64;
  if ((column_ & 3) != 0) return;
  for (int y = 0; y < 16; ++y) {
    __builtin_prefetch(source_.pixels[0] + y * source_.stride[0] + kLineBytes);
  }
  if ((column_ & 7) != 0) return;
  for (int p = 1; p < kPlanes; ++p) {
    for (int y = 0; y < 8; ++y) {
      __builtin_prefetch(source_.pixels[p] + y * source_.stride[p] + kLineBytes);
    }
  }
}

void MacroblockTrial::evaluate(Rate rate) {
  predict_macroblock(frame_.reconstruction(), candidate_->info, row_.row(), column_,
                     frame_.raster());
  evaluate_predicted(prediction_cost(true), rate);
}

void MacroblockTrial::evaluate_predicted(Cost base, Rate rate, int chroma_steps) {
  TokenContext above = row_.above(column_);
  TokenContext left = row_.left();
  const ResidueCoder residue = residue_coder(chroma_steps);
  Cost coded = residue.code_luma(candidate_->info.has_y2(), source_, target_, above, left,
                                 candidate_->coefficients);
  coded += residue.code_chroma(source_, target_, above, left, candidate_->coefficients);
  keep_if_best(base, coded, rate);
}

void MacroblockTrial::keep_if_best(Cost base, Cost coded, Rate rate) {
  Candidate& candidate = *candidate_;
  candidate.cost = base + coded + lagrangian_.cost(0, rate + rates_.start(segment_, false));
  const Cost skipped = base + lagrangian_.cost(0, rate + rates_.start(segment_, true));
  // Coding nothing is always a choice, except for B_PRED: its subblocks were
  // predicted from coded ones.
  if (candidate.info.y_mode != B_PRED && skipped <= candidate.cost) {
    candidate.coefficients.clear_tokens(candidate.info.has_y2());
    candidate.cost = skipped;
  }
  if (candidate.cost < best_->cost) std::swap(best_, candidate_);
}

Cost MacroblockTrial::prediction_cost(bool luma) const {
  const Kernels& k = kernels();
  int sum = 0;
  for (int p = luma ? 0 : 1; p < kPlanes; ++p) {
    sum += k.sse[p == 0 ? 2 : 1](source_.pixels[p], source_.stride[p], target_.pixels[p],
                                 target_.stride[p]);
  }
  return lagrangian_.cost(std::int64_t{16} * sum, 0);
}

}  // namespace vp8
