// The header of one macroblock: segment, skip flag, reference, modes, vectors
// (RFC 6386, sections 9.3, 10, 11, 16 and 19.3).
#pragma once

#include "bitstream/bool_decoder.h"
#include "bitstream/frame_header.h"
#include "bitstream/macroblock_grid.h"
#include "bitstream/motion_vectors.h"
#include "bitstream/trees.h"

namespace vp8 {

// The subblock mode that neighbours in a key frame assume for a macroblock of this mode.
SubblockMode implied_subblock_mode(MacroblockMode mode);

// Reads the header of the macroblock at (row, column) into the grid, whose earlier cells
// are set. `segment` is its segment in the state's map.
void read_macroblock_header(BoolDecoder& decoder, const FrameHeader& header,
                            const CodingContext& context, MacroblockGrid& grid, int row, int column,
                            int segment);

inline MvCandidates mv_candidates_at(const MacroblockGrid& grid, int row, int column,
                                     ReferenceFrame reference, const SignBias& sign_bias) {
  return find_mv_candidates(grid.at(row - 1, column), grid.at(row, column - 1),
                            grid.at(row - 1, column - 1), reference, sign_bias,
                            mv_bounds(row, column, grid.rows(), grid.columns()));
}

// The first subblock of each part of a partitioning, in raster order.
inline int first_subblock_of_part(SplitPartitioning partitioning, int part) {
  int i = 0;
  while (kSplitPartOfSubblock[partitioning][i] != part) ++i;
  return i;
}

inline MotionVector operator-(MotionVector a, MotionVector b) {
  return {static_cast<std::int16_t>(a.row - b.row), static_cast<std::int16_t>(a.col - b.col)};
}
inline MotionVector operator+(MotionVector a, MotionVector b) {
  return {static_cast<std::int16_t>(a.row + b.row), static_cast<std::int16_t>(a.col + b.col)};
}

// Passes the modes and vectors of a SPLITMV macroblock's parts to writer.write(bit,
// probability).
template <typename Writer>
void write_split(Writer& writer, const MacroblockInfo& info, const MacroblockInfo& above,
                 const MacroblockInfo& left, MotionVector best, const MvProbabilities& mv) {
  write_tree(writer, kSplitPartitioningTree, kSplitPartitioningProbabilities, info.partitioning);
  for (int part = 0; part < kSplitPartCount[info.partitioning]; ++part) {
    const int first = first_subblock_of_part(info.partitioning, part);
    const SplitMvMode mode = info.split_modes[static_cast<std::size_t>(part)];
    write_tree(writer, kSplitMvModeTree,
               split_mv_probabilities(left_mv(info, left, first), above_mv(info, above, first)),
               mode);
    if (mode == NEW4X4) {
      write_motion_vector(writer, info.mvs[static_cast<std::size_t>(first)] - best, mv);
    }
  }
}

// Passes the whole header, as read above, to writer.write(bit, probability). `suggested`:
// what the neighbours suggest for the macroblock's reference, if it has one.
template <typename Writer>
void write_macroblock_header(Writer& writer, const FrameHeader& header,
                             const CodingContext& context, const MacroblockGrid& grid, int row,
                             int column, const MvCandidates& suggested) {
  const MacroblockInfo& info = grid.at(row, column);
  const MacroblockInfo& above = grid.at(row - 1, column);
  const MacroblockInfo& left = grid.at(row, column - 1);
  if (header.segmentation.update_map) {
    write_tree(writer, kSegmentTree, header.segmentation.tree.data(), info.segment);
  }
  if (header.mb_no_skip_coeff) writer.write(info.skip, header.prob_skip_false);

  if (header.start.key_frame) {
    write_tree(writer, kKeyFrameYModeTree, kKeyFrameYModeProbabilities, info.y_mode);
    if (info.y_mode == B_PRED) {
      for (std::size_t i = 0; i < 16; ++i) {
        const SubblockMode a = i >= 4 ? info.subblock_modes[i - 4] : above.subblock_modes[i + 12];
        const SubblockMode l = (i & 3) ? info.subblock_modes[i - 1] : left.subblock_modes[i + 3];
        write_tree(writer, kSubblockModeTree, kKeyFrameSubblockModeProbabilities[a][l],
                   info.subblock_modes[i]);
      }
    }
    write_tree(writer, kUvModeTree, kKeyFrameUvModeProbabilities, info.uv_mode);
    return;
  }

  writer.write(info.is_inter(), header.prob_intra);
  if (!info.is_inter()) {
    write_tree(writer, kYModeTree, context.entropy.y_mode.data(), info.y_mode);
    if (info.y_mode == B_PRED) {
      for (const SubblockMode mode : info.subblock_modes) {
        write_tree(writer, kSubblockModeTree, kSubblockModeProbabilities, mode);
      }
    }
    write_tree(writer, kUvModeTree, context.entropy.uv_mode.data(), info.uv_mode);
    return;
  }

  writer.write(info.reference != kLastFrame, header.prob_last);
  if (info.reference != kLastFrame) {
    writer.write(info.reference == kAltrefFrame, header.prob_golden);
  }
  write_tree(writer, kInterModeTree, suggested.mode_probabilities, info.y_mode - NEARESTMV);
  if (info.y_mode == NEWMV) {
    write_motion_vector(writer, info.mv() - suggested.best, context.entropy.motion_vectors);
  } else if (info.y_mode == SPLITMV) {
    write_split(writer, info, above, left, suggested.best, context.entropy.motion_vectors);
  }
}

}  // namespace vp8
