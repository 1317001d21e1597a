#include "decide/repeat_decider.h"

#include <cstring>
#include <limits>

#include "decide/intra_trial.h"
#include "kernels/kernels.h"
#include "picture/intra_prediction.h"

namespace vp8 {
namespace {

// Whole vectors that may predict the macroblock, with the cheapest mode that names each.
class WholeVectors {
 public:
  struct Option {
    MacroblockMode mode;
    MotionVector mv;
    Rate rate;
  };

  WholeVectors(const ModeRates& rates, ReferenceFrame reference, const MvCandidates& suggested,
               const MacroblockInfo& old)
      : reference_rate_(rates.reference(reference)) {
    add(ZEROMV, {}, ModeRates::inter_mode(suggested, ZEROMV));
    add(NEARESTMV, suggested.nearest, ModeRates::inter_mode(suggested, NEARESTMV));
    add(NEARMV, suggested.near, ModeRates::inter_mode(suggested, NEARMV));
    if (!old.is_inter()) return;
    const MotionVector difference = old.mv() - suggested.best;
    if (!MvRates::codable(difference.row, difference.col)) return;
    add(NEWMV, old.mv(), ModeRates::inter_mode(suggested, NEWMV) + rates.mv().of(difference));
  }

  const Option* begin() const { return options_; }
  const Option* end() const { return options_ + count_; }

 private:
  void add(MacroblockMode mode, MotionVector mv, Rate own) {
    const Rate rate = reference_rate_ + own;
    for (int i = 0; i < count_; ++i) {
      if (options_[i].mv == mv) {
        if (rate < options_[i].rate) options_[i] = {mode, mv, rate};
        return;
      }
    }
    options_[count_++] = {mode, mv, rate};
  }

  const Rate reference_rate_;
  Option options_[4];
  int count_ = 0;
};

// Compares predictions of luma by Hadamard differences and keeps the best.
class LumaContest {
 public:
  // A prediction, in the reference itself or in the spare block.
  struct Prediction {
    const std::uint8_t* pixels;
    std::ptrdiff_t stride;
  };

  explicit LumaContest(const MacroblockTrial& trial)
      : source_(trial.source()), lagrangian_(trial.lagrangian()) {}

  // Where the next prediction may be put together.
  std::uint8_t* spare() { return blocks_[spare_]; }
  static constexpr std::ptrdiff_t kStride = 16;

  // Weighs a prediction and returns whether it is the best so far.
  bool weigh(const Prediction& prediction, Rate rate) {
    const int difference = kernels().satd[2](source_.pixels[0], source_.stride[0],
                                             prediction.pixels, prediction.stride);
    const Cost cost = lagrangian_.absolute_cost(difference, rate);
    if (cost >= best_cost_) return false;
    best_cost_ = cost;
    best_rate_ = rate;
    best_ = prediction;
    if (prediction.pixels == blocks_[spare_]) spare_ ^= 1;
    return true;
  }
  const Prediction& best() const { return best_; }
  Rate best_rate() const { return best_rate_; }

 private:
  const MacroblockPixels& source_;
  const Lagrangian& lagrangian_;
  alignas(32) std::uint8_t blocks_[2][16 * kStride];
  int spare_ = 0;
  Prediction best_{};
  Cost best_cost_ = std::numeric_limits<Cost>::max();
  Rate best_rate_ = 0;
};

LumaContest::Prediction predict_whole(const Plane& reference, int x, int y, MotionVector mv,
                                      bool bilinear, std::uint8_t* block) {
  if (((mv.row | mv.col) & 3) == 0) {
    const std::uint8_t* pixels = displaced(reference, x + (mv.col >> 2), y + (mv.row >> 2), 16, 16);
    if (pixels != nullptr) return {pixels, reference.stride};
  }
  predict_luma_block(reference, x, y, mv, 16, 16, bilinear, block, LumaContest::kStride);
  return {block, LumaContest::kStride};
}

}  // namespace

void RepeatDecider::decide(int column, const MacroblockInfo& old) {
  const FrameWriter& frame = trial_.frame();
  trial_.begin(column, frame.header().segmentation.update_map
                           ? old.segment
                           : frame.segment_at(trial_.row(), column));
  try_inter(old);
  // If prediction from a reference leaves nothing to code, intra cannot win.
  bool predicted = true;
  if (!old.is_inter() || (trial_.best_has_tokens() && intra_promises())) {
    trial_.add_to_best(trial_.prediction_cost(true));
    try_intra(trial_, {.subblocks = old.y_mode == B_PRED, .subblock_finalists = 1});
    predicted = target_holds_best(trial_);
  }
  trial_.commit(predicted);
}

bool RepeatDecider::name_split(MacroblockInfo& info, const MvCandidates& suggested,
                               Rate& rate) const {
  const ModeRates& rates = trial_.rates();
  rate = rates.reference(info.reference) + ModeRates::inter_mode(suggested, SPLITMV) +
         ModeRates::split_partitioning(info.partitioning);
  for (int part = 0; part < kSplitPartCount[info.partitioning]; ++part) {
    const int first = first_subblock_of_part(info.partitioning, part);
    const MotionVector mv = info.mvs[static_cast<std::size_t>(first)];
    const MotionVector from_left = left_mv(info, trial_.left(), first);
    const MotionVector from_above = above_mv(info, trial_.above(), first);
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
      rate += rates.mv().of(difference);
    }
    rate += ModeRates::split_mode(mode, from_left, from_above);
    info.split_modes[static_cast<std::size_t>(part)] = mode;
  }
  return true;
}

