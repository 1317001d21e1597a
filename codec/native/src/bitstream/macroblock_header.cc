#include "bitstream/macroblock_header.h"

namespace vp8 {
namespace {

// Like info = {}, for which gcc uses an instruction that starts slowly.
[[gnu::always_inline]] inline void clear(MacroblockInfo& info) {
  info.y_mode = info.uv_mode = DC_PRED;
  info.reference = kIntraFrame;
  info.partitioning = k16x8;
  info.skip = info.has_tokens = false;
  info.subblock_modes.fill(B_DC_PRED);
  info.split_modes.fill(LEFT4X4);
  info.mvs.fill({});
}

void set_implied_subblock_modes(MacroblockInfo& info) {
  info.subblock_modes.fill(implied_subblock_mode(info.y_mode));
}

[[gnu::always_inline]] inline void read_key_frame_modes(BoolDecoder& decoder, MacroblockInfo& info,
                                                        const MacroblockInfo& above,
                                                        const MacroblockInfo& left) {
  info.y_mode = static_cast<MacroblockMode>(
      read_tree<kKeyFrameYModeTree>(decoder, kKeyFrameYModeProbabilities));
  if (info.y_mode == B_PRED) {
    for (std::size_t i = 0; i < 16; ++i) {
      const SubblockMode a = i >= 4 ? info.subblock_modes[i - 4] : above.subblock_modes[i + 12];
      const SubblockMode l = (i & 3) ? info.subblock_modes[i - 1] : left.subblock_modes[i + 3];
      info.subblock_modes[i] = static_cast<SubblockMode>(
          read_tree<kSubblockModeTree>(decoder, kKeyFrameSubblockModeProbabilities[a][l]));
    }
  } else {
    set_implied_subblock_modes(info);
  }
  info.uv_mode =
      static_cast<MacroblockMode>(read_tree<kUvModeTree>(decoder, kKeyFrameUvModeProbabilities));
}

[[gnu::always_inline]] inline void read_intra_modes(BoolDecoder& decoder,
                                                    const EntropyTables& entropy,
                                                    MacroblockInfo& info) {
  info.y_mode = static_cast<MacroblockMode>(read_tree<kYModeTree>(decoder, entropy.y_mode.data()));
  if (info.y_mode == B_PRED) {
    for (auto& mode : info.subblock_modes) {
      mode = static_cast<SubblockMode>(
          read_tree<kSubblockModeTree>(decoder, kSubblockModeProbabilities));
    }
  } else {
    set_implied_subblock_modes(info);
  }
  info.uv_mode =
      static_cast<MacroblockMode>(read_tree<kUvModeTree>(decoder, entropy.uv_mode.data()));
}

// By value, so that the caller's decoder can stay in registers.
[[gnu::noinline]] BoolDecoder read_split(BoolDecoder decoder, const MvProbabilities& probabilities,
                                         MacroblockInfo& info, const MacroblockInfo& above,
                                         const MacroblockInfo& left, MotionVector best) {
  info.partitioning = static_cast<SplitPartitioning>(
      read_tree<kSplitPartitioningTree>(decoder, kSplitPartitioningProbabilities));
  const auto [width, height] = kSplitPartSize[info.partitioning];
  std::size_t part = 0;
  for (int y = 0; y < kMacroblockSize; y += height) {
    for (int x = 0; x < kMacroblockSize; x += width) {
      const int first = y + x / 4;
      const MotionVector from_left = left_mv(info, left, first);
      const MotionVector from_above = above_mv(info, above, first);
      const auto mode = static_cast<SplitMvMode>(
          read_tree<kSplitMvModeTree>(decoder, split_mv_probabilities(from_left, from_above)));
      MotionVector mv;
      if (mode == NEW4X4) {
        mv = read_motion_vector(decoder, probabilities) + best;
      } else if (mode == LEFT4X4) {
        mv = from_left;
      } else if (mode == ABOVE4X4) {
        mv = from_above;
      }
      info.split_modes[part++] = mode;
      for (int row = first; row < first + height; row += 4) {
        for (int i = row; i < row + width / 4; ++i) info.mvs[static_cast<std::size_t>(i)] = mv;
      }
    }
  }
  return decoder;
}

[[gnu::always_inline]] inline void read_inter_modes(BoolDecoder& decoder, const FrameHeader& header,
                                                    const CodingContext& context,
                                                    MacroblockGrid& grid, int row, int column) {
  MacroblockInfo& info = grid.at(row, column);
  info.reference = kLastFrame;
  if (decoder.read(header.prob_last)) {
    info.reference = decoder.read(header.prob_golden) ? kAltrefFrame : kGoldenFrame;
  }
  const MvCandidates candidates =
      mv_candidates_at(grid, row, column, info.reference, context.sign_bias);
  info.y_mode = static_cast<MacroblockMode>(
      NEARESTMV + read_tree<kInterModeTree>(decoder, candidates.mode_probabilities));
  switch (info.y_mode) {
    case NEARESTMV:
      info.mvs.fill(candidates.nearest);
      break;
    case NEARMV:
      info.mvs.fill(candidates.near);
      break;
    case NEWMV:
      info.mvs.fill(read_motion_vector(decoder, context.entropy.motion_vectors) + candidates.best);
      break;
    case SPLITMV:
      decoder = read_split(decoder, context.entropy.motion_vectors, info, grid.at(row - 1, column),
                           grid.at(row, column - 1), candidates.best);
      break;
    default:  // ZEROMV
      break;
  }
}

}  // namespace

SubblockMode implied_subblock_mode(MacroblockMode mode) {
  switch (mode) {
    case V_PRED:
      return B_VE_PRED;
    case H_PRED:
      return B_HE_PRED;
    case TM_PRED:
      return B_TM_PRED;
    default:
      return B_DC_PRED;
  }
}

void read_macroblock_header(BoolDecoder& partition, const FrameHeader& header,
                            const CodingContext& context, MacroblockGrid& grid, int row, int column,
                            int segment) {
  BoolDecoder decoder = partition;  // in registers
  MacroblockInfo& info = grid.at(row, column);
  clear(info);
  info.segment = static_cast<std::uint8_t>(
      header.segmentation.update_map
          ? read_tree<kSegmentTree>(decoder, header.segmentation.tree.data())
          : segment);
  if (header.mb_no_skip_coeff) info.skip = decoder.read(header.prob_skip_false);
  if (header.start.key_frame) {
    read_key_frame_modes(decoder, info, grid.at(row - 1, column), grid.at(row, column - 1));
  } else if (decoder.read(header.prob_intra)) {
    read_inter_modes(decoder, header, context, grid, row, column);
  } else {
    read_intra_modes(decoder, context.entropy, info);
  }
  partition = decoder;
}

}  // namespace vp8
