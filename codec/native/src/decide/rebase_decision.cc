// Modes and vectors that were found before, looked at again against other
// references.
#include <algorithm>
#include <cstring>

#include "bitstream/macroblock_header.h"
#include "decide/mode_decision.h"
#include "kernels/kernels.h"
#include "picture/intra_prediction.h"

namespace vp8 {
namespace {

// Intra modes are weighed where the best of them differs from the source at most
// this many halves of what inter prediction does.
constexpr int kPromisingHalves = 3;

// A luma macroblock outside the raster.
struct LumaBlock {
  alignas(32) std::uint8_t pixels[16 * 16];
};

// A luma prediction, in the reference itself or put together.
struct LumaPrediction {
  const std::uint8_t* pixels;
  std::ptrdiff_t stride;
};

LumaPrediction predict_whole(const Plane& reference, int x, int y, MotionVector mv, bool bilinear,
                             LumaBlock& block) {
  if (((mv.row | mv.col) & 3) == 0) {
    const std::uint8_t* pixels = displaced(reference, x + (mv.col >> 2), y + (mv.row >> 2), 16, 16);
    if (pixels != nullptr) return {pixels, reference.stride};
  }
  predict_luma_block(reference, x, y, mv, 16, 16, bilinear, block.pixels, 16);
  return {block.pixels, 16};
}

}  // namespace

void ModeDecision::decide_again(int column, const MacroblockInfo& old) {
  begin(column, frame_.header().segmentation.update_map ? old.segment
                                                        : frame_.segment_at(row_.row(), column));
  try_inter_again(old);
  // Where prediction from a reference leaves nothing to code, intra cannot win.
  bool predicted = true;
  if (!old.is_inter() || (best_has_tokens() && intra_promises())) {
    best_->cost += prediction_cost(target_, true);
    try_intra(old.y_mode == B_PRED);
    predicted = subblocks_are_left();
  }
  commit(predicted);
}

// Names the parts' vectors anew, from the neighbours as they are now. Returns
// whether they all have names.
bool ModeDecision::name_split_again(MacroblockInfo& info, const MvCandidates& suggested,
                                    Rate& rate) const {
  const MacroblockGrid& grid = frame_.macroblocks();
  const MacroblockInfo& above = grid.at(row_.row() - 1, column_);
  const MacroblockInfo& left = grid.at(row_.row(), column_ - 1);
  rate = rates_.reference(info.reference) + ModeRates::inter_mode(suggested, SPLITMV) +
         ModeRates::split_partitioning(info.partitioning);
  for (int part = 0; part < kSplitPartCount[info.partitioning]; ++part) {
    const int first = first_subblock_of_part(info.partitioning, part);
    const MotionVector mv = info.mvs[static_cast<std::size_t>(first)];
    const MotionVector from_left = left_mv(info, left, first);
    const MotionVector from_above = above_mv(info, above, first);
    SplitMvMode mode = NEW4X4;
    if (mv == from_left) {
      mode = LEFT4X4;
    } else if (mv == from_above) {
      mode = ABOVE4X4;
    } else if (mv.is_zero()) {
      mode = ZERO4X4;
    } else {
      const MotionVector difference = mv - suggested.best;
      if (!MvRates::codable(difference.row, difference.col)) return false;
      rate += rates_.mv().of(difference);
    }
    rate += ModeRates::split_mode(mode, from_left, from_above);
    info.split_modes[static_cast<std::size_t>(part)] = mode;
  }
  return true;
}

// Leaves the prediction of what it chose in the raster.
void ModeDecision::try_inter_again(const MacroblockInfo& old) {
  const ReferenceFrame reference = old.is_inter() ? old.reference : kLastFrame;
  const Raster& raster = *frame_.reconstruction().references[reference];
  const InterpolationFilter filter = frame_.reconstruction().filter;
  const Plane plane = raster.plane(0);
  const MvCandidates& suggested = look_around(reference);
  const Rate reference_rate = rates_.reference(reference);
  const int x = column_ * 16;
  const int y = row_.row() * 16;

  MacroblockInfo& info = scratch_->info;
  info = {};
  info.segment = static_cast<std::uint8_t>(segment_);
  info.reference = reference;

  struct Option {
    MacroblockMode mode;
    MotionVector mv;
    Rate rate;
  };
  Option options[4];
  int count = 0;
  const auto offer = [&](MacroblockMode mode, MotionVector mv, Rate own) {
    const Rate rate = reference_rate + own;
    for (int i = 0; i < count; ++i) {
      if (options[i].mv == mv) {
        if (rate < options[i].rate) options[i] = {mode, mv, rate};
        return;
      }
    }
    options[count++] = {mode, mv, rate};
  };
  offer(ZEROMV, {}, ModeRates::inter_mode(suggested, ZEROMV));
  offer(NEARESTMV, suggested.nearest, ModeRates::inter_mode(suggested, NEARESTMV));
  offer(NEARMV, suggested.near, ModeRates::inter_mode(suggested, NEARMV));
  if (old.is_inter()) {
    const MotionVector difference = old.mv() - suggested.best;
    if (MvRates::codable(difference.row, difference.col)) {
      offer(NEWMV, old.mv(), ModeRates::inter_mode(suggested, NEWMV) + rates_.mv().of(difference));
    }
  }

  LumaBlock blocks[2];
  int free = 0;
  LumaPrediction best_prediction{};
  Cost best = 0;
  Rate best_rate = 0;
  const auto weigh = [&](const LumaPrediction& prediction, Rate rate) {
    const int difference = kernels().satd[2](source_.pixels[0], source_.stride[0],
                                             prediction.pixels, prediction.stride);
    const Cost cost = lagrangian_.absolute_cost(difference, rate);
    if (best_prediction.pixels != nullptr && cost >= best) return false;
    best = cost;
    best_rate = rate;
    best_prediction = prediction;
    if (prediction.pixels == blocks[free].pixels) free ^= 1;
    return true;
  };
  Option chosen = options[0];
  for (int i = 0; i < count; ++i) {
    const LumaPrediction prediction =
        predict_whole(plane, x, y, options[i].mv, filter.bilinear, blocks[free]);
    if (weigh(prediction, options[i].rate)) chosen = options[i];
  }
  info.y_mode = chosen.mode;
  info.mvs.fill(chosen.mv);
  if (old.y_mode == SPLITMV) {
    MacroblockInfo split = old;
    split.segment = info.segment;
    split.has_tokens = false;
    Rate rate = 0;
    if (name_split_again(split, suggested, rate)) {
      const MacroblockPixels target{{blocks[free].pixels, nullptr, nullptr}, {16, 0, 0}};
      predict_inter_luma(split, raster, row_.row(), column_, filter, target);
      if (weigh({blocks[free].pixels, 16}, rate)) info = split;
    }
  }

  kernels().copy[2](best_prediction.pixels, best_prediction.stride, target_.pixels[0],
                    target_.stride[0], 16);
  predict_inter_chroma(info, raster, row_.row(), column_, filter, target_);
  // Against coding nothing of it, what the prediction itself costs does not matter.
  evaluate_predicted(0, best_rate, true);
}

// Compares absolute differences of the prediction in the raster and of intra
// prediction of whole macroblocks.
bool ModeDecision::intra_promises() const {
  const Kernels& k = kernels();
  const int inter =
      k.sad[2](source_.pixels[0], source_.stride[0], target_.pixels[0], target_.stride[0]);
  // A block of its own with the same neighbours.
  constexpr std::ptrdiff_t kStride = 32;
  alignas(32) std::uint8_t area[17 * kStride + 32];
  std::uint8_t* const block = area + kStride + 16;
  std::memcpy(block - kStride - 1, target_.pixels[0] - target_.stride[0] - 1, 17);
  for (int y = 0; y < 16; ++y)
    block[y * kStride - 1] = target_.pixels[0][y * target_.stride[0] - 1];
  for (const MacroblockMode mode : {DC_PRED, V_PRED, H_PRED, TM_PRED}) {
    predict_intra(mode, 16, block, kStride, row_.row() > 0, column_ > 0);
    const int intra = k.sad[2](source_.pixels[0], source_.stride[0], block, kStride);
    if (intra * 2 < inter * kPromisingHalves) return true;
  }
  return false;
}

}  // namespace vp8
