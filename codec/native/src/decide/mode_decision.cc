#include "decide/mode_decision.h"

#include <cstring>
#include <limits>
#include <utility>

#include "bitstream/macroblock_header.h"
#include "kernels/kernels.h"
#include "picture/intra_prediction.h"
#include "picture/transform.h"

namespace vp8 {
namespace {

constexpr Cost kNever = std::numeric_limits<Cost>::max();
constexpr MacroblockMode kWholeIntraModes[] = {DC_PRED, V_PRED, H_PRED, TM_PRED};

}  // namespace

ModeDecision::ModeDecision(RowWriter& row)
    : row_(row),
      frame_(row.frame()),
      rates_(frame_.mode_rates()),
      key_frame_(frame_.header().start.key_frame),
      lagrangian_(1) {}

void ModeDecision::begin(int column, int segment) {
  column_ = column;
  segment_ = segment;
  source_ = frame_.source_at(row_.row(), column);
  target_ = frame_.target_at(row_.row(), column);
  lagrangian_ = frame_.lagrangian(row_.row(), column, segment);
  best_->cost = kNever;
  fetch_source_ahead();
}

// The source comes from memory, a few bytes from each of many lines, which is more
// than processors foresee.
void ModeDecision::fetch_source_ahead() const {
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

void ModeDecision::decide(int column) {
  begin(column, frame_.segment_at(row_.row(), column));
  if (!key_frame_) try_inter();
  try_intra(true);
  commit(subblocks_are_left());
}

void ModeDecision::keep_if_best(Cost base, Cost coded, Rate rate) {
  Candidate& candidate = *scratch_;
  candidate.cost = base + coded + lagrangian_.cost(0, rate + rates_.start(segment_, false));
  const Cost skipped = base + lagrangian_.cost(0, rate + rates_.start(segment_, true));
  // Coding nothing is always a choice, except for B_PRED: its subblocks were
  // predicted from coded ones.
  if (candidate.info.y_mode != B_PRED && skipped <= candidate.cost) {
    candidate.coefficients.clear_tokens(candidate.info.has_y2());
    candidate.cost = skipped;
  }
  if (candidate.cost < best_->cost) std::swap(best_, scratch_);
}

// What coding nothing of the residue costs.
Cost ModeDecision::prediction_cost(const MacroblockPixels& prediction, bool luma) const {
  const Kernels& k = kernels();
  int sum = luma ? k.sse[2](source_.pixels[0], source_.stride[0], prediction.pixels[0],
                            prediction.stride[0])
                 : 0;
  for (int p = 1; p < kPlanes; ++p) {
    sum +=
        k.sse[1](source_.pixels[p], source_.stride[p], prediction.pixels[p], prediction.stride[p]);
  }
  return lagrangian_.cost(std::int64_t{16} * sum, 0);
}

void ModeDecision::evaluate(Rate rate) {
  predict_macroblock(frame_.reconstruction(), scratch_->info, row_.row(), column_, frame_.raster());
  evaluate_predicted(prediction_cost(target_, true), rate);
}

void ModeDecision::evaluate_predicted(Cost base, Rate rate, bool hasty) {
  TokenContext above = row_.above(column_);
  TokenContext left = row_.left();
  const ResidueCoder residue{frame_.token_rates(), lagrangian_, frame_.quantizers(segment_), hasty};
  Cost coded = residue.code_luma(scratch_->info.has_y2(), source_, target_, above, left,
                                 scratch_->coefficients);
  coded += residue.code_chroma(source_, target_, above, left, scratch_->coefficients);
  keep_if_best(base, coded, rate);
}

MacroblockMode ModeDecision::choose_uv_mode() {
  Cost best = kNever;
  MacroblockMode chosen = DC_PRED;
  for (const MacroblockMode mode : kWholeIntraModes) {
    int difference = 0;
    for (int p = 1; p < kPlanes; ++p) {
      predict_intra(mode, 8, target_.pixels[p], target_.stride[p], row_.row() > 0, column_ > 0);
      difference += kernels().satd[1](source_.pixels[p], source_.stride[p], target_.pixels[p],
                                      target_.stride[p]);
    }
    const Cost cost = lagrangian_.absolute_cost(difference, rates_.uv_mode(mode));
    if (cost < best) {
      best = cost;
      chosen = mode;
    }
  }
  return chosen;
}

void ModeDecision::try_intra(bool subblocks) {
  const MacroblockMode uv_mode = choose_uv_mode();
  const auto evaluate_whole = [&](MacroblockMode mode) {
    MacroblockInfo& info = scratch_->info;
    info = {};
    info.segment = static_cast<std::uint8_t>(segment_);
    info.uv_mode = uv_mode;
    info.y_mode = mode;
    info.subblock_modes.fill(implied_subblock_mode(mode));
    evaluate(rates_.y_mode(mode) + rates_.uv_mode(uv_mode));
  };
  if (key_frame_) {
    for (const MacroblockMode mode : kWholeIntraModes) evaluate_whole(mode);
  } else {
    Cost best = kNever;
    MacroblockMode chosen = DC_PRED;
    for (const MacroblockMode mode : kWholeIntraModes) {
      predict_intra(mode, 16, target_.pixels[0], target_.stride[0], row_.row() > 0, column_ > 0);
      const int difference = kernels().satd[2](source_.pixels[0], source_.stride[0],
                                               target_.pixels[0], target_.stride[0]);
      const Cost cost = lagrangian_.absolute_cost(difference, rates_.y_mode(mode));
      if (cost < best) {
        best = cost;
        chosen = mode;
      }
    }
    evaluate_whole(chosen);
  }
  if (key_frame_ || subblocks || !best_->info.is_inter()) try_subblock_intra(uv_mode);
}

SubblockMode ModeDecision::choose_subblock_mode(int subblock, const MacroblockInfo& info,
                                                const std::uint8_t (*predictions)[16],
                                                Rate& rate) const {
  const std::ptrdiff_t offset = (subblock & 3) * 4;
  const std::ptrdiff_t line = (subblock >> 2) * 4;
  const MacroblockGrid& grid = frame_.macroblocks();
  const auto i = static_cast<std::size_t>(subblock);
  const SubblockMode above = subblock >= 4
                                 ? info.subblock_modes[i - 4]
                                 : grid.at(row_.row() - 1, column_).subblock_modes[i + 12];
  const SubblockMode left = (subblock & 3) ? info.subblock_modes[i - 1]
                                           : grid.at(row_.row(), column_ - 1).subblock_modes[i + 3];
  int differences[kSubblockModes];
  kernels().satd_many(source_.pixels[0] + line * source_.stride[0] + offset, source_.stride[0],
                      predictions, kSubblockModes, differences);
  Cost best = kNever;
  SubblockMode chosen = B_DC_PRED;
  for (int m = 0; m < kSubblockModes; ++m) {
    const auto mode = static_cast<SubblockMode>(m);
    const Rate own = rates_.subblock_mode(mode, above, left);
    const Cost cost = lagrangian_.absolute_cost(differences[m], own);
    if (cost < best) {
      best = cost;
      chosen = mode;
      rate = own;
    }
  }
  return chosen;
}

void ModeDecision::try_subblock_intra(MacroblockMode uv_mode) {
  MacroblockInfo& info = scratch_->info;
  info = {};
  info.segment = static_cast<std::uint8_t>(segment_);
  info.y_mode = B_PRED;
  info.uv_mode = uv_mode;
  MacroblockCoefficients& coefficients = scratch_->coefficients;
  const std::ptrdiff_t stride = target_.stride[0];
  const AboveRight above_right{target_.pixels[0] - stride, stride};
  const SegmentQuantizers& quantizers = frame_.quantizers(segment_);
  const ResidueCoder residue{frame_.token_rates(), lagrangian_, quantizers};
  TokenContext above = row_.above(column_);
  TokenContext left = row_.left();
  Rate rate = rates_.y_mode(B_PRED) + rates_.uv_mode(uv_mode);
  Cost base = 0;
  Cost coded = 0;
  for (int i = 0; i < 16; ++i) {
    const std::ptrdiff_t line = (i >> 2) * 4;
    const std::ptrdiff_t offset = (i & 3) * 4;
    std::uint8_t* pixels = target_.pixels[0] + line * stride + offset;
    const std::uint8_t* source = source_.pixels[0] + line * source_.stride[0] + offset;
    alignas(32) std::uint8_t predictions[kSubblockModes][16];
    const SubblockEdge edge = subblock_edge(pixels, stride, above_right.of(i));
    kernels().predict_all_subblocks(edge.pixels, predictions);
    Rate own = 0;
    const SubblockMode mode = choose_subblock_mode(i, info, predictions, own);
    info.subblock_modes[static_cast<std::size_t>(i)] = mode;
    rate += own;
    const std::uint8_t* prediction = predictions[mode];
    for (int y = 0; y < 4; ++y) std::memcpy(pixels + y * stride, prediction + 4 * y, 4);
    base += lagrangian_.cost(
        std::int64_t{16} * kernels().sse[0](source, source_.stride[0], prediction, 4), 0);
    coded += residue.code_subblock(i, source, source_.stride[0], prediction, 4, above, left,
                                   coefficients);
    if (base + coded + lagrangian_.cost(0, rate) >= best_->cost) return;
    add_block(coefficients.values[i], coefficients.ends[i], quantizers.y.steps, pixels, stride);
  }
  for (int p = 1; p < kPlanes; ++p) {
    predict_intra(uv_mode, 8, target_.pixels[p], target_.stride[p], row_.row() > 0, column_ > 0);
  }
  base += prediction_cost(target_, false);
  coded += residue.code_chroma(source_, target_, above, left, coefficients);
  keep_if_best(base, coded, rate);
}

}  // namespace vp8
