#include "decide/mode_rates.h"

#include "bitstream/trees.h"
#include "common/tables.h"

namespace vp8 {
namespace {

// What an intra macroblock among inter ones costs its neighbours: 3 bits. Without it flat
// regions turn to intra one by one, each for a fraction of a bit.
constexpr Rate kIntraAmongInter = 3 * 256;

// Of every subblock mode in a key frame, by those above and left.
struct KeyFrameSubblockRates {
  KeyFrameSubblockRates() {
    for (int a = 0; a < kSubblockModes; ++a) {
      for (int l = 0; l < kSubblockModes; ++l) {
        for (int mode = 0; mode < kSubblockModes; ++mode) {
          rates[a][l][mode] =
              tree_rate(kSubblockModeTree, kKeyFrameSubblockModeProbabilities[a][l], mode);
        }
      }
    }
  }
  Rate rates[kSubblockModes][kSubblockModes][kSubblockModes];
};

}  // namespace

MvRates::MvRates(const MvProbabilities& probabilities) {
  using Layout = MvProbabilityLayout;
  for (std::size_t component = 0; component < 2; ++component) {
    const auto& p = probabilities[component];
    // A long magnitude is three low bits, six high ones and, if one of those is
    // set, bit 3.
    Rate low[8];
    Rate high[64];
    for (int value = 0; value < 8; ++value) {
      low[value] = bit_rate(true, p[Layout::kIsShort]);
      for (int i = 0; i < 3; ++i)
        low[value] += bit_rate((value >> i) & 1, p[Layout::kLongBits + i]);
    }
    for (int value = 0; value < 64; ++value) {
      high[value] = 0;
      for (int i = 0; i < 6; ++i) {
        high[value] += bit_rate((value >> i) & 1, p[Layout::kLongBits + 4 + i]);
      }
    }
    const auto set = [&](int value, Rate rate) {
      component_[component][value + kMaxMvMagnitude] = static_cast<std::uint16_t>(rate);
    };
    for (int magnitude = 0; magnitude <= kMaxMvMagnitude; ++magnitude) {
      Rate rate;
      if (magnitude < 8) {
        rate = bit_rate(false, p[Layout::kIsShort]) +
               tree_rate(kShortMvTree, &p[Layout::kShortTree], magnitude);
      } else {
        rate = low[magnitude & 7] + high[magnitude >> 4];
        if (magnitude > 15) rate += bit_rate((magnitude >> 3) & 1, p[Layout::kLongBits + 3]);
      }
      if (magnitude == 0) {
        set(0, rate);
        continue;
      }
      set(magnitude, rate + bit_rate(false, p[Layout::kSign]));
      set(-magnitude, rate + bit_rate(true, p[Layout::kSign]));
    }
  }
}

ModeRates::ModeRates(const FrameHeader& header, const CodingContext& context)
    : key_frame_(header.start.key_frame), mv_(context.entropy.motion_vectors) {
  if (header.segmentation.update_map) {
    for (int i = 0; i < kMaxSegments; ++i) {
      segment_[static_cast<std::size_t>(i)] =
          tree_rate(kSegmentTree, header.segmentation.tree.data(), i);
    }
  }
  if (header.mb_no_skip_coeff) {
    skip_ = {bit_rate(false, header.prob_skip_false), bit_rate(true, header.prob_skip_false)};
  }
  for (int mode = DC_PRED; mode <= B_PRED; ++mode) {
    y_mode_[static_cast<std::size_t>(mode)] =
        key_frame_ ? tree_rate(kKeyFrameYModeTree, kKeyFrameYModeProbabilities, mode)
                   : kIntraAmongInter + bit_rate(false, header.prob_intra) +
                         tree_rate(kYModeTree, context.entropy.y_mode.data(), mode);
  }
  const Probability* uv =
      key_frame_ ? kKeyFrameUvModeProbabilities : context.entropy.uv_mode.data();
  for (int mode = DC_PRED; mode <= TM_PRED; ++mode) {
    uv_mode_[static_cast<std::size_t>(mode)] = tree_rate(kUvModeTree, uv, mode);
  }
  for (int mode = 0; mode < kSubblockModes; ++mode) {
    subblock_mode_[static_cast<std::size_t>(mode)] =
        tree_rate(kSubblockModeTree, kSubblockModeProbabilities, mode);
  }
  const Rate inter = bit_rate(true, header.prob_intra);
  const Rate not_last = inter + bit_rate(true, header.prob_last);
  reference_[kLastFrame] = inter + bit_rate(false, header.prob_last);
  reference_[kGoldenFrame] = not_last + bit_rate(false, header.prob_golden);
  reference_[kAltrefFrame] = not_last + bit_rate(true, header.prob_golden);
}

Rate ModeRates::key_frame_subblock_mode(SubblockMode mode, SubblockMode above, SubblockMode left) {
  static const KeyFrameSubblockRates table;
  return table.rates[above][left][mode];
}

Rate ModeRates::split_partitioning(SplitPartitioning partitioning) {
  return tree_rate(kSplitPartitioningTree, kSplitPartitioningProbabilities, partitioning);
}

Rate ModeRates::split_mode(SplitMvMode mode, MotionVector left, MotionVector above) {
  return tree_rate(kSplitMvModeTree, split_mv_probabilities(left, above), mode);
}

}  // namespace vp8