void RepeatDecider::try_inter(const MacroblockInfo& old) {
  const ReferenceFrame reference = old.is_inter() ? old.reference : kLastFrame;
  const ReconstructionContext& reconstruction = trial_.frame().reconstruction();
  const Raster& raster = *reconstruction.references[reference];
  const InterpolationFilter filter = reconstruction.filter;
  const Plane plane = raster.plane(0);
  const MvCandidates& suggested = trial_.suggest(reference);
  const MacroblockPixels& target = trial_.target();
  const int row = trial_.row();
  const int column = trial_.column();

  MacroblockInfo& info = trial_.new_candidate().info;
  info.reference = reference;
  LumaContest contest(trial_);
  WholeVectors::Option chosen{};
  for (const auto& option : WholeVectors(trial_.rates(), reference, suggested, old)) {
    const LumaContest::Prediction prediction =
        predict_whole(plane, column * 16, row * 16, option.mv, filter.bilinear, contest.spare());
    if (contest.weigh(prediction, option.rate)) chosen = option;
  }
  info.y_mode = chosen.mode;
  info.mvs.fill(chosen.mv);
  if (effort_.splits && old.y_mode == SPLITMV) {
    MacroblockInfo split = old;
    split.segment = info.segment;
    split.has_tokens = false;
    Rate rate = 0;
    if (name_split(split, suggested, rate)) {
      const LumaContest::Prediction prediction{contest.spare(), LumaContest::kStride};
      predict_inter_luma(split, raster, row, column, filter,
                         {{contest.spare(), nullptr, nullptr}, {LumaContest::kStride, 0, 0}});
      if (contest.weigh(prediction, rate)) info = split;
    }
  }

  kernels().copy[2](contest.best().pixels, contest.best().stride, target.pixels[0],
                    target.stride[0], 16);
  predict_inter_chroma(info, raster, row, column, filter, target);
  // What the prediction itself costs does not matter: coding nothing of the residue has
  // the same.
  trial_.evaluate_predicted(0, contest.best_rate(), effort_.chroma_steps);
}

// Compares absolute differences of the prediction in the target and of intra prediction
// of the whole macroblock.
bool RepeatDecider::intra_promises() const {
  const Kernels& k = kernels();
  const MacroblockPixels& source = trial_.source();
  const MacroblockPixels& target = trial_.target();
  const int inter =
      k.sad[2](source.pixels[0], source.stride[0], target.pixels[0], target.stride[0]);
  // A block of its own with the same neighbours.
  constexpr std::ptrdiff_t kStride = 32;
  alignas(32) std::uint8_t area[17 * kStride + 32];
  std::uint8_t* const block = area + kStride + 16;
  std::memcpy(block - kStride - 1, target.pixels[0] - target.stride[0] - 1, 17);
  for (int y = 0; y < 16; ++y) block[y * kStride - 1] = target.pixels[0][y * target.stride[0] - 1];
  for (const MacroblockMode mode : {DC_PRED, V_PRED, H_PRED, TM_PRED}) {
    predict_intra(mode, 16, block, kStride, trial_.has_above(), trial_.has_left());
    const int intra = k.sad[2](source.pixels[0], source.stride[0], block, kStride);
    if (intra * 2 < inter * effort_.promising_halves) return true;
  }
  return false;
}

}  // namespace vp8
